package access

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// Owner is the account that a live token belongs to or is asked for by.
type Owner struct {
	ID       int64
	Username string
	Level    int // permission level; 1 and above manage other people's tokens
}

func (o Owner) manages() bool { return o.Level >= 1 }

// LiveToken is a pair of secrets for one stream: Token publishes (and plays),
// PlayToken only plays.
type LiveToken struct {
	ID        int64
	Username  string
	App       string
	Stream    string
	Token     string
	PlayToken string
	Level     int
	CreatedAt time.Time
}

// maxTokensListed bounds a list that the dialect does not page.
const maxTokensListed = 1000

var streamPart = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// parseStream splits "name" or "app/name". Names are limited to what every
// media server passes through unharmed: SRS cuts at a dot, RTMP and SRT split
// at most other punctuation.
func (s *Service) parseStream(text string) (app, stream string, err error) {
	app, stream, found := strings.Cut(text, "/")
	if !found {
		app, stream = s.App, text
	}
	if !streamPart.MatchString(app) || !streamPart.MatchString(stream) {
		return "", "", errs.InvalidField("stream", "a stream is name or app/name of A-Z a-z 0-9 _ -")
	}
	return app, stream, nil
}

var (
	errStreamTaken   = errs.New(errs.Forbidden, "stream_taken", "The stream belongs to somebody else")
	errLevelTooHigh  = errs.New(errs.Forbidden, "level_too_high", "The level is above your own permission level")
	errTokenNotFound = errs.New(errs.NotFound, "token_not_found", "Token not found")
)

// CreateToken makes the pair for a stream. Asked again by its owner it makes a
// new pair and revokes the old one. Errors: Invalid, one or more joined,
// Forbidden.
func (s *Service) CreateToken(ctx context.Context, o Owner, stream string, level int) (LiveToken, error) {
	app, name, err := s.parseStream(stream)
	if level < 0 {
		err = errors.Join(err, errs.InvalidField("level", "level is not negative"))
	}
	if err != nil {
		return LiveToken{}, err
	}
	if level > o.Level {
		return LiveToken{}, errLevelTooHigh
	}
	if err := s.mayClaim(ctx, o, app, name); err != nil {
		return LiveToken{}, err
	}
	t := LiveToken{Username: o.Username, App: app, Stream: name, Level: level, CreatedAt: s.Now()}
	if t.Token, err = s.newSecret(); err != nil {
		return LiveToken{}, err
	}
	if t.PlayToken, err = s.newSecret(); err != nil {
		return LiveToken{}, err
	}
	if err := s.storeToken(ctx, o, t); err != nil {
		return LiveToken{}, err
	}
	return t, nil
}

// mayClaim keeps a live token from opening a room of somebody else.
func (s *Service) mayClaim(ctx context.Context, o Owner, app, stream string) error {
	owner, err := s.Owners.StreamOwner(ctx, app, stream)
	if err != nil {
		return err
	}
	if owner != "" && owner != o.Username {
		return errStreamTaken
	}
	return nil
}

// storeToken puts a pair in the place of the stream's present one.
func (s *Service) storeToken(ctx context.Context, o Owner, t LiveToken) error {
	var changed []int64
	err := pg.InTx(ctx, s.DB, func(tx pgx.Tx) (err error) {
		changed, err = s.replaceToken(ctx, tx, o, t)
		return err
	})
	if err != nil {
		return pg.Err(err, nil)
	}
	return pg.Err(s.applied(ctx, s.DB, tokensTable, changed...), nil)
}

// replaceToken returns the ids of the rows that changed. One caller at a time
// has the stream: two who see the same holder would revoke each other's pairs.
func (s *Service) replaceToken(ctx context.Context, tx pgx.Tx, o Owner, t LiveToken) ([]int64, error) {
	if err := s.q.LiveTokenLockStream(ctx, tx, t.App+"/"+t.Stream); err != nil {
		return nil, err
	}
	holder, err := s.q.LiveTokenHolder(ctx, tx, db.LiveTokenHolderParams{App: t.App, Stream: t.Stream})
	if err != nil && !noRows(err) {
		return nil, err
	}
	if err == nil && holder != o.ID {
		return nil, errStreamTaken
	}
	changed, err := s.q.LiveTokenRevokeStream(ctx, tx, db.LiveTokenRevokeStreamParams{Now: t.CreatedAt, App: t.App, Stream: t.Stream})
	if err != nil {
		return nil, err
	}
	if err := s.revoked(ctx, tx, ByLiveToken, tokenIDs(changed...), "token_replaced", t.CreatedAt); err != nil {
		return nil, err
	}
	token, play := hashToken(t.Token), hashToken(t.PlayToken)
	row, err := s.q.LiveTokenInsert(ctx, tx, db.LiveTokenInsertParams{AccountID: o.ID, App: t.App, Stream: t.Stream, Level: int32(t.Level),
		TokenHash: token[:], PlayHash: play[:], Now: t.CreatedAt,
		TokenSealed: s.Box.Seal([]byte(t.Token), tokenPurpose), PlaySealed: s.Box.Seal([]byte(t.PlayToken), playPurpose)})
	return append(changed, row.ID), err
}

