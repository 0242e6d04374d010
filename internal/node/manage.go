package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// Settings are what an operator says of a node.
type Settings struct {
	Kind       string
	Sources    []netip.Prefix
	ControlURL string
	Username   string
	Password   string
	PlayURL    string
	RecordURL  string
}

func (st *Settings) validate() error {
	if !slices.Contains(Kinds, st.Kind) {
		return errs.InvalidField("kind", "kind is one of "+strings.Join(Kinds, ", "))
	}
	if slices.ContainsFunc(st.Sources, func(p netip.Prefix) bool { return !p.IsValid() }) {
		return errs.InvalidField("sources", "sources are addresses with a prefix length")
	}
	if st.ControlURL != "" && !httpURL(st.ControlURL) {
		return errs.InvalidField("control_url", "control_url is an http or https URL")
	}
	if st.RecordURL != "" && (!httpURL(st.RecordURL) || !strings.Contains(st.RecordURL, "{file}")) {
		return errs.InvalidField("record_url", "record_url is an http or https URL with {file} in it")
	}
	if st.PlayURL != "" && !strings.Contains(st.PlayURL, "{stream}") {
		return errs.InvalidField("play_url", "play_url has {app} and {stream} in it")
	}
	return nil
}

// unmapped writes a prefix of IPv4 in IPv6 as what sources are compared as.
func unmapped(p netip.Prefix) netip.Prefix {
	const mapped = 96
	if p.Addr().Is4In6() && p.Bits() >= mapped {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapped)
	}
	return p.Masked()
}

func httpURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// Create adds a node and returns the secret that its callback URLs carry.
// Errors: Invalid, Conflict.
func (s *Service) Create(ctx context.Context, name string, st Settings) (secret string, err error) {
	if !validName.MatchString(name) {
		return "", constraints["nodes_name_check"]
	}
	if err := st.validate(); err != nil {
		return "", err
	}
	if secret, err = s.newSecret(); err != nil {
		return "", err
	}
	hash := sha256.Sum256([]byte(secret))
	_, err = s.q.NodeInsert(ctx, s.DB, db.NodeInsertParams{Name: name, Kind: st.Kind, SecretHash: hash[:], SecretSealed: s.Box.Seal([]byte(secret), secretPurpose(name)),
		Sources: texts(st.Sources), ControlURL: st.ControlURL, ControlUsername: st.Username, ControlPasswordSealed: s.sealPassword(name, st.Password),
		PlayURL: st.PlayURL, RecordURL: st.RecordURL, Now: s.Now()})
	if err != nil {
		return "", pg.Err(err, constraints)
	}
	return secret, s.apply(ctx, s.DB, name)
}

// Update replaces the settings of a node; its secret stays. An empty password
// keeps the one that is stored. Errors: Invalid, NotFound.
func (s *Service) Update(ctx context.Context, name string, st Settings) error {
	if err := st.validate(); err != nil {
		return err
	}
	return s.change(ctx, name, func(p *db.NodeUpdateParams) {
		p.Kind, p.Sources, p.ControlURL, p.ControlUsername = st.Kind, texts(st.Sources), st.ControlURL, st.Username
		p.PlayURL, p.RecordURL = st.PlayURL, st.RecordURL
		if st.Password != "" {
			p.ControlPasswordSealed = s.sealPassword(name, st.Password)
		}
	})
}

