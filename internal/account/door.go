package account

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// The bounds of passwords at the door of a media server. Its clients ask two or
// three times in a row, and again and again while they are refused.
const (
	doorKept     = 4096
	doorRightFor = time.Minute
	doorWrongFor = 5 * time.Second
	doorWait     = time.Second // for a hash, in a queue that logins stand in too
	doorQueue    = 16          // who may stand in it
)

// door remembers what became of passwords, under a key of this process alone:
// nothing in memory is worth trying elsewhere.
type door struct {
	secret [sha256.Size]byte
	kept   *lru.Cache[[sha256.Size]byte, answer]
	inside atomic.Int64
}

type answer struct {
	account    string // folded username; empty: the password was wrong
	id         int64
	generation int64
	until      time.Time
}

func newDoor() *door {
	d := &door{kept: mustLRU[[sha256.Size]byte, answer](doorKept)}
	_, _ = rand.Read(d.secret[:]) // never fails
	return d
}

func (d *door) key(username, password string) (key [sha256.Size]byte) {
	mac := hmac.New(sha256.New, d.secret[:])
	_ = binary.Write(mac, binary.BigEndian, uint64(len(username))) // a hash takes everything
	mac.Write([]byte(username))
	mac.Write([]byte(password))
	mac.Sum(key[:0])
	return key
}

// AtDoor returns whose name and password a client of a media server has shown;
// source is the client's address. It throttles and costs what Login does, but
// remembers a right pair for a minute, as long as the account stays enabled and
// keeps its password, and a wrong one for five seconds. It waits a second at most
// behind other hashes.
//
// It returns Unauthorized invalid_credentials, RateLimited too_many_attempts or
// busy, and Unavailable without a database.
func (s *Service) AtDoor(ctx context.Context, username, password string, source netip.Addr) (Principal, error) {
	now := s.now()
	key := s.door.key(foldUsername(username), password)
	if kept, ok := s.door.kept.Get(key); ok && now.Before(kept.until) {
		if kept.account == "" {
			return Principal{}, errCredentials
		}
		if h, ok := s.memory.account(kept.account); ok && !h.Disabled && h.ID == kept.id && h.generation == kept.generation {
			return h.atDoor(), nil
		}
	}
	defer s.door.inside.Add(-1)
	if s.door.inside.Add(1) > doorQueue {
		return Principal{}, errBusy
	}
	ctx, cancel := context.WithTimeout(ctx, doorWait)
	defer cancel()
	row, err := s.admit(ctx, username, password, source, now)
	if err == errCredentials {
		s.door.kept.Add(key, answer{until: now.Add(doorWrongFor)})
	}
	if err != nil {
		return Principal{}, err
	}
	h := held{Account: fromRow(row), generation: row.TokensNotBefore.UnixMicro(), rights: parseBoth(row.PushRights, row.PullRights)}
	s.door.kept.Add(key, answer{account: foldUsername(row.Username), id: row.ID, generation: h.generation, until: now.Add(doorRightFor)})
	return h.atDoor(), nil
}

// atDoor is a principal without a token: nothing can be renewed or revoked but
// the account.
func (h held) atDoor() Principal {
	return Principal{Account: h.Account, rights: h.rights, generation: h.generation}
}