// What sealed values are for: two columns, and the secrets themselves.
const tokenPurpose, playPurpose, madePurpose = "live_token", "live_token/play", "live_token/made"

// newSecret returns a secret of 48 characters in an alphabet that passes every
// media server's URL parsing. It is itself a sealed value, 64 random bits, a
// nonce of 96 more and a tag, so that any process can tell what we made from
// garbage without asking the database.
func (s *Service) newSecret() (string, error) {
	var b [8]byte
	if _, err := io.ReadFull(s.Rand, b[:]); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(s.Box.Seal(b[:], madePurpose)), nil
}

// madeLength is how many characters a secret of newSecret has.
const madeLength = 48

// made says whether newSecret made a value, here or in another process.
func (s *Service) made(value string) bool {
	if len(value) != madeLength {
		return false
	}
	sealed, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		return false
	}
	_, err = s.Box.Open(sealed, madePurpose)
	return err == nil
}

// DestroyToken revokes a pair by its publish secret and returns what those who
// came in by it are known by. A token that is unknown and one of somebody else
// look the same. Error: NotFound.
func (s *Service) DestroyToken(ctx context.Context, o Owner, token string) (Credential, error) {
	h, now := hashToken(token), s.Now()
	var id int64
	err := pg.InTx(ctx, s.DB, func(tx pgx.Tx) (err error) {
		if id, err = s.q.LiveTokenRevoke(ctx, tx, db.LiveTokenRevokeParams{Now: now, TokenHash: h[:], AccountID: o.ID, AnyOwner: o.manages()}); err != nil {
			return err
		}
		return s.revoked(ctx, tx, ByLiveToken, tokenIDs(id), "token_destroyed", now)
	})
	if noRows(err) {
		return Credential{}, errTokenNotFound
	}
	if err != nil {
		return Credential{}, pg.Err(err, nil)
	}
	return Credential{Kind: ByLiveToken, ID: strconv.FormatInt(id, 10)}, pg.Err(s.applied(ctx, s.DB, tokensTable, id), nil)
}

// Tokens lists the caller's own pairs, everybody's for those who manage them.
func (s *Service) Tokens(ctx context.Context, o Owner) ([]LiveToken, error) {
	rows, err := s.q.LiveTokenList(ctx, s.DB, db.LiveTokenListParams{AccountID: o.ID, AnyOwner: o.manages(), RowLimit: maxTokensListed})
	if err != nil {
		return nil, pg.Err(err, nil)
	}
	out := make([]LiveToken, len(rows))
	for i, r := range rows {
		if out[i], err = s.opened(db.LiveTokenPageRow(r)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// opened is a pair with its secrets.
func (s *Service) opened(r db.LiveTokenPageRow) (LiveToken, error) {
	token, err := s.Box.Open(r.TokenSealed, tokenPurpose)
	if err != nil {
		return LiveToken{}, err
	}
	play, err := s.Box.Open(r.PlaySealed, playPurpose)
	return LiveToken{ID: r.ID, Username: r.Username, App: r.App, Stream: r.Stream, Token: string(token), PlayToken: string(play), Level: int(r.Level), CreatedAt: r.CreatedAt}, err
}

// PurgeTokens forgets pairs that were destroyed long ago.
func (s *Service) PurgeTokens(ctx context.Context) error {
	_, err := s.q.LiveTokenPurge(ctx, s.DB, s.Now().Add(-revokedKept))
	return pg.Err(err, nil)
}

var errLookups = errs.New(errs.Unavailable, string(media.TemporarilyUnavailable), "too many unknown tokens")

// learnToken asks the database about a token that memory does not know: it may
// have been made a moment ago by another process. Only what we made is asked
// for, so garbage neither reaches the database nor uses up the limit.
func (s *Service) learnToken(ctx context.Context, now time.Time, e *media.Event) (learned bool, err error) {
	value, _, _ := tokenOf(e.Scene(), e.Query)
	if !s.made(value) {
		return false, nil
	}
	h := hashToken(value)
	if until, missed := s.misses.Get(h); missed && now.Before(until) {
		return false, nil
	}
	if !s.lookups.AllowN(now, 1) {
		return false, errLookups
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	rows, err := s.q.LiveTokenAccessByHash(ctx, s.DB, h[:])
	if err != nil {
		return false, pg.Err(err, nil)
	}
	if len(rows) == 0 {
		s.misses.Add(h, now.Add(missTTL))
		return false, nil
	}
	s.view.learnTokens(rows)
	return true, nil
}