// RotateSecret gives a node a new secret; the old one is void at once. The
// local node becomes one that needs its secret. Error: NotFound.
func (s *Service) RotateSecret(ctx context.Context, name string) (secret string, err error) {
	if secret, err = s.newSecret(); err != nil {
		return "", err
	}
	hash := sha256.Sum256([]byte(secret))
	err = s.change(ctx, name, func(p *db.NodeUpdateParams) {
		p.SecretHash, p.SecretSealed = hash[:], s.Box.Seal([]byte(secret), secretPurpose(name))
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

// Secret returns the secret of a node for the configuration lines to paste, or
// "" for a node without one. Error: NotFound.
func (s *Service) Secret(ctx context.Context, name string) (string, error) {
	row, err := s.q.NodeByName(ctx, s.DB, name)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", ErrNotFound
	}
	if err != nil || row.SecretSealed == nil {
		return "", pg.Err(err, nil)
	}
	b, err := s.Box.Open(row.SecretSealed, secretPurpose(name))
	return string(b), err
}

// change edits a row that nobody else edits meanwhile: an update that writes
// back what it read must not bring back a secret that has just been replaced.
func (s *Service) change(ctx context.Context, name string, edit func(*db.NodeUpdateParams)) error {
	err := pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		row, err := s.q.NodeLock(ctx, tx, name)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		p := db.NodeUpdateParams{Name: name, Kind: row.Kind, SecretHash: row.SecretHash, SecretSealed: row.SecretSealed, Sources: row.Sources,
			ControlURL: row.ControlURL, ControlUsername: row.ControlUsername, ControlPasswordSealed: row.ControlPasswordSealed,
			PlayURL: row.PlayURL, RecordURL: row.RecordURL, Now: s.Now()}
		edit(&p)
		_, err = s.q.NodeUpdate(ctx, tx, p)
		return err
	})
	if err != nil {
		return pg.Err(err, constraints)
	}
	return s.apply(ctx, s.DB, name)
}

// Delete removes a node; its callbacks are refused from now on. Error:
// NotFound.
func (s *Service) Delete(ctx context.Context, name string) error {
	n, err := s.q.NodeDelete(ctx, s.DB, name)
	if err != nil {
		return pg.Err(err, nil)
	}
	if n == 0 {
		return ErrNotFound
	}
	return s.apply(ctx, s.DB, name)
}

// EnsureLocal creates the local node in an empty database. An operator who
// deleted it gets it back with the next start, which opens nothing: it serves
// loopback addresses only.
func (s *Service) EnsureLocal(ctx context.Context) error {
	return pg.Err(s.q.NodeInsertLocal(ctx, s.DB, db.NodeInsertLocalParams{Kind: KindAny, Now: s.Now()}), nil)
}

// List returns all nodes by name.
func (s *Service) List(ctx context.Context) ([]Node, error) {
	rows, err := s.q.NodeList(ctx, s.DB)
	if err != nil {
		return nil, pg.Err(err, nil)
	}
	out := make([]Node, len(rows))
	for i, row := range rows {
		if out[i], err = s.fromRow(row); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *Service) newSecret() (string, error) {
	var b [20]byte
	if _, err := io.ReadFull(s.Rand, b[:]); err != nil {
		return "", err
	}
	return hex.EncodeToString(b[:]), nil
}

func secretPurpose(name string) string  { return "node_secret/" + name }
func controlPurpose(name string) string { return "node_control/" + name }

func (s *Service) sealPassword(name, password string) []byte {
	if password == "" {
		return nil
	}
	return s.Box.Seal([]byte(password), controlPurpose(name))
}

func texts(prefixes []netip.Prefix) []string {
	out := make([]string, len(prefixes))
	for i, p := range prefixes {
		out[i] = unmapped(p).String()
	}
	return out
}

func (s *Service) fromRow(row db.Node) (Node, error) {
	n := Node{Secured: row.SecretHash != nil, CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt,
		Node: media.Node{Name: row.Name, Kind: row.Kind, ControlURL: row.ControlURL, Username: row.ControlUsername, PlayURL: row.PlayURL, RecordURL: row.RecordURL}}
	for _, text := range row.Sources {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return Node{}, err
		}
		n.Sources = append(n.Sources, p)
	}
	if row.ControlPasswordSealed != nil {
		b, err := s.Box.Open(row.ControlPasswordSealed, controlPurpose(row.Name))
		if err != nil {
			return Node{}, err
		}
		n.Password = string(b)
	}
	return n, nil
}
