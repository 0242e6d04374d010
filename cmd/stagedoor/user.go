package main

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/dialect/stagedoor"
)

type userCmd struct {
	List     userListCmd     `cmd:"" help:"List accounts."`
	Create   userCreateCmd   `cmd:"" help:"Create an account; the password is read from standard input."`
	Update   userUpdateCmd   `cmd:"" help:"Change rights of an account."`
	Password userPasswordCmd `cmd:"" help:"Set a password, read from standard input; ends all logins of the account."`
	Disable  userDisableCmd  `cmd:"" help:"Disable an account; ends its logins and live tokens at once."`
	Enable   userEnableCmd   `cmd:"" help:"Enable an account again."`
	Delete   userDeleteCmd   `cmd:"" help:"Delete an account with its live tokens and access keys; ends its logins at once."`
}

func printAccounts(e *env, v any, accounts ...account.Account) error {
	rows := make([][]string, len(accounts))
	for i, a := range accounts {
		rows[i] = []string{a.Username, orDash(a.Email), strconv.FormatBool(a.Admin), strconv.Itoa(a.PermissionLevel),
			orDash(a.Push), orDash(a.Pull), strconv.FormatBool(a.Disabled)}
	}
	return e.print(v, "USERNAME EMAIL ADMIN LEVEL PUSH PULL DISABLED", rows)
}

// readPassword takes the password from standard input, never from the command
// line, where every process of the machine could read it.
func (e *env) readPassword() (string, error) {
	line, err := bufio.NewReader(e.stdin).ReadString('\n')
	if line == "" && err != nil {
		return "", fmt.Errorf("no password on standard input: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

type userListCmd struct{}

func (userListCmd) Run(e *env) error {
	return withApp(e, func(a *app) error {
		var all []account.Account
		for after := ""; ; {
			page, err := a.accounts.List(e.ctx, after, 100)
			if err != nil {
				return err
			}
			if len(page) == 0 {
				break
			}
			all = append(all, page...)
			after = page[len(page)-1].Username
		}
		out := make([]gen.Account, len(all))
		for i, v := range all {
			out[i] = stagedoor.ToAccount(v)
		}
		return printAccounts(e, out, all...)
	})
}

type userCreateCmd struct {
	Username string `arg:""`
	Email    string `help:"E-mail address."`
	FullName string `help:"Full name."`
	Level    int    `help:"Permission level."`
	Admin    bool   `help:"Make an administrator."`
	Push     string `help:"Streams that its access tokens publish to: patterns like /live/alice or /live/*, by semicolons."`
	Pull     string `help:"Streams that its access tokens play."`
}

func (c userCreateCmd) Run(e *env) error {
	password, err := e.readPassword()
	if err != nil {
		return err
	}
	return withApp(e, func(a *app) error {
		system := account.System()
		acc, err := a.accounts.Register(e.ctx, &system, account.NewAccount{Username: c.Username, Email: c.Email, FullName: c.FullName,
			Password: password, Admin: c.Admin, PermissionLevel: c.Level, Push: c.Push, Pull: c.Pull})
		if err != nil {
			return err
		}
		return printAccounts(e, stagedoor.ToAccount(acc), acc)
	})
}

func (e *env) updateAccount(username string, ch account.Changes) error {
	return withApp(e, func(a *app) error {
		acc, err := a.accounts.Update(e.ctx, account.System(), username, ch)
		if err != nil {
			return err
		}
		return printAccounts(e, stagedoor.ToAccount(acc), acc)
	})
}

type userUpdateCmd struct {
	Username string  `arg:""`
	Level    *int    `help:"Permission level."`
	Admin    *bool   `help:"Administrator or not." negatable:""`
	Push     *string `help:"Streams that its access tokens publish to; empty for none."`
	Pull     *string `help:"Streams that its access tokens play; empty for none."`
}

func (c userUpdateCmd) Run(e *env) error {
	return e.updateAccount(c.Username, account.Changes{PermissionLevel: c.Level, Admin: c.Admin, Push: c.Push, Pull: c.Pull})
}

type userPasswordCmd struct {
	Username string `arg:""`
}

func (c userPasswordCmd) Run(e *env) error {
	password, err := e.readPassword()
	if err != nil {
		return err
	}
	return e.updateAccount(c.Username, account.Changes{Password: &password})
}

type userDisableCmd struct {
	Username string `arg:""`
}

func (c userDisableCmd) Run(e *env) error {
	yes := true
	return e.updateAccount(c.Username, account.Changes{Disabled: &yes})
}

type userEnableCmd struct {
	Username string `arg:""`
}

func (c userEnableCmd) Run(e *env) error {
	no := false
	return e.updateAccount(c.Username, account.Changes{Disabled: &no})
}

type userDeleteCmd struct {
	Username string `arg:""`
}

func (c userDeleteCmd) Run(e *env) error {
	return withApp(e, func(a *app) error {
		if err := a.accounts.DeleteAccount(e.ctx, account.System(), c.Username); err != nil {
			return err
		}
		return e.done(gone{}, "account %s is deleted", c.Username)
	})
}
