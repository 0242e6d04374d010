package access

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

func TestTokenOfAnotherProcessIsFoundBeforeTheFeedBringsIt(t *testing.T) {
	t.Parallel()
	here := setup(t)
	there := here.another(t)
	alice := here.account(t, "alice", 0)
	for stream, e := range map[string]func(lt LiveToken) media.Event{
		"a": func(lt LiveToken) media.Event { return publish("a", "token="+lt.Token) },
		"b": func(lt LiveToken) media.Event { return play("b", "token="+lt.PlayToken) },
		"c": func(lt LiveToken) media.Event { return play("c", "play_token="+lt.PlayToken) },
		"d": func(lt LiveToken) media.Event { return play("d", "play_token="+lt.Token) },
	} {
		lt := here.token(t, alice, stream)
		before := there.spy.statements.Load()
		there.reason(t, e(lt), media.Allowed)
		there.reason(t, e(lt), media.Allowed)
		there.reason(t, play(stream, "token="+lt.PlayToken), media.Allowed) // the pair came as a whole
		if n := there.spy.statements.Load() - before; n != 1 {
			t.Errorf("%s cost %d look-ups", stream, n)
		}
	}
	revoked := here.token(t, alice, "e")
	if err := destroy(t, here, alice, revoked.Token); err != nil {
		t.Fatal(err)
	}
	there.reason(t, publish("e", "token="+revoked.Token), media.TokenRevoked)
	there.reason(t, publish("y", "token="+here.token(t, alice, "f").Token), media.WrongStream)
	disabled := here.token(t, here.account(t, "mallory", 0), "g")
	here.exec(t, "UPDATE accounts SET disabled_at = now() WHERE username = 'mallory'")
	there.reason(t, publish("g", "token="+disabled.Token), media.TokenRevoked)
}

// A row that was read just before its revocation must not undo it.
func TestLookUpDoesNotUndoARevocationThatOvertookIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice := b.account(t, "alice", 0)
	lt := b.token(t, alice, "x")
	h := hashToken(lt.Token)
	rows, err := b.q.LiveTokenAccessByHash(t.Context(), b.pool, h[:])
	if err != nil || len(rows) != 1 {
		t.Fatalf("rows %v, error %v", rows, err)
	}
	if err := destroy(t, b, alice, lt.Token); err != nil {
		t.Fatal(err)
	}
	b.view.learnTokens(rows)
	b.reason(t, publish("x", "token="+lt.Token), media.TokenRevoked)
}

func TestGarbageNeverReachesTheDatabase(t *testing.T) {
	t.Parallel()
	here := setup(t)
	there := here.another(t)
	lt := here.token(t, here.account(t, "alice", 0), "x")
	forged := []byte(lt.Token)
	forged[10] ^= 1
	before := there.spy.statements.Load()
	for _, value := range []string{"", "a", string(forged), lt.Token[:47], lt.Token + "A", strings.Repeat("A", 48), strings.Repeat("=", 48), strings.Repeat("é", 24)} {
		there.reason(t, publish("x", "token="+value), media.TokenUnknown)
	}
	for i := range 5 * lookupsPerSecond {
		there.reason(t, publish("x", "token="+strings.Repeat("g", 40+i%16)), media.TokenUnknown)
	}
	if n := there.spy.statements.Load() - before; n != 0 {
		t.Errorf("%d statements", n)
	}
	there.reason(t, publish("x", "token="+lt.Token), media.Allowed)
}

func TestMissingTokenIsNotAskedForAgainForAWhile(t *testing.T) {
	t.Parallel()
	b := setup(t)
	gone, err := b.newSecret() // ours, and in no database: purged long ago
	if err != nil {
		t.Fatal(err)
	}
	ask := func() (statements int64) {
		before := b.spy.statements.Load()
		b.reason(t, publish("x", "token="+gone), media.TokenUnknown)
		return b.spy.statements.Load() - before
	}
	for i, want := range []int64{1, 0, 0} {
		if got := ask(); got != want {
			t.Errorf("question %d cost %d statements, want %d", i+1, got, want)
		}
	}
	b.clock.advance(missTTL - time.Nanosecond)
	if got := ask(); got != 0 {
		t.Errorf("just before the end it cost %d statements", got)
	}
	b.clock.advance(time.Nanosecond)
	if got := ask(); got != 1 {
		t.Errorf("after it %d statements", got)
	}
}

func TestLookUpsAreLimited(t *testing.T) {
	t.Parallel()
	b := setup(t)
	before := b.spy.statements.Load()
	count := map[media.Reason]int{}
	for range lookupsPerSecond + 50 {
		gone, err := b.newSecret()
		if err != nil {
			t.Fatal(err)
		}
		count[b.ask(t, publish("x", "token="+gone)).Reason]++
	}
	if n := b.spy.statements.Load() - before; n != lookupsPerSecond {
		t.Errorf("%d statements", n)
	}
	if count[media.TokenUnknown] != lookupsPerSecond || count[media.TemporarilyUnavailable] != 50 {
		t.Errorf("answers %v", count)
	}
	b.clock.advance(time.Second)
	gone, err := b.newSecret()
	if err != nil {
		t.Fatal(err)
	}
	b.reason(t, publish("x", "token="+gone), media.TokenUnknown)
}

func TestUnknownTokenWithoutADatabaseMayBeGoodLater(t *testing.T) {
	t.Parallel()
	here := setup(t)
	there := here.another(t)
	alice := here.account(t, "alice", 0)
	lt := here.token(t, alice, "x")
	known := here.token(t, alice, "y")
	there.reason(t, publish("y", "token="+known.Token), media.Allowed)

	there.spy.down.Store(true)
	there.reason(t, publish("x", "token="+lt.Token), media.TemporarilyUnavailable)
	there.reason(t, publish("y", "token="+known.Token), media.Allowed) // from memory
	there.reason(t, publish("x", "token=garbage"), media.TokenUnknown)
	there.spy.down.Store(false)
	there.reason(t, publish("x", "token="+lt.Token), media.Allowed)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if d := here.another(t).Decide(ctx, start, publish("x", "token="+lt.Token)); d.Reason != media.TemporarilyUnavailable {
		t.Errorf("for a client that is gone: %s", d.Reason)
	}
}
