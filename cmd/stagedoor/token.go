package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/errs"
)

type tokenCmd struct {
	Revoke tokenRevokeCmd `cmd:"" help:"Refuse a stream token (mediamtx_jwt) wherever Stagedoor is asked, and cut off who came in by it."`
}

type tokenRevokeCmd struct {
	Token string `arg:"" help:"The token, a URL with it, or its id (jti)."`
}

type revokedJSON struct {
	ID    string    `json:"jti"`
	Until time.Time `json:"until"`
	Cut   int       `json:"cut_off"`
}

// idKept is how long a token is refused of which only the id is known.
const idKept = 366 * 24 * time.Hour

// Run trusts nothing in the token: whoever runs this may revoke any id.
func (c tokenRevokeCmd) Run(e *env) error {
	id, until, err := tokenID(c.Token, time.Now())
	if err != nil {
		return err
	}
	return withApp(e, func(a *app) error {
		if err := a.accounts.RevokeStreamToken(e.ctx, id, until); err != nil {
			return err
		}
		n, err := a.evict.KickCredential(e.ctx, access.Credential{Kind: access.ByStreamToken, ID: id})
		if err != nil {
			return fmt.Errorf("the token is revoked, but not everybody is cut off: %w", err)
		}
		return e.print(revokedJSON{id, until, n}, "JTI UNTIL CUT-OFF", [][]string{{id, until.UTC().Format(time.RFC3339), fmt.Sprint(n)}})
	})
}

// tokenID reads the id and the end of a token out of what the operator has.
func tokenID(text string, now time.Time) (id string, until time.Time, err error) {
	if i := strings.Index(text, "eyJ"); i >= 0 {
		text, _, _ = strings.Cut(text[i:], "&")
	}
	parts := strings.Split(text, ".")
	if len(parts) == 1 {
		return text, now.Add(idKept), nil
	}
	var c struct {
		ID      string `json:"jti"`
		Expires int64  `json:"exp"`
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(payload, &c)
	}
	if err != nil || c.ID == "" {
		return "", until, errs.InvalidField("token", "this is no token with an id (jti)")
	}
	return c.ID, time.Unix(max(c.Expires, now.Unix()), 0), nil
}
