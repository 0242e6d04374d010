package access

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
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
	ID    string
	State KeyState
	// Scheme and Options are the key's own; an empty Scheme signs as the rule says.
	Scheme    string
	Options   urlsign.Options
	CreatedAt time.Time
	ChangedAt time.Time
	LastUsed  *time.Time
	// Secret is set on a key that was made a moment ago with a random secret, by
	// CreateRule and AddKey, and never again.
	Secret string
}

// The bounds of a secret that an operator brings along, in bytes. The lower ones
// admit what media servers and cloud vendors have been given already; Volcengine
// lets its customers choose one of a single character. None is ever empty.
const minSecret, minOtherSecret, minVolcengineSecret, maxSecret = 8, 6, 1, 256

func validSecret(scheme, secret string) error {
	if urlsign.KeysOf(scheme) == urlsign.PrivateKeys {
		if _, err := urlsign.NewKey(scheme, "", []byte(secret)); err != nil {
			return errs.InvalidField("secret", err.Error())
		}
		return nil
	}
	shortest := minOtherSecret
	switch {
	case scheme == DefaultScheme:
		shortest = minSecret
	case strings.HasPrefix(scheme, "volcengine_"):
		shortest = minVolcengineSecret
	}
	if secret != "" && (len(secret) < shortest || len(secret) > maxSecret) {
		return errs.InvalidField("secret", fmt.Sprintf("a key has %d to %d bytes", shortest, maxSecret))
	}
	return nil
}

// maxKeys bounds the live keys of one rule, and the revoked ones that it
// remembers: a request that no key has signed is tried with all of them.
const maxKeys = 100

var errServiceKeys = errs.New(errs.Conflict, "service_keys", "this rule signs with the key pairs of /.well-known/jwks.json and has no keys of its own")

var errTooManyKeys = errs.New(errs.Conflict, "too_many_keys", "a rule has at most 100 keys that are not revoked")

// AddKey adds a key to a rule, in state next, or active at once when activate
// is set; the key that was active retires then. Errors: Invalid, NotFound,
// Conflict.
func (s *Service) AddKey(ctx context.Context, ruleID int64, secret string, activate bool) (Key, error) {
	now, k := s.Now(), newKey{state: KeyNext, position: maxKeys}
	var err error
	if k.secret, err = s.secretOr(secret); err != nil {
		return Key{}, err
	}
	var row db.SigningKey
	err = pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if err := s.roomForKey(ctx, tx, ruleID, secret); err != nil {
			return err
		}
		if activate {
			k.state = KeyActive
			if err := s.retireActive(ctx, tx, ruleID, now); err != nil {
				return err
			}
		}
		var err error
		row, err = s.insertKey(ctx, tx, ruleID, k, now)
		return err
	})
	if err != nil {
		return Key{}, pg.Err(err, ruleConstraints)
	}
	made := keyFromRow(row)
	if secret == "" {
		made.Secret = k.secret
	}
	_, err = s.refreshRule(ctx, ruleID)
	return made, err
}

// roomForKey says whether a rule can take one more key of this secret.
func (s *Service) roomForKey(ctx context.Context, tx pgx.Tx, ruleID int64, secret string) error {
	rule, err := s.q.RuleByID(ctx, tx, ruleID)
	if noRows(err) {
		return errRuleNotFound
	}
	if err != nil {
		return err
	}
	if urlsign.KeysOf(rule.Scheme) == urlsign.ServiceKeys {
		return errServiceKeys
	}
	if err := validSecret(rule.Scheme, secret); err != nil {
		return err
	}
	live, err := s.q.KeysByRules(ctx, tx, []int64{ruleID})
	if err == nil && len(live) >= maxKeys {
		return errTooManyKeys
	}
	return err
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
		if err != nil || state != KeyRevoked {
			return err
		}
		return s.revoked(ctx, tx, BySignature, []string{signatureID(ruleID, kid)}, "key_revoked", now)
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

// newKey is the input of insertKey.
type newKey struct {
	secret   string // empty for a random one
	state    KeyState
	scheme   string // empty for the rule's
	options  urlsign.Options
	position int
}

func (s *Service) insertKey(ctx context.Context, d db.DBTX, ruleID int64, k newKey, now time.Time) (db.SigningKey, error) {
	var id [6]byte
	if _, err := io.ReadFull(s.Rand, id[:]); err != nil {
		return db.SigningKey{}, err
	}
	for i, b := range id {
		id[i] = kidAlphabet[int(b)%len(kidAlphabet)]
	}
	var err error
	if k.secret, err = s.secretOr(k.secret); err != nil {
		return db.SigningKey{}, err
	}
	kid := string(id[:])
	return s.q.KeyInsert(ctx, d, db.KeyInsertParams{RuleID: ruleID, Kid: kid, State: string(k.state), Now: now,
		SecretSealed: s.Box.Seal([]byte(k.secret), keyPurpose(ruleID, kid)),
		Scheme:       k.scheme, Options: optionsToRow(k.options), Position: int32(k.position)})
}

// secretOr is a random secret where none was brought along.
func (s *Service) secretOr(given string) (string, error) {
	if given != "" {
		return given, nil
	}
	var b [24]byte
	if _, err := io.ReadFull(s.Rand, b[:]); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", b), nil
}

func keyPurpose(ruleID int64, kid string) string {
	return "signing_key/" + strconv.FormatInt(ruleID, 10) + "/" + kid
}

func keyFromRow(k db.SigningKey) Key {
	out := Key{ID: k.Kid, State: KeyState(k.State), Scheme: k.Scheme, CreatedAt: k.CreatedAt, ChangedAt: k.ChangedAt, LastUsed: k.LastUsedAt}
	out.Options, _ = optionsFromRow(k.Options)
	return out
}

// FlushKeyUse writes down when signing keys were last used, so that an operator
// sees which ones can go. Call it every few seconds; what could not be written
// is kept for the next call.
func (s *Service) FlushKeyUse(ctx context.Context) error {
	err := s.view.used.Flush(func(ids []int64, at []time.Time) error {
		return s.q.KeysTouch(ctx, s.DB, db.KeysTouchParams{Ids: ids, UsedAt: at})
	})
	return pg.Err(err, nil)
}

func noRows(err error) bool { return errors.Is(err, pgx.ErrNoRows) }
