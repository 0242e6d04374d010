package access

import (
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

func TestTokenPairOpensItsStreamAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	lt := b.token(t, b.account(t, "alice", 0), "x")
	if lt.Username != "alice" || lt.App != "live" || lt.Stream != "x" || !lt.CreatedAt.Equal(start) || lt.Token == lt.PlayToken {
		t.Errorf("pair %+v", lt)
	}
	before := b.spy.statements.Load()
	b.reason(t, publish("x", "token="+lt.Token), media.Allowed)
	b.reason(t, play("x", "token="+lt.Token), media.Allowed)
	b.reason(t, play("x", "token="+lt.PlayToken), media.Allowed)
	b.reason(t, publish("x", "token="+lt.PlayToken), media.WrongScene)
	b.reason(t, publish("y", "token="+lt.Token), media.WrongStream)
	if n := b.spy.statements.Load() - before; n != 0 {
		t.Errorf("deciding cost %d statements", n)
	}
}

func TestTokensPassEveryMediaServersParser(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice := b.account(t, "alice", 0)
	seen := map[string]bool{}
	for range 20 {
		lt := b.token(t, alice, "x")
		for _, secret := range []string{lt.Token, lt.PlayToken} {
			if seen[secret] || !regexp.MustCompile(`^[A-Za-z0-9_-]{48}$`).MatchString(secret) {
				t.Errorf("secret %q", secret)
			}
			seen[secret] = true
		}
	}
}

