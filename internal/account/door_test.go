package account

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

func (b *bundle) atDoor(t testing.TB, username, password string) (Principal, error) {
	t.Helper()
	return b.AtDoor(t.Context(), username, password, home())
}

func (b *bundle) refusedAtDoor(t testing.TB, username, password, reason string) {
	t.Helper()
	p, err := b.atDoor(t, username, password)
	if errs.As(err).Reason != reason || p.Username != "" {
		t.Errorf("%s: %v, %q; want %s", username, err, p.Username, reason)
	}
}

func TestAPasswordAtTheDoorIsHashedOnceAMinute(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice", func(n *NewAccount) { n.Push = "/live/*" })
	before := b.hashes.Load()
	for range 5 {
		p, err := b.atDoor(t, "Alice", goodPassword)
		if err != nil || p.Username != "alice" || !p.MayPush("/live/x") || p.MayPull("/live/x") || p.TokenID != "" {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	if n := b.hashes.Load() - before; n != 1 {
		t.Errorf("%d hashes, want 1", n)
	}
	b.clock.add(doorRightFor)
	if _, err := b.atDoor(t, "alice", goodPassword); err != nil || b.hashes.Load()-before != 2 {
		t.Errorf("after a minute: %v, %d hashes", err, b.hashes.Load()-before)
	}
}

func TestAWrongPasswordAtTheDoorCostsOneHashInFiveSeconds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	before := b.hashes.Load()
	for range 3 {
		b.refusedAtDoor(t, "alice", "guess number one", "invalid_credentials")
		b.refusedAtDoor(t, "nobody", "guess number one", "invalid_credentials")
	}
	if n := b.hashes.Load() - before; n != 2 {
		t.Errorf("%d hashes: a name that exists must cost what another costs", n)
	}
	if _, err := b.atDoor(t, "alice", goodPassword); err != nil {
		t.Errorf("the right one after wrong ones: %v", err)
	}
	b.clock.add(doorWrongFor)
	b.refusedAtDoor(t, "alice", "guess number one", "invalid_credentials")
	if n := b.hashes.Load() - before; n != 4 {
		t.Errorf("%d hashes after five seconds, want 4", n)
	}
}

func TestARememberedPasswordEndsWithTheAccountAtOnce(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, b *bundle){
		"disabled": func(t *testing.T, b *bundle) { b.update(t, "alice", Changes{Disabled: new(true)}) },
		"changed":  func(t *testing.T, b *bundle) { b.update(t, "alice", Changes{Password: new("an entirely other one")}) },
		"deleted": func(t *testing.T, b *bundle) {
			if err := b.DeleteAccount(t.Context(), System(), "alice"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.create(t, "alice")
			if _, err := b.atDoor(t, "alice", goodPassword); err != nil {
				t.Fatal(err)
			}
			b.clock.add(time.Second)
			end(t, b)
			b.refusedAtDoor(t, "alice", goodPassword, "invalid_credentials")
		})
	}
}

func TestRightsAtTheDoorAreThoseOfThisMoment(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	if p, err := b.atDoor(t, "alice", goodPassword); err != nil || p.MayPull("/live/x") {
		t.Fatalf("%+v, %v", p, err)
	}
	b.clock.add(time.Second)
	b.update(t, "alice", Changes{Pull: new("/live/*")})
	if p, err := b.atDoor(t, "alice", goodPassword); err != nil || !p.MayPull("/live/x") {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestGuessingAtTheDoorIsSlowedAsAtTheLogin(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	for i := range 8 {
		b.refusedAtDoor(t, "alice", "guess number "+string(rune('a'+i)), "invalid_credentials")
	}
	b.refusedAtDoor(t, "alice", "guess number z", "too_many_attempts")
	if _, err := b.Login(t.Context(), "alice", goodPassword, home(), 0); errs.As(err).Reason != "too_many_attempts" {
		t.Errorf("the login counts on its own: %v", err)
	}
	if _, err := b.AtDoor(t.Context(), "alice", goodPassword, netip.MustParseAddr("203.0.113.200")); err != nil {
		t.Errorf("the owner elsewhere: %v", err)
	}
}

func TestAWholeCrowdAtTheDoorDoesNotFillTheQueueOfLogins(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	hold := make(chan struct{})
	b.passwords.onHash = func() { <-hold }
	var crowd sync.WaitGroup
	busy := make(chan struct{}, 100)
	for i := range 100 {
		crowd.Go(func() {
			_, err := b.AtDoor(t.Context(), "alice", "guess", netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}))
			if errs.As(err).Reason == "busy" {
				busy <- struct{}{}
			}
		})
	}
	for range 100 - doorQueue {
		<-busy
	}
	b.passwords.line.mu.Lock()
	if n := len(b.passwords.line.waiting); n > doorQueue {
		t.Errorf("%d wait for a hash", n)
	}
	b.passwords.line.mu.Unlock()
	close(hold)
	crowd.Wait()
}

func TestTheDoorSaysWhenThereIsNoDatabase(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	if _, err := b.atDoor(t, "alice", goodPassword); err != nil {
		t.Fatal(err)
	}
	b.db.down.Store(true)
	if _, err := b.atDoor(t, "alice", goodPassword); err != nil {
		t.Errorf("who was let in a moment ago: %v", err)
	}
	if _, err := b.atDoor(t, "alice", "another password"); errs.KindOf(err) != errs.Unavailable {
		t.Errorf("who was not: %v", err)
	}
}
