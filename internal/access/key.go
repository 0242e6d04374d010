package access

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// KeyState is where a signing key stands between creation and revocation.
type KeyState string

// The key states. Sign with active; verify with all but revoked.
const (
	KeyNext     KeyState = "next"
	KeyActive   KeyState = "active"
	KeyRetiring KeyState = "retiring"
	KeyRevoked  KeyState = "revoked"
)

// Key is a signing key without its secret.
type Key struct {
	ID        string
	State     KeyState
	CreatedAt time.Time
	ChangedAt time.Time
	LastUsed  *time.Time
}

// The bounds of a key that an operator brings along, in bytes. The lower one
// admits what cloud vendors hand out.
const minSecret, maxSecret = 8, 256

func validSecret(secret string) error {
	if secret != "" && (len(secret) < minSecret || len(secret) > maxSecret) {
		return errs.InvalidField("secret", "a key has 8 to 256 bytes")
	}
	return nil
}

// AddKey adds a key to a rule, in state next, or active at once when activate
// is set; the key that was active retires then. Errors: Invalid, NotFound.
func (s *Service) AddKey(ctx context.Context, ruleID int64, secret string, activate bool) (Key, error) {
	if err := validSecret(secret); err != nil {
		return Key{}, err
	}
	now, state := s.Now(), KeyNext
	var row db.SigningKey
	err := pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if activate {
			state = KeyActive
			if err := s.retireActive(ctx, tx, ruleID, now); err != nil {
				return err
			}
		}
		var err error
		row, err = s.insertKey(ctx, tx, ruleID, secret, state, now)
		return err
	})
	if err != nil {
		return Key{}, pg.Err(err, ruleConstraints)
	}
	_, err = s.refreshRule(ctx, ruleID)
	return keyFromRow(row), err
}

// SetKeyState moves a key. Making one active retires the key that was; a
// revoked key stays revoked. Without an active key nothing is signed. Errors:
// Invalid, NotFound.
func (s *Service) SetKeyState(ctx context.Context, ruleID int64, kid string, state KeyState) error {
	if state != KeyActive && state != KeyRetiring && state != KeyRevoked && state != KeyNext {
		return errs.InvalidField("state", "state is next, active, retiring or revoked")
	}
	now := s.Now()
	err := pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if state == KeyActive {
			if err := s.retireActive(ctx, tx, ruleID, now); err != nil {
				return err
			}
		}
		n, err := s.q.KeySetState(ctx, tx, db.KeySetStateParams{State: string(state), Now: now, RuleID: ruleID, Kid: kid})
		if err == nil && n == 0 {
			return errs.New(errs.NotFound, "key_not_found", "no such key, or it is revoked")
		}
		return err
	})
	if err != nil {
		return pg.Err(err, ruleConstraints)
	}
	_, err = s.refreshRule(ctx, ruleID)
	return err
}

// retireActive makes room for another active key. It locks the rule, so that
// two activations come one after the other.
func (s *Service) retireActive(ctx context.Context, tx pgx.Tx, ruleID int64, now time.Time) error {
	_, err := s.q.RuleLock(ctx, tx, ruleID)
	if noRows(err) {
		return errRuleNotFound
	}
	if err != nil {
		return err
	}
	return s.q.KeyRetireActive(ctx, tx, db.KeyRetireActiveParams{Now: now, RuleID: ruleID})
}

const kidAlphabet = "abcdefghijkmnpqrstuvwxyz23456789"

func (s *Service) insertKey(ctx context.Context, d db.DBTX, ruleID int64, secret string, state KeyState, now time.Time) (db.SigningKey, error) {
	var id [6]byte
	if _, err := io.ReadFull(s.Rand, id[:]); err != nil {
		return db.SigningKey{}, err
	}
	for i, b := range id {
		id[i] = kidAlphabet[int(b)%len(kidAlphabet)]
	}
	if secret == "" {
		var b [24]byte
		if _, err := io.ReadFull(s.Rand, b[:]); err != nil {
			return db.SigningKey{}, err
		}
		secret = fmt.Sprintf("%x", b)
	}
	kid := string(id[:])
	return s.q.KeyInsert(ctx, d, db.KeyInsertParams{RuleID: ruleID, Kid: kid, State: string(state), Now: now,
		SecretSealed: s.Box.Seal([]byte(secret), keyPurpose(ruleID, kid))})
}

func keyPurpose(ruleID int64, kid string) string {
	return "signing_key/" + strconv.FormatInt(ruleID, 10) + "/" + kid
}

func keyFromRow(k db.SigningKey) Key {
	return Key{ID: k.Kid, State: KeyState(k.State), CreatedAt: k.CreatedAt, ChangedAt: k.ChangedAt, LastUsed: k.LastUsedAt}
}

// FlushKeyUse writes down when signing keys were last used, so that an operator
// sees which ones can go. Call it every few seconds; what could not be written
// is kept for the next call.
func (s *Service) FlushKeyUse(ctx context.Context) error {
	used := s.view.takeUsed()
	if len(used) == 0 {
		return nil
	}
	p := db.KeysTouchParams{}
	for id, at := range used {
		p.Ids = append(p.Ids, id)
		p.UsedAt = append(p.UsedAt, at)
	}
	err := s.q.KeysTouch(ctx, s.DB, p)
	if err != nil {
		s.view.touchAgain(used)
	}
	return pg.Err(err, nil)
}

func (v *view) touchKey(id int64, now time.Time) {
	v.usedMu.Lock()
	defer v.usedMu.Unlock()
	v.used[id] = now
}

func (v *view) takeUsed() map[int64]time.Time {
	v.usedMu.Lock()
	defer v.usedMu.Unlock()
	used := v.used
	v.used = map[int64]time.Time{}
	return used
}

// touchAgain puts back uses that were taken; newer ones stay.
func (v *view) touchAgain(used map[int64]time.Time) {
	v.usedMu.Lock()
	defer v.usedMu.Unlock()
	maps.Copy(used, v.used)
	v.used = used
}

func noRows(err error) bool { return errors.Is(err, pgx.ErrNoRows) }
