package webhook

import (
	"context"
	"encoding/hex"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// The bounds of endpoints.
const (
	maxEndpoints   = 100
	maxURL         = 2048
	maxDescription = 256
	maxTypes       = 32
)

// Settings are what an operator says of a new endpoint.
type Settings struct {
	URL         string
	Description string
	Types       []string
}

// Changes are what an operator says anew. What is nil stays.
type Changes struct {
	URL         *string
	Description *string
	Types       *[]string
	Enabled     *bool
}

// Create adds an endpoint and returns its secret, which is not shown again.
// Errors: Invalid, Conflict, Unavailable.
func (s *Service) Create(ctx context.Context, in Settings) (_ Endpoint, secret string, err error) {
	if in.Types == nil {
		in.Types = []string{}
	}
	if err := s.validate(ctx, Changes{URL: &in.URL, Description: &in.Description, Types: &in.Types}); err != nil {
		return Endpoint{}, "", err
	}
	id, err := s.newID("wh_", 12)
	if err != nil {
		return Endpoint{}, "", err
	}
	if secret, err = s.newSecret(); err != nil {
		return Endpoint{}, "", err
	}
	var row db.WebhookEndpoint
	err = s.change(ctx, func(tx pgx.Tx) error {
		if n, err := s.q.WebhookEndpointCount(ctx, tx); err != nil || n >= maxEndpoints {
			return orElse(err, errTooMany)
		}
		row, err = s.q.WebhookEndpointInsert(ctx, tx, db.WebhookEndpointInsertParams{ID: id, URL: in.URL, Description: in.Description, Types: in.Types,
			SecretSealed: s.seal(id, secret), Now: s.Now()})
		return err
	})
	return fromRow(row), secret, err
}

// Update changes an endpoint. One that is enabled anew starts without a history
// of failure; what waited for it is sent. Errors: Invalid, NotFound, Unavailable.
func (s *Service) Update(ctx context.Context, id string, ch Changes) (Endpoint, error) {
	if err := s.validate(ctx, ch); err != nil {
		return Endpoint{}, err
	}
	var row db.WebhookEndpoint
	err := s.change(ctx, func(tx pgx.Tx) (err error) {
		if row, err = s.q.WebhookEndpointLock(ctx, tx, id); err != nil {
			return orNotFound(err)
		}
		ch.apply(&row, s.Now())
		row, err = s.q.WebhookEndpointUpdate(ctx, tx, db.WebhookEndpointUpdateParams{ID: id, URL: row.URL, Description: row.Description, Types: row.Types,
			DisabledAt: row.DisabledAt, DisabledReason: row.DisabledReason, HeldUntil: row.HeldUntil, FailingSince: row.FailingSince, Now: s.Now()})
		return err
	})
	return fromRow(row), err
}

func (ch Changes) apply(row *db.WebhookEndpoint, now time.Time) {
	if ch.URL != nil {
		row.URL = *ch.URL
	}
	if ch.Description != nil {
		row.Description = *ch.Description
	}
	if ch.Types != nil {
		row.Types = *ch.Types
	}
	switch enabled := row.DisabledAt == nil; {
	case ch.Enabled == nil || *ch.Enabled == enabled:
	case enabled:
		row.DisabledAt, row.DisabledReason = &now, string(ByOperator)
	default:
		row.DisabledAt, row.DisabledReason, row.HeldUntil, row.FailingSince = nil, "", nil, nil
	}
}

// Delete removes an endpoint; what waits for it is dropped. Errors: NotFound,
// Unavailable.
func (s *Service) Delete(ctx context.Context, id string) error {
	return s.change(ctx, func(tx pgx.Tx) error {
		n, err := s.q.WebhookEndpointDelete(ctx, tx, id)
		if err != nil || n == 0 {
			return orElse(err, errNotFound)
		}
		return s.dropJobs(ctx, tx, id)
	})
}

// Get returns one endpoint. Errors: NotFound, Unavailable.
func (s *Service) Get(ctx context.Context, id string) (Endpoint, error) {
	row, err := s.q.WebhookEndpointByID(ctx, s.DB, id)
	if err != nil {
		return Endpoint{}, orNotFound(err)
	}
	return fromRow(row), nil
}

// Page returns endpoints in the order of their ids, from behind one. Error:
// Unavailable.
func (s *Service) Page(ctx context.Context, after string, limit int) ([]Endpoint, error) {
	rows, err := s.q.WebhookEndpointPage(ctx, s.DB, db.WebhookEndpointPageParams{After: after, RowLimit: int32(limit)})
	if err != nil {
		return nil, pg.Err(err, nil)
	}
	out := make([]Endpoint, len(rows))
	for i, row := range rows {
		out[i] = fromRow(row)
	}
	return out, nil
}

// change changes endpoints, one change after the other, and what is wanted with
// them.
func (s *Service) change(ctx context.Context, fn func(pgx.Tx) error) error {
	err := pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if err := s.q.EventWantsLock(ctx, tx); err != nil {
			return err
		}
		if err := fn(tx); err != nil {
			return err
		}
		return s.writeWants(ctx, tx)
	})
	return pg.Err(err, nil)
}

func (s *Service) validate(ctx context.Context, ch Changes) error {
	if ch.Description != nil && !plain(*ch.Description, maxDescription) {
		return errs.InvalidField("description", "description has at most 256 bytes and no control characters")
	}
	if ch.Types != nil {
		if err := checkTypes(*ch.Types); err != nil {
			return err
		}
	}
	if ch.URL == nil {
		return nil
	}
	return s.checkURL(ctx, *ch.URL)
}

var errURL = errs.InvalidField("url", "url is an https URL without credentials and fragment")

// checkURL tells a user early what sending would refuse.
func (s *Service) checkURL(ctx context.Context, text string) error {
	u, err := url.Parse(text)
	if err != nil || !plain(text, maxURL) || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return errURL
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return errURL
		}
	}
	if u.Scheme != "https" && (u.Scheme != "http" || len(s.Guard.Allow) == 0) {
		return errURL
	}
	if err := s.Guard.Check(ctx, u.Hostname()); errs.KindOf(err) == errs.Invalid && err != nil {
		e := *errs.As(err)
		e.Field = "url"
		return &e
	} else if err != nil {
		return err
	}
	return nil
}

func plain(text string, most int) bool {
	return len(text) <= most && utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// newID is a name that nobody guesses.
func (s *Service) newID(prefix string, bytes int) (string, error) {
	b := make([]byte, bytes)
	if _, err := io.ReadFull(s.Rand, b); err != nil {
		return "", err
	}
	return prefix + hex.EncodeToString(b), nil
}

// orElse is the error that happened, or the one that is meant.
func orElse(err error, meant error) error {
	if err != nil {
		return err
	}
	return meant
}
