package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/internal/config"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/seal"
	"github.com/stagedoor-live/stagedoor/internal/tracing"
)

// store is the open database with what is needed to read its secrets.
type store struct {
	pool    *pgxpool.Pool
	direct  *pgx.ConnConfig // past any pooler
	pooled  bool            // there may be one
	box     *seal.Box
	private *pg.Private // nil for a database of the operator's
	log     *slog.Logger
}

// openStore opens the configured database, or the private one of the data
// directory, and brings its schema up to date.
func openStore(ctx context.Context, cfg *config.Settings, log *slog.Logger) (_ *store, err error) {
	s := &store{log: log}
	defer func() {
		if err != nil {
			s.close(ctx)
		}
	}()
	if s.box, err = openBox(cfg); err != nil {
		return nil, err
	}
	url, direct, err := s.urls(ctx, cfg)
	if err != nil {
		return nil, err
	}
	options := pg.Options{Conns: cfg.DatabasePool, Connect: cfg.DatabaseConnectTimeout, Statement: cfg.DatabaseTimeout}
	if cfg.Traces.Endpoint != nil {
		options.Tracer = tracing.Statements{}
	}
	if err := pg.MigrateUp(ctx, direct, options); err != nil {
		return nil, fmt.Errorf("migrate the database: %w", advise(err))
	}
	if s.direct, err = pg.Direct(direct, options); err != nil {
		return nil, err
	}
	if s.pool, err = pg.Open(ctx, url, options); err != nil {
		return nil, fmt.Errorf("open the database: %w", advise(err))
	}
	if s.pooled = direct != url; s.pooled {
		if err := pg.CheckDirect(ctx, s.pool, s.direct); err != nil {
			return nil, fmt.Errorf("STAGEDOOR_DATABASE_DIRECT_URL: %w", err)
		}
	}
	return s, nil
}

// urls returns the database, and the way to it past a pooler.
func (s *store) urls(ctx context.Context, cfg *config.Settings) (url, direct string, err error) {
	if cfg.DatabaseURL != "" {
		return cfg.DatabaseURL.Reveal(), cmp.Or(cfg.DirectURL, cfg.DatabaseURL).Reveal(), nil
	}
	if s.private, err = pg.StartPrivate(ctx, pg.PrivateConfig{Dir: cfg.DataDir, Log: s.log}); err != nil {
		return "", "", fmt.Errorf("start the private PostgreSQL: %w", err)
	}
	return s.private.URL(), s.private.URL(), nil
}

// advise says what to set where a pooler is in the way, and tells a database that
// does not answer from one that refuses.
func advise(err error) error {
	if errors.Is(err, pg.ErrPooled) {
		return fmt.Errorf("%w: set STAGEDOOR_DATABASE_DIRECT_URL to PostgreSQL itself; STAGEDOOR_DATABASE_URL may stay as it is", err)
	}
	if errs.KindOf(pg.Err(err, nil)) == errs.Unavailable {
		return errs.New(errs.Unavailable, "database_unreachable", "the database cannot be reached").With(err)
	}
	return err
}

// dataDirMode lets the user that PostgreSQL runs as pass through to its own
// directory. Every file of ours in it is 0600.
const dataDirMode = 0o711

func openBox(cfg *config.Settings) (*seal.Box, error) {
	var key []byte
	var err error
	if cfg.MasterKey != "" {
		key, err = seal.ParseKey(cfg.MasterKey.Reveal())
	} else if err = os.MkdirAll(cfg.DataDir, dataDirMode); err == nil {
		key, err = seal.LoadOrCreateKey(cfg.DataDir, rand.Reader)
	}
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	return seal.New(key)
}

// close gives everything back. The private server stops with its last user.
func (s *store) close(ctx context.Context) {
	if s.pool != nil {
		s.pool.Close()
	}
	if s.private == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	if err := s.private.Stop(ctx); err != nil {
		s.log.ErrorContext(ctx, "private PostgreSQL did not stop", "error", err)
	}
}

// setting returns a configured value, or the one that the first start
// generated and every process shares.
func (s *store) setting(ctx context.Context, configured, name string, bytes int) (string, error) {
	if configured != "" {
		return configured, nil
	}
	v, err := pg.Setting(ctx, s.pool, s.box, name, time.Now(), func() ([]byte, error) {
		b := make([]byte, bytes)
		if _, err := rand.Read(b); err != nil {
			return nil, err
		}
		return []byte(hex.EncodeToString(b)), nil
	})
	return string(v), err
}
