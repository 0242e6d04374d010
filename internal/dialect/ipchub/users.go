package ipchub

import (
	"context"
	"encoding/json"
	"strings"

	gen "github.com/stagedoor-live/stagedoor/gen/ipchub"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/errs"
)

// IpchubListUsers lists accounts.
func (s *Server) IpchubListUsers(ctx context.Context, req gen.IpchubListUsersRequestObject) (gen.IpchubListUsersResponseObject, error) {
	p, err := pageOf(req.Params.PageSize, req.Params.PageToken)
	if err != nil {
		return nil, err
	}
	total, err := s.Accounts.CountAccounts(ctx)
	if err != nil {
		return nil, err
	}
	accounts, err := collect(page{p.size, possibleName(p.after)}, nameOf, func(after string, limit int) ([]account.Account, error) {
		return s.Accounts.List(ctx, after, limit)
	})
	if err != nil {
		return nil, err
	}
	out := gen.IpchubListUsers200JSONResponse{Total: total, NextPageToken: next(accounts, nameOf, p.after)}
	for _, a := range accounts {
		out.Users = append(out.Users, toUser(a))
	}
	return out, nil
}

// IpchubGetUser shows an account.
func (s *Server) IpchubGetUser(ctx context.Context, req gen.IpchubGetUserRequestObject) (gen.IpchubGetUserResponseObject, error) {
	a, err := s.Accounts.Get(ctx, req.Name)
	if err != nil {
		return nil, err
	}
	return gen.IpchubGetUser200JSONResponse(toUser(a)), nil
}

// IpchubSaveUser creates or replaces an account.
func (s *Server) IpchubSaveUser(ctx context.Context, req gen.IpchubSaveUserRequestObject) (gen.IpchubSaveUserResponseObject, error) {
	admin, err := toBool(req.Body.Admin)
	if err != nil {
		return nil, err
	}
	_, err = s.Accounts.Save(ctx, caller(ctx), account.Save{
		Username: req.Body.Name, Password: req.Body.Password, SetPassword: req.Params.UpdatePassword == "1",
		Push: req.Body.Push, Pull: req.Body.Pull, Admin: admin,
	})
	if err != nil {
		return nil, err
	}
	return gen.IpchubSaveUser200Response{}, nil
}

// IpchubDeleteUser deletes an account, if there is one.
func (s *Server) IpchubDeleteUser(ctx context.Context, req gen.IpchubDeleteUserRequestObject) (gen.IpchubDeleteUserResponseObject, error) {
	err := s.Accounts.DeleteAccount(ctx, caller(ctx), req.Name)
	if err != nil && errs.KindOf(err) != errs.NotFound {
		return nil, err
	}
	return gen.IpchubDeleteUser200Response{}, nil
}

// nameOf is the key of an account. Names are compared and shown in lower case.
func nameOf(a account.Account) string { return strings.ToLower(a.Username) }

func toUser(a account.Account) gen.IpchubUser {
	return gen.IpchubUser{Name: nameOf(a), Admin: a.Admin, Push: a.Push, Pull: a.Pull}
}

// toBool takes a boolean, or the text of one: the document calls it a string.
func toBool(raw json.RawMessage) (bool, error) {
	switch string(raw) {
	case "", "null", "false", `"false"`:
		return false, nil
	case "true", `"true"`:
		return true, nil
	}
	return false, errs.InvalidField("admin", "admin is of the wrong type")
}

// possibleName returns the longest beginning of a page token that could be a
// name. The token need not be the name of an account, nor could it always be
// one, but it has a place in the order of names.
func possibleName(token string) string {
	const maxName = 64
	for i := range len(token) {
		c := token[i] | 0x20 // lower case, and harmless to what else is allowed
		letter, digit := 'a' <= c && c <= 'z', '0' <= token[i] && token[i] <= '9'
		if i == maxName || !letter && !digit && !strings.ContainsRune("_.@-", rune(token[i])) {
			return token[:i]
		}
	}
	return token
}
