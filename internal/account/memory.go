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
	write      uint64 // the write that put it here
}

// memory is what Authenticate answers from. It is filled from two sides, this
// process's own writes and the change feed, in any order: of two copies of a
// row the newer one stays.
type memory struct {
	mu       sync.RWMutex
	accounts map[string]held      // by folded username
	revoked  map[string]time.Time // token id -> its expiry
	writes   uint64
}

func newMemory() *memory {
	return &memory{accounts: map[string]held{}, revoked: map[string]time.Time{}}
}

func (m *memory) account(key string) (held, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	h, ok := m.accounts[key]
	return h, ok
}

func (m *memory) isRevoked(tokenID string) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	_, ok := m.revoked[tokenID]
	return ok
}

// put keeps the row unless a newer copy is here already.
func (m *memory) put(row db.Account) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes++
	m.keep(m.accounts, row)
}

// keep expects the lock.
func (m *memory) keep(accounts map[string]held, row db.Account) {
	h := held{Account: fromRow(row), generation: row.TokensNotBefore.UnixMicro(), write: m.writes}
	key := foldUsername(row.Username)
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

func (m *memory) remove(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.accounts, key)
}

// mark returns a point in time for replace.
func (m *memory) mark() uint64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.writes
}

// replace exchanges all accounts for rows that were read after mark. What was
// put meanwhile may be newer than the rows and stays.
func (m *memory) replace(rows []db.Account, mark uint64) {
	fresh := make(map[string]held, len(rows))
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, row := range rows {
		m.keep(fresh, row)
	}
	for key, h := range m.accounts {
		if read, ok := fresh[key]; h.write > mark && (!ok || h.newerThan(read)) {
			fresh[key] = h
		}
	}
	m.accounts = fresh
}

func (m *memory) revoke(tokenID string, expiresAt time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.revoked[tokenID] = expiresAt
}

// forgetRevoked drops the revocations of tokens that have expired anyway.
func (m *memory) forgetRevoked(before time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.revoked, func(_ string, expiresAt time.Time) bool { return expiresAt.Before(before) })
}
