package ledger

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

func (c client) update(scene media.Scene, query string) media.Event {
	e := c.event(media.Updated)
	e.On, e.Query = scene, query
	return e
}

func with(e media.Event, query string) media.Event { e.Query = query; return e }

// owner adds an account and returns it.
func (b *bench) owner(t *testing.T) access.Owner {
	t.Helper()
	o := access.Owner{Username: "carol", Level: 1}
	err := b.pool.QueryRow(t.Context(), `INSERT INTO accounts (username, password_hash, tokens_not_before, created_at, updated_at)
		VALUES ($1, '', now(), now(), now()) RETURNING id`, o.Username).Scan(&o.ID)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestAnUpdateWithARevokedLiveTokenEndsTheSession(t *testing.T) {
	t.Parallel()
	b := setup(t, closedDoor)
	o := b.owner(t)
	token, err := b.access.CreateToken(t.Context(), o, "s", 0)
	if err != nil {
		t.Fatal(err)
	}
	publisher, player := onNginx(stream("s")), onNginx(stream("s"))
	secret, play := "token="+token.Token, "token="+token.PlayToken
	b.allow(t, with(publisher.publish(), secret), with(player.play(), play),
		publisher.update(media.Publish, secret), player.update(media.Play, play))
	if _, err := b.access.DestroyToken(t.Context(), o, token.Token); err != nil {
		t.Fatal(err)
	}
	b.refuse(t, publisher.update(media.Publish, secret), media.TokenRevoked)
	b.refuse(t, player.update(media.Play, play), media.TokenRevoked)
	for _, s := range b.sessions(t) {
		if s.CredentialKind != string(access.ByLiveToken) || s.CredentialID == "" || s.Subject != o.Username {
			t.Errorf("session remembers %+v", s)
		}
	}
}

func TestAnUpdateAfterTheSignatureHasExpiredGoesOn(t *testing.T) {
	t.Parallel()
	b := setup(t, closedDoor)
	if err := b.access.EnsureDefaults(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := b.room(t, room.ModePlain)
	links := b.rooms.StreamLinks(app, r.ID, b.clock.Now().Add(time.Hour))
	push, err := url.Parse(links.Push.RTMP)
	if err != nil {
		t.Fatal(err)
	}
	c := onNginx(stream(r.ID))
	b.allow(t, with(c.publish(), push.RawQuery))
	b.clock.advance(48 * time.Hour)
	b.allow(t, c.update(media.Publish, push.RawQuery))
	b.refuse(t, with(onNginx(stream(r.ID)).publish(), push.RawQuery), media.SignatureExpired)
	b.refuse(t, onNginx(stream("another")).update(media.Publish, push.RawQuery), media.SignatureMismatch)

	if _, err := b.rooms.Stop(t.Context(), anchor, r.ID); err != nil {
		t.Fatal(err)
	}
	b.refuse(t, c.update(media.Publish, push.RawQuery), media.RoomEnded)
}

// An update may overtake the publish that it belongs to, and is not one.
func TestAnUpdateOfAnUnknownSessionIsAllowedAndNoSession(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.allow(t, onNginx(stream("s")).update(media.Publish, ""), onNginx(stream("s")).update(media.Play, ""))
	if n := b.count(t, "SELECT count(*) FROM sessions"); n != 0 {
		t.Errorf("%d sessions", n)
	}
	b.allow(t, onNginx(stream("s")).publish())
}

// What memory cannot tell is looked up, and a look-up that fails ends nobody.
func TestAnUpdateIsNotRefusedForATokenThatMemoryDoesNotKnowYet(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		looked access.Decision
		want   media.Verdict
	}{
		"known to the database": {access.Decision{Allow: true, Reason: media.Allowed}, media.Verdict{Allow: true, Reason: media.Allowed}},
		"unknown":               {access.Decision{Reason: media.TokenUnknown}, media.Verdict{Reason: media.TokenUnknown}},
		"revoked":               {access.Decision{Reason: media.TokenRevoked}, media.Verdict{Reason: media.TokenRevoked}},
		"nobody can tell":       {access.Decision{Reason: media.TemporarilyUnavailable}, media.Verdict{Allow: true, Reason: media.TemporarilyUnavailable}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(b *bench) { b.Access = forgetful{test.looked} })
			if v := b.must(t, onNginx(stream("s")).update(media.Publish, "token=x")); v != test.want {
				t.Errorf("got %+v, want %+v", v, test.want)
			}
		})
	}
}

// forgetful has never heard of a token, but can look it up.
type forgetful struct{ looked access.Decision }

func (f forgetful) Decide(context.Context, time.Time, media.Event) access.Decision { return f.looked }

func (forgetful) Recheck(time.Time, media.Event) access.Decision {
	return access.Decision{Reason: media.TokenUnknown}
}

func TestRefusalsOfTheDecisionAreNotRecorded(t *testing.T) {
	t.Parallel()
	b := setup(t, closedDoor)
	b.refuse(t, onSRS(stream("s")).publish(), media.NoCredential)
	b.refuse(t, with(onSRS(stream("s")).play(), "token=nonsense"), media.TokenUnknown)
	b.refuse(t, onSRS(stream("a?b")).publish(), media.InvalidStream)
	if n := b.count(t, "SELECT count(*) FROM sessions"); n != 0 {
		t.Errorf("%d sessions", n)
	}
	if b.told.of(media.NoCredential) != 1 || b.told.of(media.TokenUnknown) != 1 || b.told.of(media.InvalidStream) != 1 {
		t.Errorf("counted %v", b.told.count)
	}
}

func TestADecisionThatCannotBeMadeRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t, func(b *bench) { b.Access = forgetful{access.Decision{Reason: media.TemporarilyUnavailable}} })
	b.refuse(t, onSRS(stream("s")).publish(), media.TemporarilyUnavailable)
	b.wantOpen(t)
}
