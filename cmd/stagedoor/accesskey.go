package main

import (
	"fmt"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/account"
)

type accessKeyCmd struct {
	List   accessKeyListCmd   `cmd:"" help:"List access keys."`
	Create accessKeyCreateCmd `cmd:"" help:"Create an access key and print its secret, once."`
	Revoke accessKeyRevokeCmd `cmd:"" help:"End an access key at once, for good."`
}

type accessKeyJSON struct {
	ID         string     `json:"access_key_id"`
	Secret     string     `json:"secret_access_key,omitempty"`
	Username   string     `json:"username"`
	Comment    string     `json:"comment"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at,omitempty"`
	RevokedAt  *time.Time `json:"revoked_at,omitempty"`
}

func toAccessKeyJSON(k account.AccessKey, secret string) accessKeyJSON {
	return accessKeyJSON{k.ID, secret, k.Username, k.Comment, k.CreatedAt, k.LastUsedAt, k.RevokedAt}
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
		out, rows := make([]accessKeyJSON, len(keys)), make([][]string, len(keys))
		for i, k := range keys {
			out[i] = toAccessKeyJSON(k, "")
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
			return e.print(toAccessKeyJSON(key, secret), "", nil)
		}
		_, err = fmt.Fprintf(e.stdout, "access_key_id      %s\nsecret_access_key  %s\n", key.ID, secret)
		return err
	})
}

type accessKeyRevokeCmd struct {
	ID string `arg:"" help:"Id of the key."`
}

func (c accessKeyRevokeCmd) Run(e *env) error {
	return withApp(e, func(a *app) error { return a.accounts.RevokeAccessKey(e.ctx, account.System(), c.ID) })
}

// timeOrDash prints a time in UTC to the second.
func timeOrDash(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}
