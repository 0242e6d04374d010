package evict

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

func yes() *bool { v := true; return &v }

func text(s string) *string { return &s }

// somebody is an account with its password.
func (b *bench) somebody(t *testing.T, name string) account.Account {
	t.Helper()
	system := account.System()
	a, err := b.accounts.Register(t.Context(), &system, account.NewAccount{Username: name, Password: "a long password of " + name, PermissionLevel: 1,
		Push: "/live/*", Pull: "/live/*"})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (b *bench) logIn(t *testing.T, name, password string) account.Token {
	t.Helper()
	token, err := b.accounts.Login(t.Context(), name, password, netip.MustParseAddr(address), 0)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (b *bench) liveToken(t *testing.T, a account.Account, stream string) access.LiveToken {
	t.Helper()
	token, err := b.access.CreateToken(t.Context(), access.Owner{ID: a.ID, Username: a.Username, Level: 1}, stream, 0)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// world is who is connected before something is revoked.
type world struct {
	*bench
	alice        account.Account
	login, other account.Token // of alice
	token        access.LiveToken
	room         room.Room
	rules        []access.Rule

	byLogin, byOther, byToken, playsByToken media.Event // of alice's
	inRoom, watchesRoom, signed             media.Event
}

const alicesPassword = "a long password of alice"

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{bench: setup(t)}
	w.alice = w.somebody(t, "alice")
	w.login, w.other = w.logIn(t, "alice", alicesPassword), w.logIn(t, "alice", alicesPassword)
	w.token = w.liveToken(t, w.alice, "tokened")
	var err error
	if w.room, err = w.rooms.Create(t.Context(), "alice", room.Input{Title: "a room", Anchor: "alice"}); err != nil {
		t.Fatal(err)
	}
	if w.rules, err = w.access.Rules(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.byLogin = w.comes(t, edge, media.Publish, "mine", "token="+w.login.Value)
	w.byOther = w.comes(t, edge2, media.Play, "mine", "token="+w.other.Value)
	w.byToken = w.comes(t, count, media.Publish, "tokened", "token="+w.token.Token)
	w.playsByToken = w.comes(t, edge, media.Play, "tokened", "token="+w.token.PlayToken)
	w.inRoom, w.watchesRoom = w.both(t, edge, w.room.ID)
	w.signed = w.comes(t, count, media.Publish, "signed", w.bench.signed(t, media.Publish, "signed"))
	return w
}

func (w *world) all() map[string]media.Event {
	return map[string]media.Event{"byLogin": w.byLogin, "byOther": w.byOther, "byToken": w.byToken, "playsByToken": w.playsByToken,
		"inRoom": w.inRoom, "watchesRoom": w.watchesRoom, "signed": w.signed}
}

// Every way to take something away, whom it ends, and what becomes of who comes
// again with the same credential.
func TestWhatIsRevokedEndsThoseWhomItAdmitted(t *testing.T) {
	t.Parallel()
	system := account.System()
	update := func(c account.Changes) func(context.Context, *world) error {
		return func(ctx context.Context, w *world) error {
			_, err := w.accounts.Update(ctx, system, "alice", c)
			return err
		}
	}
	for name, c := range map[string]struct {
		revoke func(context.Context, *world) error
		ends   []string
		reason string // of the evictions
		again  media.Reason
	}{
		"a live token is destroyed": {func(ctx context.Context, w *world) error {
			_, err := w.access.DestroyToken(ctx, access.Owner{ID: w.alice.ID, Username: "alice"}, w.token.Token)
			return err
		}, []string{"byToken", "playsByToken"}, "token_destroyed", media.TokenRevoked},
		"a live token is replaced": {func(ctx context.Context, w *world) error {
			_, err := w.access.CreateToken(ctx, access.Owner{ID: w.alice.ID, Username: "alice"}, "tokened", 0)
			return err
		}, []string{"byToken", "playsByToken"}, "token_replaced", media.TokenRevoked},
		"a signing key is revoked": {func(ctx context.Context, w *world) error {
			return w.access.SetKeyState(ctx, w.rules[0].ID, w.rules[0].Keys[0].ID, access.KeyRevoked)
		}, []string{"inRoom", "signed"}, "key_revoked", media.KeyRevoked},
		"a rule is deleted": {func(ctx context.Context, w *world) error { return w.access.DeleteRule(ctx, w.rules[1].ID) },
			[]string{"watchesRoom"}, "rule_deleted", media.NoCredential},
		"a rule is overwritten": {func(ctx context.Context, w *world) error {
			_, err := w.access.WriteRule(ctx, access.WholeRule{Scene: media.Publish, Enabled: yes(), Validity: time.Hour,
				Keys: []access.WholeKey{{Secret: "another secret", Scheme: "aliyun_a"}}})
			return err
		}, []string{"inRoom", "signed"}, "key_revoked", media.KeyRevoked},
		"a log-out": {func(ctx context.Context, w *world) error {
			p, err := w.accounts.Authenticate(ctx, w.login.Value)
			if err == nil {
				err = w.accounts.Logout(ctx, p)
			}
			return err
		}, []string{"byLogin"}, "logged_out", media.TokenRevoked},
		"a new password": {update(account.Changes{Password: text("quite another password")}), []string{"byLogin", "byOther"}, "password_changed", media.TokenRevoked},
		"a right less":   {update(account.Changes{Push: text("/elsewhere/*")}), []string{"byLogin"}, "rights_changed", media.NoRight},
		"no right less":  {update(account.Changes{Push: text("/live/+")}), nil, "", ""},
		"an account is disabled": {update(account.Changes{Disabled: yes()}),
			[]string{"byLogin", "byOther", "byToken", "playsByToken"}, "account_disabled", media.TokenRevoked},
		"an account is deleted": {func(ctx context.Context, w *world) error { return w.accounts.DeleteAccount(ctx, system, "alice") },
			[]string{"byLogin", "byOther", "byToken", "playsByToken"}, "account_deleted", media.TokenRevoked},
		"a stream is banned": {func(ctx context.Context, w *world) error {
			return w.access.Forbid(ctx, access.Ban{Vhost: media.DefaultVhost, App: "live", Stream: "tokened"})
		}, []string{"byToken", "playsByToken"}, "stream_forbidden", media.StreamForbidden},
		"a room is stopped": {func(ctx context.Context, w *world) error { _, err := w.rooms.Stop(ctx, "alice", w.room.ID); return err },
			[]string{"inRoom", "watchesRoom"}, "room_ended", media.RoomEnded},
		"a room is deleted": {func(ctx context.Context, w *world) error {
			_, err := w.rooms.Delete(ctx, "alice", w.room.ID)
			return err
		},
			[]string{"inRoom", "watchesRoom"}, "room_ended", media.RoomEnded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if err := c.revoke(t.Context(), w); err != nil {
				t.Fatal(err)
			}
			w.reload(t) // what the change feed brings
			if err := w.sweepDue(t.Context()); err != nil {
				t.Fatal(err)
			}
			all := w.all()
			for _, who := range c.ends {
				if r := w.eviction(t, all[who]); r.Reason != c.reason || r.State != Wanted {
					t.Errorf("%s is evicted by %+v", who, r)
				}
			}
			w.settled(t)
			for _, who := range c.ends {
				if w.servers[all[who].Node].has(all[who]) {
					t.Errorf("%s is still there", who)
				}
				gone := all[who]
				delete(all, who)
				again := w.event(edge, gone.Scene(), gone.Stream.Name, gone.Query)
				v, err := w.ledger.Handle(t.Context(), again)
				if watches := gone == w.watchesRoom && c.again == media.RoomEnded; err != nil || v.Allow != watches {
					t.Errorf("%s comes again: %+v, %v", who, v, err)
				}
				if v.Allow {
					w.servers[edge].accept(again)
					all["again"] = again
				}
			}
			var stay []media.Event
			for _, e := range all {
				stay = append(stay, e)
			}
			w.later(t)
			w.wantOpen(t, stay...)
		})
	}
}

// later lets all sweeps pass.
func (b *bench) later(t *testing.T) {
	t.Helper()
	for range len(sweepPauses) + 2 {
		b.clock.advance(31 * time.Second)
		b.settled(t)
	}
	if n := b.count(t, "SELECT count(*) FROM revocations"); n != 0 {
		t.Errorf("%d revocations are kept for ever", n)
	}
}

// Who was let in by what was in force is on record only a moment later, when the
// revocation has been carried out already.
func TestWhoIsRecordedAfterTheRevocationIsCutOffTheSame(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice := b.somebody(t, "alice")
	token := b.liveToken(t, alice, "s")
	e := b.event(edge, media.Publish, "s", "token="+token.Token)
	stale := &stale{to: b.access.Decide(t.Context(), b.clock.now(), e)}
	if !stale.to.Allow {
		t.Fatal(stale.to)
	}
	if _, err := b.access.DestroyToken(t.Context(), access.Owner{ID: alice.ID}, token.Token); err != nil {
		t.Fatal(err)
	}
	b.settled(t) // and nobody was there
	b.ledger.Access = stale
	if v, err := b.ledger.Handle(t.Context(), e); err != nil || !v.Allow {
		t.Fatal(v, err)
	}
	b.servers[edge].accept(e)
	b.wantOpen(t, e)
	b.clock.advance(2 * time.Second)
	b.settled(t)
	b.wantOpen(t)
	if b.servers[edge].has(e) {
		t.Error("the client is still there")
	}
}

// stale is a process that decides by what it knew.
type stale struct{ to access.Decision }

func (s *stale) Decide(context.Context, time.Time, media.Event) access.Decision { return s.to }

func (s *stale) Recheck(time.Time, media.Event) access.Decision { return s.to }

// What was taken away and given back, or by another login, ends nobody who came
// by that.
func TestWhoComesByWhatIsInForceAgainStays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.somebody(t, "alice")
	system := account.System()
	gone := b.comes(t, edge, media.Publish, "s", "token="+b.logIn(t, "alice", alicesPassword).Value)
	if _, err := b.accounts.Update(t.Context(), system, "alice", account.Changes{Password: text("quite another password")}); err != nil {
		t.Fatal(err)
	}
	b.settled(t)
	stays := b.comes(t, edge, media.Publish, "s", "token="+b.logIn(t, "alice", "quite another password").Value)
	if gone.ClientID == stays.ClientID || b.servers[edge].has(gone) {
		t.Fatal("the first one is still there")
	}
	if err := b.access.Forbid(t.Context(), access.Ban{Vhost: media.DefaultVhost, App: "live", Stream: "s"}); err != nil {
		t.Fatal(err)
	}
	if err := b.access.Resume(t.Context(), media.DefaultVhost, "", "live", "s"); err != nil {
		t.Fatal(err)
	}
	b.later(t)
	b.wantOpen(t, stays)
}

// A key that signs in another way from now on lets in others by the same name.
func TestARuleThatSignsInAnotherWayEndsThoseFromBefore(t *testing.T) {
	t.Parallel()
	b := setup(t)
	write := func(scheme string) {
		t.Helper()
		_, err := b.access.WriteRule(t.Context(), access.WholeRule{Scene: media.Publish, Enabled: yes(), Validity: time.Hour,
			Keys: []access.WholeKey{{Secret: "one secret", Scheme: scheme}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	write("stagedoor")
	b.comes(t, edge, media.Publish, "s", b.signed(t, media.Publish, "s"))
	write("aliyun_a")
	b.settled(t)
	b.wantOpen(t)
	stays := b.comes(t, edge, media.Publish, "s", b.signed(t, media.Publish, "s"))
	write("aliyun_a") // the same again
	b.later(t)
	b.wantOpen(t, stays)
}

func TestARefreshTokenUsedTwiceEndsWhatTheLoginOpened(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.somebody(t, "alice")
	pair, err := b.accounts.LoginPair(t.Context(), "alice", alicesPassword, netip.MustParseAddr(address))
	if err != nil {
		t.Fatal(err)
	}
	b.comes(t, edge, media.Publish, "s", "token="+pair.Access.Value)
	next, err := b.accounts.Refresh(t.Context(), pair.Refresh)
	if err != nil {
		t.Fatal(err)
	}
	second := b.comes(t, edge, media.Play, "s", "token="+next.Access.Value)
	b.settled(t)
	if b.count(t, "SELECT count(*) FROM sessions WHERE ended_at IS NULL") != 2 {
		t.Fatal("a refresh ended somebody")
	}
	if _, err := b.accounts.Refresh(t.Context(), pair.Refresh); err == nil {
		t.Fatal("a token was used twice")
	}
	b.settled(t)
	b.wantOpen(t)
	b.refused(t, media.Play, "s", second.Query, media.TokenRevoked)
}
