package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/netip"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// Create adds a node and returns the secret that its callback URLs carry.
// Errors: Invalid, Conflict.
func (s *Service) Create(ctx context.Context, name string, st Settings) (secret string, err error) {
	return s.CreateWith(ctx, name, st.changes())
}

// CreateWith adds a node whose other settings are empty. Errors: Invalid,
// Conflict.
func (s *Service) CreateWith(ctx context.Context, name string, ch Changes) (secret string, err error) {
	if !validName.MatchString(name) {
		return "", constraints["nodes_name_check"]
	}
	if err := ch.validate(); err != nil {
		return "", err
	}
	row := db.Node{Name: name, Sources: []string{}, Urls: []byte("{}")}
	if err := s.applyChanges(&row, ch); err != nil {
		return "", err
	}
	if secret, err = s.newSecret(row.Kind); err != nil {
		return "", err
	}
	hash := sha256.Sum256([]byte(secret))
	_, err = s.q.NodeInsert(ctx, s.DB, db.NodeInsertParams{Name: name, Kind: row.Kind, SecretHash: hash[:], SecretSealed: s.Box.Seal([]byte(secret), secretPurpose(name)),
		Sources: row.Sources, ControlURL: row.ControlURL, ControlUsername: row.ControlUsername, ControlPasswordSealed: row.ControlPasswordSealed,
		Urls: row.Urls, RecordURL: row.RecordURL, Now: s.Now()})
	if err != nil {
		return "", pg.Err(err, constraints)
	}
	return secret, s.apply(ctx, s.DB, name)
}

// Update replaces the settings of a node; its secret stays. An empty password
// keeps the one that is stored. Errors: Invalid, NotFound.
func (s *Service) Update(ctx context.Context, name string, st Settings) error {
	ch := st.changes()
	if st.Password == "" {
		ch.Password = nil
	}
	return s.Change(ctx, name, ch)
}

// Change changes settings of a node. Errors: Invalid, NotFound.
func (s *Service) Change(ctx context.Context, name string, ch Changes) error {
	if err := ch.validate(); err != nil {
		return err
	}
	return s.change(ctx, name, func(row *db.Node) error { return s.applyChanges(row, ch) })
}

// RotateSecret gives a node a new secret; the old one is void at once. The
// local node becomes one that needs its secret. Error: NotFound.
func (s *Service) RotateSecret(ctx context.Context, name string) (secret string, err error) {
	long, err := s.newSecret("")
	if err != nil {
		return "", err
	}
	err = s.change(ctx, name, func(row *db.Node) error {
		secret = long[:secretLength(row.Kind)]
		hash := sha256.Sum256([]byte(secret))
		row.SecretHash, row.SecretSealed = hash[:], s.Box.Seal([]byte(secret), secretPurpose(name))
		return nil
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
func (s *Service) change(ctx context.Context, name string, edit func(*db.Node) error) error {
	err := pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		row, err := s.q.NodeLock(ctx, tx, name)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		if err := edit(&row); err != nil {
			return err
		}
		_, err = s.q.NodeUpdate(ctx, tx, db.NodeUpdateParams{Name: name, Kind: row.Kind, SecretHash: row.SecretHash, SecretSealed: row.SecretSealed,
			Sources: row.Sources, ControlURL: row.ControlURL, ControlUsername: row.ControlUsername, ControlPasswordSealed: row.ControlPasswordSealed,
			Urls: row.Urls, RecordURL: row.RecordURL, Now: s.Now()})
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

// newSecret is 160 bits in hex, or what a kind takes.
func (s *Service) newSecret(kind string) (string, error) {
	var b [20]byte
	if _, err := io.ReadFull(s.Rand, b[:]); err != nil {
		return "", err
	}
	return hex.EncodeToString(b[:])[:secretLength(kind)], nil
}

// secretLength is how many letters a secret has. Alibaba Cloud takes keys of 32
// at most, which are 128 bits.
func secretLength(kind string) int {
	if kind == KindAliyun {
		return 32
	}
	return 40
}

func secretPurpose(name string) string  { return "node_secret/" + name }
func controlPurpose(name string) string { return "node_control/" + name }

func (s *Service) sealPassword(name, password string) []byte {
	if password == "" {
		return nil
	}
	return s.Box.Seal([]byte(password), controlPurpose(name))
}

func readURLs(stored []byte) (urls media.URLs, err error) {
	err = json.Unmarshal(stored, &urls)
	return urls, err
}

func writeURLs(urls media.URLs) []byte {
	b, _ := json.Marshal(urls) // which cannot fail for strings
	return b
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

func (s *Service) fromRow(row db.Node) (Node, error) {
	n := Node{Secured: row.SecretHash != nil, CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt,
		Node: media.Node{Name: row.Name, Kind: row.Kind, ControlURL: row.ControlURL, Username: row.ControlUsername, RecordURL: row.RecordURL}}
	var err error
	if n.URLs, err = readURLs(row.Urls); err != nil {
		return Node{}, err
	}
	for _, text := range row.Sources {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return Node{}, err
		}
		n.Sources = append(n.Sources, p)
	}
	if row.SecretSealed != nil && Signs(row.Kind) {
		key, err := s.Box.Open(row.SecretSealed, secretPurpose(row.Name))
		if err != nil {
			return Node{}, err
		}
		n.key = key
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
