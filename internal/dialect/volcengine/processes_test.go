package volcengine

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

// another is a second process on the same database: what signs rooms and judges
// callbacks there.
func (b *bench) another(t *testing.T) (*access.Service, *room.Service) {
	t.Helper()
	second := access.New(access.Config{DB: b.pool, Box: dbtest.Box(), Now: b.clock.now, Rand: rand.Reader, Log: dbtest.Log(t), App: "live",
		PublishHost: pushHost, PlayHost: pullHost, Policy: access.DenyByDefault})
	dbtest.Follow(t, b.pool, second)
	rooms := room.New(room.Config{DB: b.pool, Now: b.clock.now, Rand: rand.Reader, Log: dbtest.Log(t), Signer: second,
		Links: room.LinkConfig{PushDomain: pushHost, PullDomain: pullHost, HTTPPullDomain: pullHost, App: "live", HTTPScheme: "https", TTL: time.Hour}})
	return second, rooms
}

// soon is a second, and much more for a machine with much else to do.
const soon = time.Minute

// within demands that something holds soon.
func within(t *testing.T, what string, holds func() bool) {
	t.Helper()
	began := time.Now()
	defer func() { t.Logf("%s after %v", what, time.Since(began)) }()
	deadline := time.NewTimer(soon)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("after %v still not: %s", soon, what)
		}
	}
}

func TestARuleCountsOnEveryProcessSoon(t *testing.T) {
	t.Parallel()
	b := setup(t)
	second, rooms := b.another(t)
	roomURL := func() string {
		return rooms.LinksFor(room.Room{ID: "room1", App: "live", AnchorID: "alice"}, "alice", b.clock.now()).Push.RTMP
	}
	verdict := func(rawURL string) media.Reason {
		u, err := url.Parse(rawURL)
		if err != nil {
			t.Fatal(err)
		}
		return second.Decide(t.Context(), b.clock.now(), b.event(media.Publishing, room1, u.Hostname(), u.RawQuery)).Reason
	}
	first := b.pushURL(t, version2020, `{"Vhost":"push.example.com","App":"live","Stream":"room1"}`).PushURLList[0]
	if got := verdict(first); got != media.Allowed {
		t.Fatalf("%s: %s", first, got)
	}

	b.update(t, version2020, twoKeys)
	signed := b.pushURL(t, version2020, `{"Vhost":"push.example.com","App":"live","Stream":"room1"}`).PushURLList[0]
	within(t, "the second process signs rooms with the new key", func() bool { return strings.Contains(roomURL(), "?volcTime=") })
	within(t, "the second process lets the new key in", func() bool { return verdict(signed) == media.Allowed })
	if got := verdict(roomURL()); got != media.Allowed {
		t.Errorf("its own URL of the room: %s", got)
	}
	if got := verdict(first); got == media.Allowed {
		t.Error("the URL of the rule before still opens")
	}

	b.call(t, post2020("ForbidStream", `{"Vhost":"push.example.com","App":"live","Stream":"room1"}`)).done(t)
	within(t, "the second process knows of the ban", func() bool { return verdict(signed) == media.StreamForbidden })
	b.call(t, post2020("ResumeStream", `{"Vhost":"push.example.com","App":"live","Stream":"room1"}`)).done(t)
	within(t, "the second process knows that it is lifted", func() bool { return verdict(signed) == media.Allowed })
	b.call(t, post2020("DisableAuth", `{"Vhost":"push.example.com","App":"live","SceneType":"push"}`)).done(t)
	within(t, "the second process asks for no signature", func() bool { return verdict("rtmp://"+pushHost+"/live/room1") == media.OpenPolicy })
}

func TestTheTableOfTheSpecIsThatOfTheCode(t *testing.T) {
	t.Parallel()
	documented := map[string]string{} // action and version -> method
	for method, op := range documentedOperations(t) {
		for _, a := range op {
			for _, version := range a.Versions {
				documented[a.Action+" "+version] = method
				if a.LimitPerSecond != 0 != actions[a.Action].limited || a.LimitPerSecond != 0 && a.LimitPerSecond != perSecond {
					t.Errorf("%s: limit %d", a.Action, a.LimitPerSecond)
				}
			}
		}
	}
	for name, a := range actions {
		for _, version := range []string{version2020, version2023} {
			if a.only != "" && a.only != version {
				continue
			}
			if documented[name+" "+version] != a.method {
				t.Errorf("%s %s: the spec has %q", name, version, documented[name+" "+version])
			}
			delete(documented, name+" "+version)
		}
	}
	if len(documented) != 0 {
		t.Errorf("only in the spec: %v", documented)
	}
}

func TestEveryActionAnswersAsTheSpecSays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.update(t, version2020, twoKeys)
	for _, r := range every() {
		b.clock.advance(time.Second)
		if got := b.call(t, r); got.Status != http.StatusOK {
			t.Errorf("%s: %d %s", r.title(), got.Status, got.Body)
		}
	}
	if covered := strings.Join(b.spec.Covered(), " "); covered != "callVolcengine queryVolcengine" {
		t.Errorf("covered %s", covered)
	}
}
