package account

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// Save is an account as ipchub's clients write it: whole.
type Save struct {
	Username string
	// Password is taken for a new account, and for an existing one only where
	// SetPassword says so. It may be an MD5 in hex; empty means that nothing logs
	// in to the account.
	Password    string
	SetPassword bool
	Push, Pull  string
	Admin       bool
}

// Save creates the account, or replaces what Save names of an existing one. A
// new password ends all tokens of the account, as with Update.
//
// It returns Forbidden admin_only, Invalid with the field at fault, and Conflict
// last_admin.
func (s *Service) Save(ctx context.Context, caller Principal, in Save) (Account, error) {
	if !caller.Admin {
		return Account{}, errAdminOnly
	}
	if err := checkUsername(in.Username); err != nil {
		return Account{}, err
	}
	if err := checkBoth(in.Push, in.Pull); err != nil {
		return Account{}, err
	}
	row, created, err := s.save(ctx, in)
	if err != nil {
		return Account{}, fmt.Errorf("save account: %w", err)
	}
	if created {
		s.log.InfoContext(ctx, "account created", "username", row.Username, "admin", row.Admin, "by", caller.Username)
	} else {
		s.logChange(ctx, row, in.SetPassword, caller)
	}
	return fromRow(row), nil
}

// save updates the account, or creates it where there is none. Somebody else may
// delete or create it in between, so it tries twice.
func (s *Service) save(ctx context.Context, in Save) (row db.Account, created bool, err error) {
	for range 2 {
		if _, known, findErr := s.find(ctx, in.Username); findErr != nil {
			return db.Account{}, false, findErr
		} else if known {
			if row, err = s.overwrite(ctx, in); errs.KindOf(err) != errs.NotFound || err == nil {
				return row, false, err
			}
			continue
		}
		if row, err = s.insertSaved(ctx, in); err == nil || errs.As(err).Reason != errUsernameTaken.Reason {
			return row, true, err
		}
	}
	return db.Account{}, false, err
}

func (s *Service) overwrite(ctx context.Context, in Save) (db.Account, error) {
	arg := db.AccountUpdateParams{Username: in.Username, Admin: &in.Admin, PushRights: &in.Push, PullRights: &in.Pull, VoidTokens: in.SetPassword}
	if in.SetPassword {
		hash, err := s.hashSaved(ctx, in)
		if err != nil {
			return db.Account{}, err
		}
		arg.PasswordHash = &hash
	}
	arg.Now = s.now()
	return s.update(ctx, arg)
}

func (s *Service) insertSaved(ctx context.Context, in Save) (db.Account, error) {
	hash, err := s.hashSaved(ctx, in)
	if err != nil {
		return db.Account{}, err
	}
	mark := s.memory.mark()
	row, err := s.insert(ctx, s.db, NewAccount{Username: in.Username, Admin: in.Admin, Push: in.Push, Pull: in.Pull}, hash)
	if err != nil {
		return db.Account{}, err
	}
	s.memory.put(row, mark)
	return row, nil
}

func (s *Service) hashSaved(ctx context.Context, in Save) (string, error) {
	if err := s.passwords.checkSent(in.Password, in.Username); err != nil {
		return "", err
	}
	return s.passwords.hashSent(ctx, in.Password)
}

// DeleteAccount removes an account with its live tokens and access keys. All its
// access and refresh tokens end: here before DeleteAccount returns, elsewhere
// when the change arrives.
//
// It returns Forbidden admin_only, NotFound account_not_found, and Conflict
// last_admin.
func (s *Service) DeleteAccount(ctx context.Context, caller Principal, username string) error {
	if !caller.Admin {
		return errAdminOnly
	}
	if !validUsername(username) {
		return errNotFound
	}
	err := pg.InTx(ctx, s.db, func(tx pgx.Tx) error {
		// As in update: two administrators who delete each other come in turn.
		admins, err := s.q.AccountLockAdmins(ctx, tx)
		if err != nil {
			return err
		}
		row, err := s.q.AccountDelete(ctx, tx, username)
		if err != nil {
			return err
		}
		if slices.Equal(admins, []int64{row.ID}) {
			return errLastAdmin
		}
		return s.lessened(ctx, tx, row.Username, "account_deleted")
	})
	if err != nil {
		return fmt.Errorf("delete account: %w", updateErr(err))
	}
	s.memory.remove(foldUsername(username), s.now())
	s.log.InfoContext(ctx, "account deleted", "username", username, "by", caller.Username)
	return nil
}
