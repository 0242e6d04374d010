package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// keyLookUpsPerSecond bounds the look-ups of access keys that memory does not
// know, whose ids anybody can make up.
const keyLookUpsPerSecond = 50

var (
	errKeyUnknown = errs.New(errs.Unauthorized, "access_key_unknown", "the access key does not exist")
	errKeyRevoked = errs.New(errs.Unauthorized, "access_key_revoked", "the access key has been revoked")
	errKeyLookUps = &errs.Error{Kind: errs.Unavailable, Reason: "temporarily_unavailable",
		Message: "too many unknown access keys", RetryAfter: time.Second}
)

// heldKey is an access key in memory.
type heldKey struct {
	account   string // folded username
	accountID int64
	secret    []byte
	revoked   bool
	write     uint64 // the write that put it here
}

// KeyHolder returns the secret of an access key and whom it acts for, from
// memory. Only a key that memory does not know is looked up in the database, at
// a bounded rate. The caller checks the signature, in constant time, and calls
// KeyUsed when it is right.
//
// It returns Unauthorized access_key_unknown, access_key_revoked or
// account_disabled, and Unavailable when such a look-up is not possible.
func (s *Service) KeyHolder(ctx context.Context, id string) (secret []byte, holder Principal, err error) {
	if !validKeyID(id) {
		return nil, Principal{}, errKeyUnknown
	}
	k, h, ok := s.memory.key(id)
	if !ok {
		if err := s.lookUpAccessKey(ctx, id); err != nil {
			return nil, Principal{}, err
		}
		if k, h, ok = s.memory.key(id); !ok {
			s.missingKeys.Add(id, s.now().Add(missingFor))
			return nil, Principal{}, errKeyUnknown
		}
	}
	switch {
	case k.revoked:
		return nil, Principal{}, errKeyRevoked
	case h.Disabled:
		return nil, Principal{}, errAccountDisabled
	}
	return slices.Clone(k.secret), Principal{Account: h.Account, rights: h.rights}, nil
}

// lookUpAccessKey brings a key that is newer than memory into it, and its
// account. Few ids are asked for at all, and each of them once per missingFor.
func (s *Service) lookUpAccessKey(ctx context.Context, id string) error {
	now := s.now()
	if until, ok := s.missingKeys.Get(id); ok && now.Before(until) {
		return errKeyUnknown
	}
	if !s.keyLookUps.AllowN(now, 1) {
		return errKeyLookUps
	}
	_, err, _ := s.lookUps.Do(id, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookUpTimeout)
		defer cancel()
		row, err := s.q.AccessKeyByID(ctx, s.db, id)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, nil
		}
		if err != nil {
			return nil, pg.Err(err, nil)
		}
		if err := s.applyAccount(ctx, s.db, row.Username); err != nil {
			return nil, err
		}
		return nil, s.putAccessKey(row)
	})
	if err != nil {
		return fmt.Errorf("look up access key: %w", err)
	}
	return nil
}

// putAccessKey keeps a key in memory.
func (s *Service) putAccessKey(row db.AccessKeyHolder) error {
	k, err := s.openAccessKey(row)
	if err != nil {
		return err
	}
	s.memory.putKey(row.ID, k)
	return nil
}

func (s *Service) openAccessKey(row db.AccessKeyHolder) (heldKey, error) {
	secret, err := s.box.Open(row.SecretSealed, keyPurpose(row.ID))
	if err != nil {
		return heldKey{}, fmt.Errorf("access key %s does not open with this master key: %w", row.ID, err)
	}
	return heldKey{account: foldUsername(row.Username), accountID: row.AccountID, secret: secret, revoked: row.RevokedAt != nil}, nil
}

// loadAccessKeys reads all keys again, after mark.
func (s *Service) loadAccessKeys(ctx context.Context, q pg.DB, mark uint64) error {
	rows, err := s.q.AccessKeyListAll(ctx, q)
	if err != nil {
		return pg.Err(err, nil)
	}
	keys := make(map[string]heldKey, len(rows))
	for _, row := range rows {
		if keys[row.ID], err = s.openAccessKey(row); err != nil {
			return err
		}
	}
	s.memory.replaceKeys(keys, mark)
	return nil
}

func (s *Service) applyAccessKey(ctx context.Context, q pg.DB, id string) error {
	row, err := s.q.AccessKeyByID(ctx, q, id)
	if errors.Is(err, pgx.ErrNoRows) {
		s.memory.removeKey(id)
		return nil
	}
	if err != nil {
		return pg.Err(err, nil)
	}
	return s.putAccessKey(row)
}

// key returns a key with its account. A key whose account is gone, or not here
// yet, is none.
func (m *memory) key(id string) (heldKey, held, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	k, ok := m.keys[id]
	h := m.accounts[k.account]
	return k, h, ok && h.ID == k.accountID
}

// putKey keeps a key as it was read. What has been revoked here stays revoked:
// the row may have been read before that.
func (m *memory) putKey(id string, k heldKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes++
	k.revoked, k.write = k.revoked || m.keys[id].revoked, m.writes
	m.keys[id] = k
}

func (m *memory) revokeKey(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.keys[id]
	k.revoked = true
	m.keys[id] = k
}

func (m *memory) removeKey(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.keys, id)
}

// replaceKeys exchanges all keys for what was read after mark. One that was put
// in meanwhile may be newer than that and stays.
func (m *memory) replaceKeys(keys map[string]heldKey, mark uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, k := range keys {
		k.revoked = k.revoked || m.keys[id].revoked
		keys[id] = k
	}
	for id, k := range m.keys {
		if _, read := keys[id]; !read && k.write > mark {
			keys[id] = k
		}
	}
	m.keys = keys
}

// KeyUsed notes that a request signed with the key was genuine.
func (s *Service) KeyUsed(id string) { s.keyUse.Note(id, s.now()) }

// FlushKeyUse writes down when access keys were last used. Call it every few
// seconds; what could not be written is kept for the next call.
func (s *Service) FlushKeyUse(ctx context.Context) error {
	err := s.keyUse.Flush(func(ids []string, at []time.Time) error {
		return s.q.AccessKeysTouch(ctx, s.db, db.AccessKeysTouchParams{Ids: ids, UsedAt: at})
	})
	if err != nil {
		return fmt.Errorf("write down access key use: %w", pg.Err(err, nil))
	}
	return nil
}
