package access

import (
	"cmp"
	"context"
	"math"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// TokenSearch says which pairs are meant, and which page of them. Empty fields
// mean any.
type TokenSearch struct {
	App      string // of Stream; empty for the default one
	Stream   string
	Username string
	Before   int64 // the id of the last pair of the page before; zero at first
	Limit    int
}

// TokenPage lists one page of everybody's pairs, the newest first. Error:
// Unavailable.
func (s *Service) TokenPage(ctx context.Context, f TokenSearch) ([]LiveToken, error) {
	before := cmp.Or(f.Before, math.MaxInt64)
	var rows []db.LiveTokenPageRow
	var err error
	switch {
	case f.Stream != "":
		var found []db.LiveTokenOfStreamRow
		found, err = s.q.LiveTokenOfStream(ctx, s.DB, db.LiveTokenOfStreamParams{App: cmp.Or(f.App, s.App), Stream: f.Stream, Before: before, Username: f.Username})
		for _, r := range found {
			rows = append(rows, db.LiveTokenPageRow(r))
		}
	case f.Username != "":
		var found []db.LiveTokenPageOfRow
		found, err = s.q.LiveTokenPageOf(ctx, s.DB, db.LiveTokenPageOfParams{Before: before, Username: f.Username, RowLimit: int32(f.Limit)})
		for _, r := range found {
			rows = append(rows, db.LiveTokenPageRow(r))
		}
	default:
		rows, err = s.q.LiveTokenPage(ctx, s.DB, db.LiveTokenPageParams{Before: before, RowLimit: int32(f.Limit)})
	}
	if err != nil {
		return nil, pg.Err(err, nil)
	}
	out := make([]LiveToken, len(rows))
	for i, r := range rows {
		if out[i], err = s.opened(r); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// RevokeToken revokes the pair of a stream and returns what those who came in by
// it are known by. An empty app is the default one. Errors: NotFound, Unavailable.
func (s *Service) RevokeToken(ctx context.Context, app, stream string) (Credential, error) {
	now := s.Now()
	var ids []int64
	err := pg.InTx(ctx, s.DB, func(tx pgx.Tx) (err error) {
		if ids, err = s.q.LiveTokenRevokeStream(ctx, tx, db.LiveTokenRevokeStreamParams{Now: now, App: cmp.Or(app, s.App), Stream: stream}); err != nil {
			return err
		}
		if len(ids) == 0 {
			return pgx.ErrNoRows
		}
		return s.revoked(ctx, tx, ByLiveToken, tokenIDs(ids...), "token_destroyed", now)
	})
	if noRows(err) {
		return Credential{}, errTokenNotFound
	}
	if err != nil {
		return Credential{}, pg.Err(err, nil)
	}
	return Credential{Kind: ByLiveToken, ID: strconv.FormatInt(ids[0], 10)}, pg.Err(s.applied(ctx, s.DB, tokensTable, ids...), nil)
}
