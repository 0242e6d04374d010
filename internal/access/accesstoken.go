package access

import (
	"context"
	"net/netip"
	"strings"

	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// accounts tells whom an access token was given to: at the door, and while a
// session runs that it opened.
type accounts interface {
	Authenticate(ctx context.Context, token string) (account.Principal, error)
	Holder(token string) (account.Principal, error)
	AtDoor(ctx context.Context, username, password string, source netip.Addr) (account.Principal, error)
}

// holderOf is one of the two questions to accounts.
type holderOf func(token string) (account.Principal, error)

// nobody has no accounts.
type nobody struct{}

var errNobody = errs.New(errs.Unauthorized, "token_invalid", "there are no accounts here")

func (nobody) Authenticate(context.Context, string) (account.Principal, error) {
	return account.Principal{}, errNobody
}

func (nobody) AtDoor(context.Context, string, string, netip.Addr) (account.Principal, error) {
	return account.Principal{}, errNobody
}

func (nobody) Holder(string) (account.Principal, error) { return account.Principal{}, errNobody }

// isAccessToken tells an access token from a live token, which has no dots, for
// next to nothing: every JWT starts with the base64 of `{"`.
func isAccessToken(value string) bool {
	return strings.HasPrefix(value, "eyJ") && strings.Count(value, ".") == 2
}

// byAccessToken admits whose account has the right to the stream.
func byAccessToken(scene media.Scene, e *media.Event, token string, ask holderOf) Decision {
	p, err := ask(token)
	if err != nil {
		return deny(tokenReason(err))
	}
	may := p.MayPull
	if scene == media.Publish {
		may = p.MayPush
	}
	c := Credential{Kind: ByAccessToken, ID: p.Credential(), Subject: p.Username}
	if !may("/" + e.Stream.String()) {
		return Decision{Reason: media.NoRight, Credential: c}
	}
	return Decision{Allow: true, Reason: media.Allowed, Credential: c}
}

// tokenReason words the refusal of an access token as that of any other.
func tokenReason(err error) media.Reason {
	e := errs.As(err)
	switch {
	case e.Reason == "token_expired":
		return media.TokenExpired
	case e.Reason == "token_revoked", e.Reason == "account_disabled":
		return media.TokenRevoked
	case e.Kind == errs.Unauthorized:
		return media.TokenUnknown
	}
	return media.TemporarilyUnavailable
}
