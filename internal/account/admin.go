package account

import (
	"context"
	"encoding/base32"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// firstAdminLevel lets the first administrator see and manage everybody's live
// tokens in dialects that know levels but no administrators.
const firstAdminLevel = 1

// EnsureAdmin creates an administrator when no enabled one exists, with the
// given password or, when it is empty, a random one that it returns. With an
// administrator present it changes nothing, whatever their name. Several
// processes may call it at once; one of them creates.
//
// It returns Invalid for a name or password that Register would refuse too, and
// Conflict account_exists when the name belongs to somebody who is no
// administrator.
func (s *Service) EnsureAdmin(ctx context.Context, username, password string) (generated string, created bool, err error) {
	if exists, err := s.q.AccountAdminExists(ctx, s.db); err != nil || exists {
		return "", false, pg.Err(err, nil)
	}
	if password == "" {
		if generated, err = s.randomPassword(); err != nil {
			return "", false, err
		}
		password = generated
	}
	n := NewAccount{Username: username, Password: password, Admin: true, PermissionLevel: firstAdminLevel}
	if err := s.Check(n); err != nil {
		return "", false, err
	}
	hash, err := s.passwords.hash(ctx, password)
	if err != nil {
		return "", false, err
	}
	if created, err = s.insertAdmin(ctx, n, hash); err != nil || !created {
		return "", false, err
	}
	s.log.InfoContext(ctx, "first administrator created", "username", username)
	return generated, true, nil
}

func (s *Service) insertAdmin(ctx context.Context, n NewAccount, hash string) (created bool, err error) {
	var row db.Account
	mark := s.memory.mark()
	err = pg.InTx(ctx, s.db, func(tx pgx.Tx) error {
		if err := s.q.AccountLockTable(ctx, tx); err != nil {
			return err
		}
		exists, err := s.q.AccountAdminExists(ctx, tx)
		if err != nil || exists {
			return err
		}
		created = true
		row, err = s.insert(ctx, tx, n, hash)
		return err
	})
	if err != nil || !created {
		return false, pg.Err(err, nil)
	}
	s.memory.put(row, mark)
	return true, nil
}

// randomPassword returns 120 random bits in 24 lower-case letters and digits.
func (s *Service) randomPassword() (string, error) {
	var raw [15]byte
	if _, err := io.ReadFull(s.rand, raw[:]); err != nil {
		return "", fmt.Errorf("random password: %w", err)
	}
	return strings.ToLower(base32.StdEncoding.EncodeToString(raw[:])), nil
}
