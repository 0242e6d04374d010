package account

import (
	"maps"
	"sync"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
)

// held is an account in memory, with the generation that its tokens must have.
type held struct {
	Account
	generation int64
	rights     *rights
	write      uint64 // the write that put it here
}

// removal is the last time that an account of some name was found gone.
type removal struct {
	write uint64
	at    time.Time
}

// removalKept is longer than anybody holds a row before putting it here.
const removalKept = 10 * time.Minute

// memory is what Authenticate answers from. It is filled from two sides, this
// process's own writes and the change feed, in any order: of two copies of a
// row the newer one stays.
type memory struct {
	mu       sync.RWMutex
	accounts map[string]held // by folded username
	removed  map[string]removal
	revoked  map[string]revocation // by token id
	keys     map[string]heldKey    // access keys by id
	writes   uint64
}

func newMemory() *memory {
	return &memory{accounts: map[string]held{}, removed: map[string]removal{}, revoked: map[string]revocation{}, keys: map[string]heldKey{}}
}

func (m *memory) account(key string) (held, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	h, ok := m.accounts[key]
	return h, ok
}

// revocation is why a token is refused before its time.
type revocation struct {
	until time.Time
	// superseded: by a refresh. It opens nothing any more, but ends nothing either.
	superseded bool
}

func (m *memory) revocation(tokenID string) (revocation, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	r, ok := m.revoked[tokenID]
	return r, ok
}

// put keeps a row that was read or written after mark, unless a newer copy is
// here already or the account was found gone since: a login that took its time
// must not bring back who was deleted meanwhile.
func (m *memory) put(row db.Account, mark uint64) {
	rights := parseBoth(row.PushRights, row.PullRights)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes++
	m.keep(m.accounts, row, rights, mark)
}

// keep expects the lock.
func (m *memory) keep(accounts map[string]held, row db.Account, rights *rights, mark uint64) {
	h := held{Account: fromRow(row), generation: row.TokensNotBefore.UnixMicro(), rights: rights, write: m.writes}
	key := foldUsername(row.Username)
	if m.removed[key].write > mark {
		return
	}
	if old, ok := accounts[key]; !ok || h.newerThan(old) {
		accounts[key] = h
	}
}

// newerThan compares two copies of the account of one name; a larger id is an
// account that took over the name of a deleted one.
func (h held) newerThan(old held) bool {
	if h.ID != old.ID {
		return h.ID > old.ID
	}
	return h.UpdatedAt.After(old.UpdatedAt)
}

func (m *memory) remove(key string, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes++
	delete(m.accounts, key)
	m.removed[key] = removal{write: m.writes, at: now}
}

// mark returns a point in time for put and replace.
func (m *memory) mark() uint64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.writes
}

// replace exchanges all accounts for rows that were read after mark. What was
// put meanwhile may be newer than the rows and stays.
func (m *memory) replace(rows []db.Account, mark uint64) {
	fresh, parsed := make(map[string]held, len(rows)), make([]*rights, len(rows))
	for i, row := range rows {
		parsed[i] = parseBoth(row.PushRights, row.PullRights)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, row := range rows {
		m.keep(fresh, row, parsed[i], mark)
	}
	for key, h := range m.accounts {
		if read, ok := fresh[key]; h.write > mark && (!ok || h.newerThan(read)) {
			fresh[key] = h
		}
	}
	m.accounts = fresh
}

// revoke keeps the stricter of two revocations, as they may come in any order.
func (m *memory) revoke(tokenID string, r revocation) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old, ok := m.revoked[tokenID]; ok && r.superseded && !old.superseded {
		return
	}
	m.revoked[tokenID] = r
}

// forget drops the revocations that ended before revokedBefore, and removals
// that nobody can overtake any more.
func (m *memory) forget(revokedBefore, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.revoked, func(_ string, r revocation) bool { return r.until.Before(revokedBefore) })
	maps.DeleteFunc(m.removed, func(_ string, r removal) bool { return now.Sub(r.at) > removalKept })
}
