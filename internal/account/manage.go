package account

import (
	"context"
	"errors"
	"fmt"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// maxList bounds one page of List.
const maxList = 500

var (
	errNotFound           = errs.New(errs.NotFound, "account_not_found", "no such account")
	errAdminOnly          = errs.New(errs.Forbidden, "admin_only", "only administrators may do this")
	errRegistrationClosed = errs.New(errs.Forbidden, "registration_closed", "only administrators may create accounts")
	errLastAdmin          = errs.New(errs.Conflict, "last_admin", "the last administrator cannot be disabled, demoted or deleted")
	errUsernameTaken      = &errs.Error{Kind: errs.Conflict, Reason: "account_exists", Message: "Username already registered", Field: "username"}
	errEmailTaken         = &errs.Error{Kind: errs.Conflict, Reason: "account_exists", Message: "Email already registered", Field: "email"}
)

// NewAccount is what Register creates. Email and FullName may be empty.
type NewAccount struct {
	Username        string
	Email           string
	FullName        string
	Password        string
	Admin           bool
	PermissionLevel int
	Push, Pull      string // an administrator's empty right becomes "*"
}

// Register creates an account. Administrators choose all of it; anybody else,
// where registration is open, gets permission level 0, no rights, and is no
// administrator, whatever was asked for.
//
// It returns Forbidden registration_closed, Invalid with the field at fault, or
// Conflict account_exists with the field that is taken.
func (s *Service) Register(ctx context.Context, caller *Principal, n NewAccount) (Account, error) {
	by := "anybody"
	if caller != nil {
		by = caller.Username
	}
	if caller == nil || !caller.Admin {
		if !s.open {
			return Account{}, errRegistrationClosed
		}
		n.Admin, n.PermissionLevel, n.Push, n.Pull = false, 0, "", ""
	}
	if err := s.Check(n); err != nil {
		return Account{}, err
	}
	hash, err := s.passwords.hash(ctx, n.Password)
	if err != nil {
		return Account{}, fmt.Errorf("create account: %w", err)
	}
	mark := s.memory.mark()
	row, err := s.insert(ctx, s.db, n, hash)
	if err != nil {
		return Account{}, fmt.Errorf("create account: %w", err)
	}
	s.memory.put(row, mark)
	s.log.InfoContext(ctx, "account created", "username", row.Username, "admin", row.Admin, "by", by)
	return fromRow(row), nil
}

// Check returns what keeps an account from being created, all of it and in the
// order of the fields, without a look at those that exist. Errors: Invalid,
// joined, each with the field at fault.
func (s *Service) Check(n NewAccount) error {
	return errors.Join(checkUsername(n.Username), checkEmail(n.Email), checkFullName(n.FullName), s.passwords.check(n.Password, n.Username),
		checkPermissionLevel(n.PermissionLevel), checkBoth(n.Push, n.Pull))
}

func (s *Service) insert(ctx context.Context, q db.DBTX, n NewAccount, hash string) (db.Account, error) {
	row, err := s.q.AccountInsert(ctx, q, db.AccountInsertParams{
		Username: n.Username, Email: n.Email, FullName: n.FullName, PasswordHash: hash,
		Admin: n.Admin, PermissionLevel: int32(n.PermissionLevel), PushRights: n.Push, PullRights: n.Pull, Now: s.now(),
	})
	return row, accountErr(err)
}

// accountErr translates what the accounts table can object to.
func accountErr(err error) error {
	return pg.Err(err, map[string]*errs.Error{
		"accounts_username_key": errUsernameTaken,
		"accounts_email_key":    errEmailTaken,
	})
}

// Get returns one account by name, whatever its case, or NotFound
// account_not_found.
func (s *Service) Get(ctx context.Context, username string) (Account, error) {
	row, ok, err := s.find(ctx, username)
	if err != nil {
		return Account{}, fmt.Errorf("get account: %w", err)
	}
	if !ok {
		return Account{}, errNotFound
	}
	return fromRow(row), nil
}

// CountAccounts returns how many accounts there are, disabled ones included.
func (s *Service) CountAccounts(ctx context.Context) (int64, error) {
	n, err := s.q.AccountCount(ctx, s.db)
	if err != nil {
		return 0, fmt.Errorf("count accounts: %w", pg.Err(err, nil))
	}
	return n, nil
}

// List returns up to limit accounts (1 to 500; otherwise 500) in order of their
// names, byte by byte in lower case, starting behind the name after.
func (s *Service) List(ctx context.Context, after string, limit int) ([]Account, error) {
	if after != "" && !validUsername(after) {
		return nil, errs.InvalidField("after", "not a username")
	}
	if limit < 1 || limit > maxList {
		limit = maxList
	}
	rows, err := s.q.AccountListAfter(ctx, s.db, db.AccountListAfterParams{After: after, MaxRows: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", pg.Err(err, nil))
	}
	out := make([]Account, len(rows))
	for i, row := range rows {
		out[i] = fromRow(row)
	}
	return out, nil
}
