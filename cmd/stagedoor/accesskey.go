package main

import (
	"fmt"
	"slices"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/dialect/stagedoor"
)

type accessKeyCmd struct {
	List   accessKeyListCmd   `cmd:"" help:"List access keys."`
	Create accessKeyCreateCmd `cmd:"" help:"Create an access key and print its secret, once."`
	Revoke accessKeyRevokeCmd `cmd:"" help:"End an access key at once, for good."`
}

type accessKeyListCmd struct {
	Username string `help:"Only the keys of this account."`
}

func (c accessKeyListCmd) Run(e *env) error {
	return withApp(e, func(a *app) error {
		keys, err := a.accounts.ListAccessKeys(e.ctx, account.System(), c.Username)
		if err != nil {
			return err
		}
		out, rows := make([]gen.AccessKey, len(keys)), make([][]string, len(keys))
		for i, k := range keys {
			out[i] = stagedoor.ToAccessKey(k)
			rows[i] = []string{k.ID, k.Username, timeOrDash(&k.CreatedAt), timeOrDash(k.LastUsedAt), timeOrDash(k.RevokedAt), orDash(k.Comment)}
		}
		return e.print(out, "ID USERNAME CREATED LAST-USED REVOKED COMMENT", rows)
	})
}

type accessKeyCreateCmd struct {
	Username string `required:"" help:"Account in whose name the key signs."`
	Comment  string `help:"What the key is for."`
}

func (c accessKeyCreateCmd) Run(e *env) error {
	return withApp(e, func(a *app) error {
		key, secret, err := a.accounts.CreateAccessKey(e.ctx, account.System(), c.Username, c.Comment)
		if err != nil {
			return err
		}
		if e.json {
			return e.print(stagedoor.ToCreatedAccessKey(key, secret), "", nil)
		}
		_, err = fmt.Fprintf(e.stdout, "access_key_id      %s\nsecret_access_key  %s\n", key.ID, secret)
		return err
	})
}

type accessKeyRevokeCmd struct {
	ID string `arg:"" help:"Id of the key."`
}

func (c accessKeyRevokeCmd) Run(e *env) error {
	return withApp(e, func(a *app) error {
		if err := a.accounts.RevokeAccessKey(e.ctx, account.System(), c.ID); err != nil {
			return err
		}
		keys, err := a.accounts.ListAccessKeys(e.ctx, account.System(), "")
		if err != nil {
			return err
		}
		i := slices.IndexFunc(keys, func(k account.AccessKey) bool { return k.ID == c.ID })
		if i < 0 { // its account has been deleted meanwhile
			return e.done(gone{}, "access key %s is revoked", c.ID)
		}
		return e.done(stagedoor.ToAccessKey(keys[i]), "access key %s of %s is revoked", c.ID, keys[i].Username)
	})
}

// timeOrDash prints a time in UTC to the second.
func timeOrDash(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}
