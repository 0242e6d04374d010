package access

import (
	"context"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// byAny decides by everything that the client has shown: its query first, then
// what its protocol carries beside it, a bearer token and a password, and last by
// the password of an account, which is the only one that costs anything. The
// first valid credential admits; when none is valid, the first bad one is the
// reason, also where no credential is needed.
func (s *Service) byAny(ctx context.Context, now time.Time, e *media.Event) Decision {
	ask := func(e *media.Event) Decision { return s.byQuery(ctx, now, e) }
	d := first(ask(e), beside(e, ask)...)
	if e.Username == "" || e.Password == "" || !undecided(d.Reason) {
		return d
	}
	return first(d, s.byPassword(ctx, e))
}

// undecided says whether an account may still change the answer. A stream that
// nobody may have is none for its owner either, and costs no hash.
func undecided(r media.Reason) bool {
	switch r {
	case media.Allowed, media.StreamForbidden, media.RoomEnded, media.InvalidStream, media.TemporarilyUnavailable:
		return false
	}
	return true
}

// beside returns what each credential beside the query says, those that are none
// left out.
func beside(e *media.Event, ask func(*media.Event) Decision) []Decision {
	var all []Decision
	for i, text := range [...]string{e.Bearer, e.Password} {
		if text == "" {
			continue
		}
		password := i == 1
		query, isQuery := credentialQuery(text)
		if password && !isQuery && !tokenLike(text) {
			continue // the password of an account, or of nobody
		}
		with := *e
		with.Query = query
		all = append(all, ask(&with))
	}
	return all
}

// tokenLike says whether a password may be a token of ours. All others would be
// refused as an unknown token, where they are the password of an account.
func tokenLike(text string) bool { return isAccessToken(text) || len(text) == madeLength }

// credentialQuery reads a credential as the query that it stands for: a whole
// query ("auth_key=…") is one already, anything else is a token.
func credentialQuery(text string) (query string, isQuery bool) {
	text = strings.TrimPrefix(text, "?")
	if name, _, found := strings.Cut(text, "="); found && name != "" {
		return text, true
	}
	return "token=" + url.QueryEscape(text), false
}

// first returns the first admission by a credential, else the first reason
// against one, else what was said of a request without any.
func first(d Decision, more ...Decision) Decision {
	none := d
	var bad *Decision
	for _, d := range append([]Decision{d}, more...) {
		switch {
		case d.Allow && d.Reason != media.OpenPolicy:
			return d
		case d.Reason == media.OpenPolicy, d.Reason == media.NoCredential:
		case bad == nil:
			bad = &d
		}
	}
	if bad != nil {
		return *bad
	}
	return none
}

// byPassword admits whose account has the right to the stream.
func (s *Service) byPassword(ctx context.Context, e *media.Event) Decision {
	source, _ := netip.ParseAddr(e.Address)
	p, err := s.Accounts.AtDoor(ctx, e.Username, e.Password, source)
	if err != nil {
		return Decision{Reason: passwordReason(err), Credential: Credential{Kind: ByPassword}}
	}
	c := Credential{Kind: ByPassword, ID: p.Username, Subject: p.Username}
	scene, may := e.Scene(), p.MayPull
	if scene == media.Publish {
		may = p.MayPush
	}
	if !may("/" + e.Stream.String()) {
		return Decision{Reason: media.NoRight, Credential: c}
	}
	if e.Stream.Vhost == "" {
		e.Stream.Vhost = media.DefaultVhost
	}
	rule, _ := s.ruleFor(scene, s.clientHost(scene, e.Host), e.Stream)
	return Decision{Allow: true, Reason: media.Allowed, Credential: c}.under(rule)
}

func passwordReason(err error) media.Reason {
	e := errs.As(err)
	switch {
	case e.Kind == errs.Unauthorized:
		return media.InvalidCredentials
	case e.Reason == "too_many_attempts":
		return media.TooManyAttempts
	}
	return media.TemporarilyUnavailable
}
