package node

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// Health is what came of asking a node's control page.
type Health struct {
	State            string     // up, unreachable, or unknown while nobody has asked
	Since            *time.Time // when the state began; nil while unknown
	CheckedAt        *time.Time
	Error            string // safe to show
	ServerID         string
	Streams, Clients int
}

// Status is a node with what is known of its running.
type Status struct {
	Node
	LastSeenAt *time.Time // when a callback of it was last authenticated
	Health     Health
}

// maxPage bounds one page of Page.
const maxPage = 1000

// Page returns up to limit nodes (at most a thousand) in the order of their
// names, those behind after, which need not exist. Error: Unavailable.
func (s *Service) Page(ctx context.Context, after string, limit int) ([]Status, error) {
	rows, err := s.q.NodePage(ctx, s.DB, db.NodePageParams{After: after, RowLimit: int32(min(max(limit, 0), maxPage))})
	if err != nil {
		return nil, pg.Err(err, nil)
	}
	out := make([]Status, len(rows))
	for i, row := range rows {
		if out[i], err = s.status(db.NodeShowRow(row)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Show returns one node. Errors: NotFound, Unavailable.
func (s *Service) Show(ctx context.Context, name string) (Status, error) {
	if !validName.MatchString(name) {
		return Status{}, ErrNotFound
	}
	row, err := s.q.NodeShow(ctx, s.DB, name)
	if errors.Is(err, pgx.ErrNoRows) {
		return Status{}, ErrNotFound
	}
	if err != nil {
		return Status{}, pg.Err(err, nil)
	}
	return s.status(row)
}

func (s *Service) status(row db.NodeShowRow) (Status, error) {
	n, err := s.fromRow(row.Node)
	return Status{Node: n, LastSeenAt: row.SeenAt, Health: Health{State: row.State, Since: row.ChangedAt, CheckedAt: row.CheckedAt, Error: row.Error,
		ServerID: row.ServerID, Streams: int(row.Streams), Clients: int(row.Clients)}}, err
}

// ShownControlURL is the control URL without a password, which older settings
// may have in it.
func (n Node) ShownControlURL() string {
	if u, err := url.Parse(n.ControlURL); err == nil && u.User != nil {
		return u.Redacted()
	}
	return n.ControlURL
}

// FlushSeen writes down when nodes last called back. Call it every few seconds;
// what could not be written is kept for the next call.
func (s *Service) FlushSeen(ctx context.Context) error {
	err := s.seen.Flush(func(names []string, at []time.Time) error {
		return s.q.NodeSeenUpsert(ctx, s.DB, db.NodeSeenUpsertParams{Names: names, SeenAts: at})
	})
	if err != nil {
		return fmt.Errorf("write down when nodes called back: %w", pg.Err(err, nil))
	}
	return nil
}
