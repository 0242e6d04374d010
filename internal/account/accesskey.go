package account

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

const (
	keyIDPrefix    = "AKSD"
	keyIDRandom    = 20 // characters behind the prefix, some 103 bits
	keySecretChars = 44 // some 261 bits

	maxKeyComment     = 256 // characters
	maxKeysPerAccount = 50  // that are not revoked
	maxKeysListed     = 1000

	upperDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	letters     = upperDigits + "abcdefghijklmnopqrstuvwxyz"
)

var (
	errKeyNotFound = errs.New(errs.NotFound, "access_key_not_found", "no such access key")
	errKeyLimit    = errs.New(errs.Conflict, "access_key_limit", "the account has as many access keys as it may have; revoke one first")
)

// AccessKey is one with which a machine signs requests in the name of an
// account, without its secret.
type AccessKey struct {
	ID         string
	Username   string
	Comment    string
	CreatedAt  time.Time
	LastUsedAt *time.Time // nil: never
	RevokedAt  *time.Time // nil: in force
}

func keyFromRow(r db.AccessKeyHolder) AccessKey {
	return AccessKey{ID: r.ID, Username: r.Username, Comment: r.Comment, CreatedAt: r.CreatedAt.UTC(),
		LastUsedAt: inUTC(r.LastUsedAt), RevokedAt: inUTC(r.RevokedAt)}
}

func inUTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	utc := t.UTC()
	return &utc
}

// CreateAccessKey makes a key for an account: one's own, or any for
// administrators. The secret is shown here and never again.
//
// It returns Forbidden admin_only, NotFound account_not_found, Invalid for the
// comment, and Conflict access_key_limit.
func (s *Service) CreateAccessKey(ctx context.Context, caller Principal, username, comment string) (AccessKey, string, error) {
	if err := s.keysOf(caller, username); err != nil {
		return AccessKey{}, "", err
	}
	if !validUsername(username) {
		return AccessKey{}, "", errNotFound
	}
	if err := checkComment(comment); err != nil {
		return AccessKey{}, "", err
	}
	id, err := s.randomText(keyIDRandom, upperDigits)
	if err != nil {
		return AccessKey{}, "", err
	}
	secret, err := s.randomText(keySecretChars, letters)
	if err != nil {
		return AccessKey{}, "", err
	}
	id = keyIDPrefix + id
	row := db.AccessKeyHolder{ID: id, SecretSealed: s.box.Seal([]byte(secret), keyPurpose(id)), Comment: comment, CreatedAt: s.now()}
	if err := pg.InTx(ctx, s.db, func(tx pgx.Tx) error { return s.insertAccessKey(ctx, tx, username, &row) }); err != nil {
		return AccessKey{}, "", fmt.Errorf("create access key: %w", pg.Err(err, nil))
	}
	if err := s.putAccessKey(row); err != nil {
		return AccessKey{}, "", err
	}
	s.log.InfoContext(ctx, "access key created", "access_key_id", id, "username", row.Username, "by", caller.Username)
	return keyFromRow(row), secret, nil
}

// keysOf says whether the caller may deal with the keys of an account.
func (s *Service) keysOf(caller Principal, username string) error {
	if caller.Admin || username != "" && foldUsername(caller.Username) == foldUsername(username) {
		return nil
	}
	return errAdminOnly
}

// insertAccessKey fills the holder in. It keeps the account locked while it
// counts, so that several callers together stay below the limit too.
func (s *Service) insertAccessKey(ctx context.Context, tx pgx.Tx, username string, row *db.AccessKeyHolder) error {
	holder, err := s.q.AccountLock(ctx, tx, username)
	if err != nil {
		return updateErr(err)
	}
	row.AccountID, row.Username = holder.ID, holder.Username
	n, err := s.q.AccessKeyCount(ctx, tx, holder.ID)
	if err != nil {
		return err
	}
	if n >= maxKeysPerAccount {
		return errKeyLimit
	}
	return s.q.AccessKeyInsert(ctx, tx, db.AccessKeyInsertParams{
		ID: row.ID, AccountID: row.AccountID, SecretSealed: row.SecretSealed, Comment: row.Comment, Now: row.CreatedAt,
	})
}

func checkComment(comment string) error {
	if !utf8.ValidString(comment) || strings.ContainsFunc(comment, unicode.IsControl) {
		return errs.InvalidField("comment", "the comment contains characters that are not text")
	}
	if utf8.RuneCountInString(comment) > maxKeyComment {
		return errs.InvalidField("comment", "the comment may have at most 256 characters")
	}
	return nil
}

// ListAccessKeys returns the keys of an account, or of all for an empty name, by
// account and age; up to 1000. Revoked ones are listed for 30 days. Other
// people's keys are for administrators: else Forbidden admin_only.
func (s *Service) ListAccessKeys(ctx context.Context, caller Principal, username string) ([]AccessKey, error) {
	if err := s.keysOf(caller, username); err != nil {
		return nil, err
	}
	if username != "" && !validUsername(username) {
		return []AccessKey{}, nil
	}
	rows, err := s.q.AccessKeyList(ctx, s.db, db.AccessKeyListParams{Username: username, RowLimit: maxKeysListed})
	if err != nil {
		return nil, fmt.Errorf("list access keys: %w", pg.Err(err, nil))
	}
	out := make([]AccessKey, len(rows))
	for i, row := range rows {
		out[i] = keyFromRow(row)
	}
	return out, nil
}

// RevokeAccessKey ends a key for good: here before it returns, elsewhere when
// the change arrives. Revoking it again does nothing. A key of somebody else is
// NotFound access_key_not_found to all but administrators.
func (s *Service) RevokeAccessKey(ctx context.Context, caller Principal, id string) error {
	if !validKeyID(id) {
		return errKeyNotFound
	}
	n, err := s.q.AccessKeyRevoke(ctx, s.db, db.AccessKeyRevokeParams{Now: s.now(), ID: id, AnyOwner: caller.Admin, AccountID: caller.ID})
	if err != nil {
		return fmt.Errorf("revoke access key: %w", pg.Err(err, nil))
	}
	if n == 0 {
		return errKeyNotFound
	}
	s.memory.revokeKey(id)
	s.log.InfoContext(ctx, "access key revoked", "access_key_id", id, "by", caller.Username)
	return nil
}

func keyPurpose(id string) string { return "access_key:" + id }

// validKeyID says whether an id can be one of ours.
func validKeyID(id string) bool {
	random, ok := strings.CutPrefix(id, keyIDPrefix)
	if !ok || len(random) != keyIDRandom {
		return false
	}
	for i := range len(random) {
		if strings.IndexByte(upperDigits, random[i]) < 0 {
			return false
		}
	}
	return true
}

// randomText returns n characters of the alphabet, each as likely as any other.
func (s *Service) randomText(n int, alphabet string) (string, error) {
	even := 256 - 256%len(alphabet) // bytes from here on would favour some
	out, raw := make([]byte, 0, n), make([]byte, n)
	for len(out) < n {
		if _, err := io.ReadFull(s.rand, raw); err != nil {
			return "", fmt.Errorf("random text: %w", err)
		}
		for _, b := range raw {
			if int(b) < even && len(out) < n {
				out = append(out, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(out), nil
}