func TestStreamNamesAreLimitedToWhatPassesUnharmed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice := b.account(t, "alice", 0)
	for name, want := range map[string]string{"x": "live/x", "vod/x": "vod/x", "A-z_0": "live/A-z_0", strings.Repeat("a", 128): "live/" + strings.Repeat("a", 128)} {
		if lt := b.token(t, alice, name); lt.App+"/"+lt.Stream != want {
			t.Errorf("%q is %s/%s", name, lt.App, lt.Stream)
		}
	}
	for _, name := range []string{"", "/", "/x", "live/", "a/b/x", "x.flv", "x y", "房间", "x?token=1", "..", "x\n", "x%2e", "__defaultVhost__/live/x", strings.Repeat("a", 129)} {
		_, err := b.CreateToken(t.Context(), alice, name, 0)
		if errs.As(err).Reason != "invalid_stream" {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestRotationRevokesTheOldPair(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice := b.account(t, "alice", 0)
	old, fresh := b.token(t, alice, "x"), b.token(t, alice, "x")
	b.reason(t, publish("x", "token="+old.Token), media.TokenRevoked)
	b.reason(t, play("x", "token="+old.PlayToken), media.TokenRevoked)
	b.reason(t, publish("x", "token="+fresh.Token), media.Allowed)
	list, err := b.Tokens(t.Context(), alice)
	if err != nil || len(list) != 1 || list[0].Token != fresh.Token || list[0].PlayToken != fresh.PlayToken {
		t.Errorf("listed %+v, error %v", list, err)
	}
}

func TestLevelsAreBoundedByTheOwners(t *testing.T) {
	t.Parallel()
	b := setup(t)
	low, high := b.account(t, "low", 0), b.account(t, "high", 5)
	for _, c := range []struct {
		o      Owner
		level  int
		reason string
	}{{low, 0, ""}, {low, 1, "level_too_high"}, {high, 5, ""}, {high, 6, "level_too_high"}, {high, -1, "invalid_level"}, {low, -1, "invalid_level"}} {
		lt, err := b.CreateToken(t.Context(), c.o, c.o.Username, c.level)
		if c.reason == "" && (err != nil || lt.Level != c.level) {
			t.Errorf("%s at %d: %+v, %v", c.o.Username, c.level, lt, err)
		}
		if c.reason != "" && (errs.As(err).Reason != c.reason || lt != LiveToken{}) {
			t.Errorf("%s at %d: %+v, %v", c.o.Username, c.level, lt, err)
		}
	}
	_, err := b.CreateToken(t.Context(), low, "x", 1)
	wantErr(t, err, errs.Forbidden, "level_too_high")
	list, err := b.Tokens(t.Context(), high)
	if err != nil || len(list) != 2 || list[1].Level != 5 || list[1].Username != "high" {
		t.Errorf("listed %+v, error %v", list, err)
	}
}

func TestStreamOfSomebodyElseCannotBeClaimed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob, boss := b.account(t, "alice", 0), b.account(t, "bob", 0), b.account(t, "boss", 9)
	b.owners["live/room"] = "alice"
	held := b.token(t, alice, "x")
	for _, who := range []Owner{bob, boss} {
		for _, stream := range []string{"x", "room"} {
			lt, err := b.CreateToken(t.Context(), who, stream, 0)
			wantErr(t, err, errs.Forbidden, "stream_taken")
			if lt != (LiveToken{}) {
				t.Errorf("%s got %+v", who.Username, lt)
			}
		}
	}
	b.reason(t, publish("x", "token="+held.Token), media.Allowed)
	b.token(t, alice, "room")   // her own room
	b.token(t, bob, "vod/room") // another app

	// Who gives a stream up leaves it to the next.
	if err := destroy(t, b, alice, held.Token); err != nil {
		t.Fatal(err)
	}
	b.token(t, bob, "x")
}

func TestUnknownOwnershipIsAnErrorAndNotAPermission(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := b.CreateToken(t.Context(), b.account(t, "alice", 0), "broken", 0); !errors.Is(err, errOwnersDown) {
		t.Errorf("error %v", err)
	}
}

// Of those who want a stream at the same moment one gets it, and only she may
// rotate it: a rotation under way must not open the door to another.
func TestConcurrentClaimsHaveOneWinner(t *testing.T) {
	t.Parallel()
	b := setup(t)
	people := []Owner{b.account(t, "alice", 0), b.account(t, "bob", 0), b.account(t, "carol", 0)}
	var mu sync.Mutex
	won := map[string]int{}
	var wg sync.WaitGroup
	for range 6 {
		for _, who := range people {
			wg.Go(func() {
				_, err := b.CreateToken(t.Context(), who, "x", 0)
				if err != nil {
					if errs.As(err).Reason != "stream_taken" {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				defer mu.Unlock()
				won[who.Username]++
			})
		}
	}
	wg.Wait()
	if len(won) != 1 {
		t.Errorf("the stream went to %v", won)
	}
	for name, times := range won {
		if times != 6 {
			t.Errorf("%s rotated %d times of 6", name, times)
		}
	}
	var live int
	if err := b.pool.QueryRow(t.Context(), "SELECT count(*) FROM live_tokens WHERE revoked_at IS NULL").Scan(&live); err != nil || live != 1 {
		t.Errorf("%d pairs are live, error %v", live, err)
	}
}

func TestDestroyedTokenIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob, boss := b.account(t, "alice", 0), b.account(t, "bob", 0), b.account(t, "boss", 1)
	lt := b.token(t, alice, "x")
	wantErr(t, destroy(t, b, bob, lt.Token), errs.NotFound, "token_not_found")
	wantErr(t, destroy(t, b, alice, lt.PlayToken), errs.NotFound, "token_not_found")
	wantErr(t, destroy(t, b, alice, ""), errs.NotFound, "token_not_found")
	b.reason(t, publish("x", "token="+lt.Token), media.Allowed)

	if err := destroy(t, b, alice, lt.Token); err != nil {
		t.Fatal(err)
	}
	b.reason(t, publish("x", "token="+lt.Token), media.TokenRevoked)
	b.reason(t, play("x", "token="+lt.PlayToken), media.TokenRevoked)
	wantErr(t, destroy(t, b, alice, lt.Token), errs.NotFound, "token_not_found")

	other := b.token(t, alice, "y")
	if err := destroy(t, b, boss, other.Token); err != nil {
		t.Errorf("who manages tokens may not destroy another's: %v", err)
	}
	b.reason(t, publish("y", "token="+other.Token), media.TokenRevoked)
}

func TestTokensAreListedToTheirOwnerAndToManagers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob, boss := b.account(t, "alice", 0), b.account(t, "bob", 0), b.account(t, "boss", 1)
	b.token(t, alice, "a")
	b.token(t, bob, "b")
	for who, want := range map[Owner]string{alice: "a", bob: "b", boss: "ab"} {
		list, err := b.Tokens(t.Context(), who)
		var got strings.Builder
		for _, lt := range list {
			got.WriteString(lt.Stream)
		}
		if err != nil || got.String() != want {
			t.Errorf("%s sees %q, error %v; want %q", who.Username, got.String(), err, want)
		}
	}
	if list, err := b.Tokens(t.Context(), b.account(t, "dave", 0)); err != nil || list == nil || len(list) != 0 {
		t.Errorf("dave sees %+v, error %v", list, err)
	}
}

func TestTokensFallAndRiseWithTheirAccount(t *testing.T) {
	t.Parallel()
	b := setup(t)
	lt := b.token(t, b.account(t, "Alice", 0), "x")
	apply := func() {
		t.Helper()
		if err := b.Apply(t.Context(), b.pool, change("accounts", "Alice")); err != nil {
			t.Fatal(err)
		}
	}
	b.exec(t, "UPDATE accounts SET disabled_at = now()")
	apply()
	b.reason(t, publish("x", "token="+lt.Token), media.TokenRevoked)
	b.exec(t, "UPDATE accounts SET disabled_at = NULL")
	apply()
	b.reason(t, publish("x", "token="+lt.Token), media.Allowed)
	b.reason(t, play("x", "token="+lt.PlayToken), media.Allowed)

	// Nobody without an account has a token.
	b.exec(t, "DELETE FROM accounts")
	if err := b.Reload(t.Context(), b.pool); err != nil {
		t.Fatal(err)
	}
	b.reason(t, publish("x", "token="+lt.Token), media.TokenUnknown)
}

func TestDestroyedTokensAreForgottenAfterAWeek(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice := b.account(t, "alice", 0)
	old, live := b.token(t, alice, "x"), b.token(t, alice, "y")
	if err := destroy(t, b, alice, old.Token); err != nil {
		t.Fatal(err)
	}
	rows := func() (n int) {
		t.Helper()
		if err := b.pool.QueryRow(t.Context(), "SELECT count(*) FROM live_tokens").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, c := range []struct {
		after time.Duration
		left  int
		want  media.Reason
	}{{revokedKept, 2, media.TokenRevoked}, {time.Second, 1, media.TokenUnknown}} {
		b.clock.advance(c.after)
		if err := b.PurgeTokens(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := b.Reload(t.Context(), b.pool); err != nil {
			t.Fatal(err)
		}
		if n := rows(); n != c.left {
			t.Errorf("%d rows are left, want %d", n, c.left)
		}
	}
	b.reason(t, publish("x", "token="+old.Token), media.TokenUnknown)
	b.reason(t, publish("y", "token="+live.Token), media.Allowed)
}

func TestDatabaseTroubleIsSaidToBeTemporary(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice := b.account(t, "alice", 0)
	lt := b.token(t, alice, "x")
	b.pool.Close()
	_, listErr := b.Tokens(t.Context(), alice)
	_, createErr := b.CreateToken(t.Context(), alice, "y", 0)
	_, rulesErr := b.Rules(t.Context())
	_, ruleErr := b.CreateRule(t.Context(), NewRule{Scene: media.Play})
	for i, err := range []error{listErr, createErr, rulesErr, ruleErr, destroy(t, b, alice, lt.Token), b.EnsureDefaults(t.Context()),
		b.DeleteRule(t.Context(), 1), b.PurgeTokens(t.Context())} {
		if errs.KindOf(err) != errs.Unavailable {
			t.Errorf("%d: %v", i, err)
		}
	}
	b.reason(t, publish("x", "token="+lt.Token), media.Allowed)
}
