package access

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/finding"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// ExplainedToken is a live token or an access token, without its text.
type ExplainedToken struct {
	Kind    CredentialKind
	ID      string // of a live token, or the jti of an access token
	Subject string // whose it is
	// Verified says that we made it. What an access token of somebody else says of
	// itself is told all the same.
	Verified bool
	// Stream is what a live token is for.
	Stream media.Stream
	// Rights are "publish and play" or "play" of a live token, and the paths that
	// the account of an access token may publish or play.
	Rights              string
	IssuedAt, ExpiresAt time.Time // of an access token
	RevokedAt           time.Time // of a live token, itself or with its account
}

func (x *explaining) explainToken() {
	value, found, conflict := tokenOf(x.out.Scene, x.e.Query)
	switch {
	case !found || conflict: // explainQuery tells about the latter
	case x.d.Credential.Kind == ByStreamToken: // which the rule's scheme tells about
	case isAccessToken(value):
		x.explainAccessToken(value)
	default:
		x.explainLiveToken(value)
	}
}

func (x *explaining) explainLiveToken(value string) {
	out := &ExplainedToken{Kind: ByLiveToken}
	x.out.Token = out
	h := hashToken(value)
	t, ok := x.view.token(h, x.e.Stream.Name)
	if !ok {
		x.find("token_unknown", x.unknownAdvice(value), nil)
		return
	}
	out.ID, out.Subject, out.Verified, out.Stream = strconv.FormatInt(t.id, 10), t.username, true, media.Stream{App: t.app, Name: t.stream}
	out.Rights = "play"
	if t.publish {
		out.Rights = "publish and play"
	}
	if t.revoked {
		x.explainRevoked(out, h)
	}
	switch x.d.Reason {
	case media.WrongStream:
		x.find("token_of_another_stream", "use_token_of_stream", values{"stream": out.Stream.String(), "asked": shownStream(x.e.Stream).String()})
	case media.WrongScene:
		x.find("play_token_used_to_publish", "publish_with_token", nil)
	}
}

// explainRevoked asks the database since when: memory only knows that.
func (x *explaining) explainRevoked(out *ExplainedToken, h tokenHash) {
	rows, err := x.q.LiveTokenAccessByHash(x.ctx, x.DB, h[:])
	if err == nil && len(rows) == 1 {
		switch row := rows[0]; {
		case row.RevokedAt != nil:
			out.RevokedAt = *row.RevokedAt
			x.find("token_revoked_since", "make_new_token", values{"account": out.Subject, "since": out.RevokedAt})
			return
		case row.DisabledAt != nil:
			out.RevokedAt = *row.DisabledAt
			x.find("account_disabled", "enable_account", values{"account": out.Subject, "since": out.RevokedAt})
			return
		}
	}
	x.find("token_revoked", "make_new_token", values{"account": out.Subject})
}

// unknownAdvice guesses what a text was that is no token of ours.
func (x *explaining) unknownAdvice(value string) string {
	trimmed := strings.TrimFunc(value, func(r rune) bool { return r <= ' ' || strings.ContainsRune(`"'<>;,/`, r) })
	switch {
	case trimmed != value && x.made(trimmed):
		return "remove_around_token"
	case x.made(value):
		return "replace_forgotten_token"
	case strings.Count(value, ".") == 2:
		return "copy_start_of_jwt"
	}
	return "copy_whole_token"
}

// jwtClaims is what we read of a token that need not be ours.
type jwtClaims struct {
	Subject string  `json:"sub"`
	ID      string  `json:"jti"`
	Issued  float64 `json:"iat"`
	Begins  float64 `json:"nbf"`
	Expires float64 `json:"exp"`
}

// maxJWT bounds what is decoded of an access token.
const maxJWT = 8 << 10

func readClaims(token string) (c jwtClaims, ok bool) {
	parts := strings.Split(token, ".")
	if len(token) > maxJWT || len(parts) != 3 {
		return c, false
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	return c, err == nil && json.Unmarshal(body, &c) == nil
}

// seconds is a claim as a time, the zero one where it is none.
func seconds(claim float64) time.Time {
	if claim <= 0 || claim >= 1e11 {
		return time.Time{}
	}
	return time.Unix(int64(claim), 0)
}

func (x *explaining) explainAccessToken(token string) {
	c, ok := readClaims(token)
	out := &ExplainedToken{Kind: ByAccessToken, ID: finding.Printable(c.ID), Subject: finding.Printable(c.Subject), IssuedAt: seconds(c.Issued), ExpiresAt: seconds(c.Expires)}
	x.out.Token = out
	if !ok {
		x.find("token_not_readable", "copy_access_token", nil)
		return
	}
	p, err := x.Accounts.Authenticate(x.ctx, token)
	switch {
	case err == nil:
		out.Verified, out.Subject, out.ID, out.ExpiresAt = true, p.Username, p.TokenID, p.ExpiresAt
		out.Rights = rightsOf(p.Push, p.Pull, x.out.Scene)
	case tokenReason(err) == media.TokenExpired:
		out.Verified = true
		x.find("token_expired", "log_in_in_time", values{"account": out.Subject, "until": out.ExpiresAt, "ago": x.now.Sub(out.ExpiresAt)})
	case tokenReason(err) == media.TokenRevoked:
		out.Verified = true
		x.find("access_token_revoked", "log_in_again", values{"account": out.Subject})
	case tokenReason(err) == media.TokenUnknown:
		x.find("token_not_ours", "use_token_of_ours", values{"account": out.Subject})
	}
	if x.d.Reason == media.NoRight {
		x.explainNoRight(out)
	}
}

func (x *explaining) explainNoRight(t *ExplainedToken) {
	args := values{"account": t.Subject, "scene": string(x.out.Scene), "asked": "/" + shownStream(x.e.Stream).String()}
	if t.Rights == "" {
		x.find("account_has_no_rights", "give_right", args)
		return
	}
	args["rights"] = t.Rights
	x.find("account_has_no_right", "give_right", args)
}

func rightsOf(push, pull string, scene media.Scene) string {
	if scene == media.Publish {
		return push
	}
	return pull
}
