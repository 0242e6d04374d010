package access

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/lastuse"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// view is what the decision knows. Reads share a lock for a few look-ups; rules
// in it never change, they are replaced. What there are a million of is kept
// without pointers.
type view struct {
	mu     sync.RWMutex
	rules  rules
	tokens tokens
	closed rooms // ended and deleted ones
	bans   bans

	used lastuse.Uses[int64] // of signing keys
}

type tokenHash [sha256.Size]byte

func hashToken(value string) tokenHash { return sha256.Sum256([]byte(value)) }

func newView() *view {
	v := &view{}
	v.clear()
	return v
}

func (v *view) clear() {
	v.rules, v.tokens, v.closed = newRules(), newTokens(), newRooms()
	v.bans.clear()
}

// replace takes over what fresh has.
func (v *view) replace(fresh *view) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.rules, v.tokens, v.closed = fresh.rules, fresh.tokens, fresh.closed
	v.bans.replace(&fresh.bans)
}

// token finds a secret that somebody shows for a stream.
func (v *view) token(h tokenHash, stream string) (liveToken, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.tokens.get(h, stream)
}

func (v *view) roomClosed(id string) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.closed.has(id)
}

// learnTokens adds rows that were read without holding the order of changes: a
// token or account that is known by now may have changed since, so it stays as it
// is.
func (v *view) learnTokens(rows []db.LiveTokenAccess) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, row := range rows {
		if !v.tokens.has(row.ID) {
			v.tokens.put(row, true)
		}
	}
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
	s.view.closed.add(id)
}
