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

// Changes to an account; nil leaves a field as it is.
type Changes struct {
	Disabled        *bool
	Admin           *bool
	PermissionLevel *int
	Password        *string
	Email           *string
	FullName        *string
	Push, Pull      *string
}

// Update changes an account. A new password and disabling end all of its access
// and refresh tokens: here before Update returns, elsewhere when the change
// arrives. Who ceases to be an administrator loses a right to everything ("*")
// along with it, unless the same change gives one.
//
// It returns Forbidden admin_only, NotFound account_not_found, Invalid with the
// field at fault, Conflict account_exists for an email that is taken, and
// Conflict last_admin.
func (s *Service) Update(ctx context.Context, caller Principal, username string, ch Changes) (Account, error) {
	if !caller.Admin {
		return Account{}, errAdminOnly
	}
	if !validUsername(username) {
		return Account{}, errNotFound
	}
	if err := s.validateChanges(username, ch); err != nil {
		return Account{}, err
	}
	arg, err := s.updateParams(ctx, username, ch)
	if err != nil {
		return Account{}, fmt.Errorf("update account: %w", err)
	}
	row, err := s.update(ctx, arg)
	if err != nil {
		return Account{}, fmt.Errorf("update account: %w", err)
	}
	s.logChange(ctx, row, ch.Password != nil, caller)
	return fromRow(row), nil
}

func (s *Service) logChange(ctx context.Context, row db.Account, newPassword bool, by Principal) {
	s.log.InfoContext(ctx, "account changed", "username", row.Username, "admin", row.Admin, "push", row.PushRights,
		"pull", row.PullRights, "disabled", row.DisabledAt != nil, "new_password", newPassword, "by", by.Username)
}

func (s *Service) validateChanges(username string, ch Changes) error {
	if ch.Email != nil {
		if err := checkEmail(*ch.Email); err != nil {
			return err
		}
	}
	if ch.FullName != nil {
		if err := checkFullName(*ch.FullName); err != nil {
			return err
		}
	}
	if ch.PermissionLevel != nil {
		if err := checkPermissionLevel(*ch.PermissionLevel); err != nil {
			return err
		}
	}
	for field, patterns := range map[string]*string{"push": ch.Push, "pull": ch.Pull} {
		if patterns != nil {
			if err := checkRights(field, *patterns); err != nil {
				return err
			}
		}
	}
	if ch.Password != nil {
		return s.passwords.check(*ch.Password, username)
	}
	return nil
}

func (s *Service) updateParams(ctx context.Context, username string, ch Changes) (db.AccountUpdateParams, error) {
	arg := db.AccountUpdateParams{
		Username: username, Email: ch.Email, FullName: ch.FullName, Admin: ch.Admin, Disabled: ch.Disabled,
		PushRights: ch.Push, PullRights: ch.Pull,
		VoidTokens: ch.Password != nil || ch.Disabled != nil && *ch.Disabled,
	}
	if ch.PermissionLevel != nil {
		level := int32(*ch.PermissionLevel)
		arg.PermissionLevel = &level
	}
	if ch.Password != nil {
		// Before the transaction: a hash takes long, and locks would wait for it.
		hash, err := s.passwords.hash(ctx, *ch.Password)
		if err != nil {
			return arg, err
		}
		arg.PasswordHash = &hash
	}
	arg.Now = s.now()
	return arg, nil
}

// update changes the row, in memory too. It returns NotFound account_not_found,
// Conflict last_admin and what accountErr tells.
func (s *Service) update(ctx context.Context, arg db.AccountUpdateParams) (row db.Account, err error) {
	mark := s.memory.mark()
	err = pg.InTx(ctx, s.db, func(tx pgx.Tx) error {
		// The locks come first, so that two administrators who turn each other off
		// at the same time do so one after the other, and the second one fails.
		var admins []int64
		if endsAdmin(arg) {
			if admins, err = s.q.AccountLockAdmins(ctx, tx); err != nil {
				return err
			}
		}
		if row, err = s.q.AccountUpdate(ctx, tx, arg); err != nil {
			return err
		}
		if slices.Equal(admins, []int64{row.ID}) {
			return errLastAdmin
		}
		if reason, some := takesAway(arg); some {
			return s.lessened(ctx, tx, row.Username, reason)
		}
		return nil
	})
	if err != nil {
		return db.Account{}, updateErr(err)
	}
	s.memory.put(row, mark)
	return row, nil
}

func endsAdmin(arg db.AccountUpdateParams) bool {
	return arg.Disabled != nil && *arg.Disabled || arg.Admin != nil && !*arg.Admin
}

// updateErr is accountErr, but no row means no such account.
func updateErr(err error) error {
	err = accountErr(err)
	if errs.KindOf(err) == errs.NotFound {
		return errNotFound
	}
	return err
}
