package access

import (
	"fmt"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

func TestMostSpecificRuleCounts(t *testing.T) {
	t.Parallel()
	// Every rule has a secret of its own, so the one that verifies is the one
	// that was chosen.
	rules := []ruleKey{
		{domain: "d.example", app: "live"}, {domain: "d.example"},
		{domain: "v.example", app: "live"}, {domain: "v.example"},
		{vhost: "v.example", app: "live"}, {vhost: "v.example"},
		{app: "live"}, {},
	}
	st := media.Stream{Vhost: "v.example", App: "live", Name: "x"}
	for first := range rules {
		t.Run(fmt.Sprintf("without the %d most specific", first), func(t *testing.T) {
			t.Parallel()
			b := pure(t)
			for i, k := range rules[first:] {
				b.putRule(t, db.AuthRule{ID: int64(100 + first + i), Domain: k.domain, Vhost: k.vhost, App: k.app, Scene: "play", Enabled: true},
					key(1, "k1", "secret-of-any", KeyActive))
			}
			d := b.ask(t, media.Event{Action: media.Playing, Stream: st, Host: "D.example", Query: sign(urlsign.Play, "secret-of-any", "x", urlsign.SignOptions{})})
			if want := fmt.Sprintf("%d/k1", 100+first); d.Credential.ID != want {
				t.Errorf("judged by %q (%s), want %q", d.Credential.ID, d.Reason, want)
			}
		})
	}
}

func TestRulesOfOtherPlacesDoNotCount(t *testing.T) {
	t.Parallel()
	b := pure(t)
	for i, row := range []db.AuthRule{
		{Domain: "other.example", Scene: "play"}, {Vhost: "other.example", Scene: "play"}, {App: "other", Scene: "play"}, {Scene: "publish"},
		{Domain: "d.example", App: "other", Scene: "play"},
	} {
		row.ID, row.Enabled = int64(i+1), false
		b.putRule(t, row, key(1, "k1", "secret-of-any", KeyActive))
	}
	e := play("x", sign(urlsign.Play, "secret-of-any", "x", urlsign.SignOptions{}))
	e.Host = "d.example"
	b.reason(t, e, media.NoCredential)
}

func TestHostOfTheClientIsTheConfiguredOneWhereItHasNoName(t *testing.T) {
	t.Parallel()
	b := pure(t)
	b.putRule(t, db.AuthRule{ID: 1, Domain: "push.example", Scene: "publish", Enabled: true}, key(1, "k1", "publish-secret", KeyActive))
	b.putRule(t, db.AuthRule{ID: 2, Domain: "pull.example", Scene: "play", Enabled: true}, key(1, "k1", "play-secret", KeyActive))
	pub, view := sign(urlsign.Publish, "publish-secret", "x", urlsign.SignOptions{}), sign(urlsign.Play, "play-secret", "x", urlsign.SignOptions{})
	for host, want := range map[string]media.Reason{
		"": media.Allowed, media.DefaultVhost: media.Allowed, "127.0.0.1": media.Allowed, "::1": media.Allowed, "2001:db8::1": media.Allowed,
		"unknown.example": media.NoCredential,
	} {
		e := publish("x", pub)
		e.Host = host
		b.reason(t, e, want)
		e = play("x", view)
		e.Host = host
		b.reason(t, e, want)
	}
	e := publish("x", pub)
	e.Host = "Push.Example"
	b.reason(t, e, media.Allowed)
	e.Host = "pull.example" // the rule of the other scene
	b.reason(t, e, media.NoCredential)
}

func TestOnlyWhatTheServerSaysCanWaiveACredential(t *testing.T) {
	t.Parallel()
	b := pure(t)
	b.putRule(t, db.AuthRule{ID: 1, Scene: "play", Enabled: true}, key(1, "k1", "play-secret", KeyActive))
	b.putRule(t, db.AuthRule{ID: 2, Domain: "open.example", Scene: "play", Enabled: false}, key(2, "k1", "open-secret", KeyActive))
	b.putRule(t, db.AuthRule{ID: 3, Vhost: "open.vhost", Scene: "play", Enabled: false}, key(3, "k1", "open-secret", KeyActive))
	claimed := play("x", "")
	claimed.Host = "open.example" // a client writes any host into its tcUrl
	b.reason(t, claimed, media.NoCredential)
	told := play("x", "")
	told.Stream.Vhost = "open.example"
	b.reason(t, told, media.OpenPolicy)
	told.Stream.Vhost = "open.vhost"
	b.reason(t, told, media.OpenPolicy)
	b.reason(t, play("x", ""), media.NoCredential)
	claimed.Host = "open.vhost"
	b.reason(t, claimed, media.NoCredential)
}

func TestARuleOfAVhostGovernsItsNameOnServersWithoutVhosts(t *testing.T) {
	t.Parallel()
	b := pure(t)
	b.putRule(t, db.AuthRule{ID: 1, Scene: "publish", Enabled: true}, key(1, "k1", "secret-of-any", KeyActive))
	b.putRule(t, db.AuthRule{ID: 2, Vhost: "v.example", Scene: "publish", Enabled: true}, key(2, "k1", "secret-of-v", KeyActive))
	b.putRule(t, db.AuthRule{ID: 3, Vhost: media.DefaultVhost, Scene: "publish", Enabled: true}, key(3, "k1", "secret-of-default", KeyActive))
	for _, tc := range []struct {
		vhost, host, secret string
	}{
		{media.DefaultVhost, "v.example", "secret-of-v"}, {"", "V.example", "secret-of-v"}, {"v.example", "other.example", "secret-of-v"},
		{media.DefaultVhost, "other.example", "secret-of-default"}, {media.DefaultVhost, "192.0.2.1", "secret-of-default"},
		{"other.example", "v.example", "secret-of-any"},
	} {
		for _, secret := range []string{"secret-of-v", "secret-of-default", "secret-of-any"} {
			e := publish("x", sign(urlsign.Publish, secret, "x", urlsign.SignOptions{}))
			e.Stream.Vhost, e.Host = tc.vhost, tc.host
			want := media.SignatureMismatch
			if secret == tc.secret {
				want = media.Allowed
			}
			b.reason(t, e, want)
		}
	}
	// What is signed for a name opens there, whether the server has that vhost or not.
	q := b.SignQuery(media.Publish, "v.example", media.Stream{App: "live", Name: "x"}, "/live/x", start.Add(time.Hour))
	for _, vhost := range []string{"v.example", media.DefaultVhost} {
		e := publish("x", q)
		e.Stream.Vhost, e.Host = vhost, "v.example"
		b.reason(t, e, media.Allowed)
	}
}

func TestTheNameThatWeHandOutCanWaiveOnTheDefaultVhost(t *testing.T) {
	t.Parallel()
	for _, row := range []db.AuthRule{{Domain: "push.example"}, {Vhost: "push.example"}} {
		b := pure(t)
		b.putRule(t, db.AuthRule{ID: 1, Scene: "publish", Enabled: true}, key(1, "k1", "secret-of-any", KeyActive))
		row.ID, row.Scene = 2, "publish"
		b.putRule(t, row, key(2, "k1", "push-secret", KeyActive))
		for host, want := range map[string]media.Reason{"push.example": media.OpenPolicy, "127.0.0.1": media.OpenPolicy, "other.example": media.NoCredential} {
			e := publish("x", "")
			e.Host = host
			b.reason(t, e, want)
		}
		e := publish("x", "")
		e.Stream.Vhost, e.Host = "other.vhost", "push.example"
		b.reason(t, e, media.NoCredential)
	}
}

func TestNoVhostIsTheDefaultVhost(t *testing.T) {
	t.Parallel()
	b := pure(t)
	b.putRule(t, db.AuthRule{ID: 1, Scene: "play", Enabled: true})
	b.putRule(t, db.AuthRule{ID: 2, Vhost: media.DefaultVhost, Scene: "play", Enabled: false})
	e := play("x", "")
	b.reason(t, e, media.OpenPolicy)
	e.Stream.Vhost = ""
	b.reason(t, e, media.OpenPolicy)
	e.Stream.Vhost = "other.example"
	b.reason(t, e, media.NoCredential)
}

func TestRuleOfAnUnknownSchemeAdmitsNobody(t *testing.T) {
	t.Parallel()
	b := pure(t)
	b.Policy = OpenByDefault
	b.putRule(t, db.AuthRule{ID: 1, Scene: "play", Scheme: "of-a-newer-release", Enabled: false}, key(1, "k1", "play-secret", KeyActive))
	b.reason(t, play("x", ""), media.NoCredential)
	b.reason(t, play("x", sign(urlsign.Play, "play-secret", "x", urlsign.SignOptions{})), media.NoCredential)
	if q := b.SignQuery(media.Play, "pull.example", stream("x"), "/live/x", start.Add(time.Hour)); q != "" {
		t.Errorf("signed %q", q)
	}
	b.reason(t, publish("x", ""), media.OpenPolicy)
}
