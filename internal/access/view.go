package access

import (
	"crypto/sha256"
	"strconv"
	"sync"
	"time"

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

// replace takes over what fresh has.
func (v *view) replace(fresh *view) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.rules, v.byID, v.vhostRules = fresh.rules, fresh.byID, fresh.vhostRules
	v.tokens, v.pairs, v.closed = fresh.tokens, fresh.pairs, fresh.closed
	v.bans.replace(&fresh.bans)
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

// RoomClosed refuses publishers of a room from now on, without waiting for the
// change to come back from the database.
func (s *Service) RoomClosed(id string) {
	s.applying.Lock()
	defer s.applying.Unlock()
	s.note(pg.Change{Table: roomsTable, Key: id}) // a Reload under way may have read the room as it was
	s.view.mu.Lock()
	defer s.view.mu.Unlock()
	s.view.closed[id] = struct{}{}
}
