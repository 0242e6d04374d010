package node

import (
	"context"
	"crypto/sha256"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// Tables names the table whose changes memory follows.
func (s *Service) Tables() []string { return []string{"nodes"} }

// Reload reads all nodes.
func (s *Service) Reload(ctx context.Context, d pg.DB) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	rows, err := s.q.NodeList(ctx, d)
	if err != nil {
		return err
	}
	byName, bySecret := map[string]Node{}, map[[sha256.Size]byte]string{}
	for _, row := range rows {
		if byName[row.Name], err = s.fromRow(row); err != nil {
			return err
		}
		if row.SecretHash != nil {
			bySecret[[sha256.Size]byte(row.SecretHash)] = row.Name
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byName, s.bySecret = byName, bySecret
	return nil
}

// Apply reads some nodes again.
func (s *Service) Apply(ctx context.Context, d pg.DB, changes ...pg.Change) error {
	for _, c := range changes {
		if err := s.apply(ctx, d, c.Key); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) apply(ctx context.Context, d db.DBTX, name string) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	row, err := s.q.NodeByName(ctx, d, name)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return pg.Err(err, nil)
	}
	gone := err != nil
	var n Node
	if !gone {
		if n, err = s.fromRow(row); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byName, name)
	for hash, owner := range s.bySecret {
		if owner == name {
			delete(s.bySecret, hash)
		}
	}
	if gone {
		return nil
	}
	s.byName[name] = n
	if row.SecretHash != nil {
		s.bySecret[[sha256.Size]byte(row.SecretHash)] = name
	}
	return nil
}
