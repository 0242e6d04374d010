package access

import (
	"context"
	"crypto/sha256"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/lastuse"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// view is what the decision knows. Reads share a lock for a few map look-ups;
// values in it never change, they are replaced.
type view struct {
	mu    sync.RWMutex
	rules map[ruleKey]*rule
	byID  map[int64]*rule
	// vhostRules counts the rules of a vhost: mostly there is none to look for.
	vhostRules int
	tokens     map[tokenHash]liveToken
	pairs      map[int64][2]tokenHash // live token id -> its hashes here
	closed     map[string]struct{}    // ended and deleted rooms
	bans       bans

	used lastuse.Uses[int64] // of signing keys
}

type ruleKey struct {
	domain, vhost, app string
	scene              media.Scene
}

type tokenHash [sha256.Size]byte

func hashToken(value string) tokenHash { return sha256.Sum256([]byte(value)) }

type liveToken struct {
	id, app, stream, username string
	publish, revoked          bool
}

func newView() *view {
	v := &view{}
	v.clear()
	return v
}

func (v *view) clear() {
	v.rules = map[ruleKey]*rule{}
	v.byID = map[int64]*rule{}
	v.vhostRules = 0
	v.tokens = map[tokenHash]liveToken{}
	v.pairs = map[int64][2]tokenHash{}
	v.closed = map[string]struct{}{}
	v.bans.clear()
}

func (v *view) token(h tokenHash) (liveToken, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	t, ok := v.tokens[h]
	return t, ok
}

func (v *view) roomClosed(id string) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	_, ok := v.closed[id]
	return ok
}

func (v *view) putToken(row db.LiveTokenAccess) {
	t := liveToken{id: strconv.FormatInt(row.ID, 10), app: row.App, stream: row.Stream, username: row.Username,
		revoked: row.RevokedAt != nil || row.DisabledAt != nil}
	pair := [2]tokenHash{tokenHash(row.TokenHash), tokenHash(row.PlayHash)}
	v.pairs[row.ID] = pair
	v.tokens[pair[1]] = t
	t.publish = true
	v.tokens[pair[0]] = t
}

// learnTokens adds rows that were read without holding the order of changes: a
// token that is known by now may have been revoked since, so it stays as it is.
func (v *view) learnTokens(rows []db.LiveTokenAccess) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, row := range rows {
		if _, known := v.pairs[row.ID]; !known {
			v.putToken(row)
		}
	}
}

func (v *view) dropToken(id int64) {
	for _, h := range v.pairs[id] {
		delete(v.tokens, h)
	}
	delete(v.pairs, id)
}

// revokedKept is how long a destroyed live token is refused by that name.
const revokedKept = 7 * 24 * time.Hour

// Tables names the tables whose changes the view follows.
func (s *Service) Tables() []string {
	return []string{"auth_rules", "signing_keys", "live_tokens", "accounts", "rooms", "bans"}
}

// Reload replaces the whole view by one consistent snapshot of the database.
func (s *Service) Reload(ctx context.Context, d pg.DB) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	fresh := newView()
	err := pg.InTx(ctx, d, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"); err != nil {
			return err
		}
		return s.fill(ctx, tx, fresh)
	})
	if err != nil {
		return err
	}
	v := s.view
	v.mu.Lock()
	defer v.mu.Unlock()
	v.rules, v.byID, v.vhostRules = fresh.rules, fresh.byID, fresh.vhostRules
	v.tokens, v.pairs, v.closed = fresh.tokens, fresh.pairs, fresh.closed
	v.bans.replace(&fresh.bans)
	return nil
}

func (s *Service) fill(ctx context.Context, d db.DBTX, v *view) error {
	rules, err := s.q.RuleList(ctx, d)
	if err != nil {
		return err
	}
	keys, err := s.q.KeyList(ctx, d)
	if err != nil {
		return err
	}
	byRule := map[int64][]db.SigningKey{}
	for _, k := range keys {
		byRule[k.RuleID] = append(byRule[k.RuleID], k)
	}
	for _, row := range rules {
		r, err := s.compile(row, byRule[row.ID])
		if err != nil {
			return err
		}
		v.putRule(r)
	}
	tokens, err := s.q.LiveTokenAccessAll(ctx, d, s.Now().Add(-revokedKept))
	if err != nil {
		return err
	}
	for _, row := range tokens {
		v.putToken(row)
	}
	inForce, err := s.q.BansInForce(ctx, d, s.Now())
	if err != nil {
		return err
	}
	for _, row := range inForce {
		v.bans.put(row)
	}
	closed, err := s.q.RoomsClosed(ctx, d)
	if err != nil {
		return err
	}
	for _, id := range closed {
		v.closed[id] = struct{}{}
	}
	return nil
}

// Apply reads again what one change announced.
func (s *Service) Apply(ctx context.Context, d pg.DB, c pg.Change) error {
	switch c.Table {
	case "rooms":
		return s.applyRoom(ctx, d, c.Key)
	case "accounts":
		return s.applyAccount(ctx, d, c.Key)
	}
	id, err := strconv.ParseInt(c.Key, 10, 64)
	if err != nil {
		return err
	}
	switch c.Table {
	case "live_tokens":
		return s.applyToken(ctx, d, id)
	case "bans":
		return s.applyBan(ctx, d, id)
	}
	return s.applyRule(ctx, d, id)
}

func (s *Service) applyRoom(ctx context.Context, d db.DBTX, id string) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	closed, err := s.q.RoomClosed(ctx, d, id)
	if err != nil && !noRows(err) {
		return err
	}
	s.view.mu.Lock()
	defer s.view.mu.Unlock()
	if closed {
		s.view.closed[id] = struct{}{}
	} else {
		delete(s.view.closed, id)
	}
	return nil
}

// applyAccount reads the tokens of an account again, which stand and fall with
// it.
func (s *Service) applyAccount(ctx context.Context, d db.DBTX, username string) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	rows, err := s.q.LiveTokenAccessByUsername(ctx, d, username)
	if err != nil {
		return err
	}
	s.putTokens(rows)
	return nil
}

func (s *Service) applyToken(ctx context.Context, d db.DBTX, id int64) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	rows, err := s.q.LiveTokenAccessByID(ctx, d, id)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		s.view.mu.Lock()
		defer s.view.mu.Unlock()
		s.view.dropToken(id)
		return nil
	}
	s.putTokens(rows)
	return nil
}

func (s *Service) putTokens(rows []db.LiveTokenAccess) {
	s.view.mu.Lock()
	defer s.view.mu.Unlock()
	for _, row := range rows {
		s.view.putToken(row)
	}
}

func (s *Service) applyRule(ctx context.Context, d db.DBTX, id int64) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	row, err := s.q.RuleByID(ctx, d, id)
	if noRows(err) {
		s.view.mu.Lock()
		defer s.view.mu.Unlock()
		s.view.dropRule(id)
		return nil
	}
	if err != nil {
		return err
	}
	keys, err := s.q.KeysByRule(ctx, d, id)
	if err != nil {
		return err
	}
	r, err := s.compile(row, keys)
	if err != nil {
		return err
	}
	s.view.mu.Lock()
	defer s.view.mu.Unlock()
	s.view.dropRule(id)
	s.view.putRule(r)
	return nil
}

// RoomClosed refuses publishers of a room from now on, without waiting for the
// change to come back from the database.
func (s *Service) RoomClosed(id string) {
	s.applying.Lock() // a Reload under way has read the room as it was
	defer s.applying.Unlock()
	s.view.mu.Lock()
	defer s.view.mu.Unlock()
	s.view.closed[id] = struct{}{}
}
