package access

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// signed returns a query for playing live/x under the present active key.
func (b *bundle) signed(t testing.TB) string {
	t.Helper()
	q := b.SignQuery(media.Play, "pull.example", stream("x"), "/live/x", b.clock.now().Add(time.Hour))
	if q == "" {
		t.Fatal("nothing was signed")
	}
	return q
}

// states tells the keys of a rule with their states, oldest first.
func (b *bundle) states(t testing.TB, rule int64) string {
	t.Helper()
	rules, err := b.Rules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range rules {
		for _, k := range r.Keys {
			if r.ID == rule {
				out = append(out, string(k.State))
			}
		}
	}
	return strings.Join(out, " ")
}

func (b *bundle) setState(t testing.TB, rule int64, kid string, state KeyState) {
	t.Helper()
	if err := b.SetKeyState(t.Context(), rule, kid, state); err != nil {
		t.Fatal(err)
	}
}

func TestKeyRotationNeverRefusesAGoodURL(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.rule(t, NewRule{Scene: media.Play})
	first := r.Keys[0].ID
	byFirst := b.signed(t)

	second, err := b.AddKey(t.Context(), r.ID, "", false)
	if err != nil || second.State != KeyNext {
		t.Fatalf("%+v, %v", second, err)
	}
	if !strings.Contains(b.signed(t), "-"+first+"-") {
		t.Error("a key signs before it is active")
	}
	b.setState(t, r.ID, second.ID, KeyActive)
	if got := b.states(t, r.ID); got != "retiring active" {
		t.Errorf("after activation: %s", got)
	}
	bySecond := b.signed(t)
	if !strings.Contains(bySecond, "-"+second.ID+"-") {
		t.Errorf("signed by another key than %s: %s", second.ID, bySecond)
	}
	b.reason(t, play("x", byFirst), media.Allowed)
	b.reason(t, play("x", bySecond), media.Allowed)

	b.setState(t, r.ID, first, KeyRevoked)
	b.reason(t, play("x", byFirst), media.KeyRevoked)
	b.reason(t, play("y", byFirst), media.SignatureMismatch)
	b.reason(t, play("x", bySecond), media.Allowed)

	third, err := b.AddKey(t.Context(), r.ID, "third-key-secret", true)
	if err != nil || third.State != KeyActive {
		t.Fatalf("%+v, %v", third, err)
	}
	if got := b.states(t, r.ID); got != "revoked retiring active" {
		t.Errorf("after a new active key: %s", got)
	}
	b.reason(t, play("x", bySecond), media.Allowed)
	b.setState(t, r.ID, second.ID, KeyActive) // back again
	if got := b.states(t, r.ID); got != "revoked active retiring" {
		t.Errorf("after going back: %s", got)
	}
}

func TestNextKeyVerifiesBeforeItSigns(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.rule(t, NewRule{Scene: media.Play, Secret: "first-secret"})
	if _, err := b.AddKey(t.Context(), r.ID, "shared-secret", false); err != nil {
		t.Fatal(err)
	}
	// Another installation has activated the same secret already.
	ahead := setup(t)
	ahead.rule(t, NewRule{Scene: media.Play, Scheme: "aliyun_a", Secret: "shared-secret"})
	q := ahead.signed(t)
	typeA := b.rule(t, NewRule{Scene: media.Play, Domain: "pull.example", Scheme: "aliyun_a", Secret: "first-secret"})
	b.reason(t, play("x", q), media.SignatureMismatch)
	if _, err := b.AddKey(t.Context(), typeA.ID, "shared-secret", false); err != nil {
		t.Fatal(err)
	}
	b.reason(t, play("x", q), media.Allowed)
}

func TestRevokedKeyStaysRevoked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.rule(t, NewRule{Scene: media.Play})
	q, first := b.signed(t), r.Keys[0].ID
	b.setState(t, r.ID, first, KeyRevoked)
	if got := b.SignQuery(media.Play, "", stream("x"), "/live/x", start); got != "" {
		t.Errorf("a revoked key signs %q", got)
	}
	second, err := b.AddKey(t.Context(), r.ID, "", true)
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range []KeyState{KeyActive, KeyNext, KeyRetiring, KeyRevoked} {
		wantErr(t, b.SetKeyState(t.Context(), r.ID, first, state), errs.NotFound, "key_not_found")
	}
	if got := b.states(t, r.ID); got != "revoked active" {
		t.Errorf("a failed activation retired the active key %s: %s", second.ID, got)
	}
	b.reason(t, play("x", q), media.KeyRevoked)
}

func TestKeysAreChecked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.rule(t, NewRule{Scene: media.Play})
	_, err := b.AddKey(t.Context(), r.ID, "short", false)
	wantErr(t, err, errs.Invalid, "invalid_secret")
	for _, activate := range []bool{true, false} {
		_, err = b.AddKey(t.Context(), r.ID+100, "", activate)
		wantErr(t, err, errs.NotFound, "rule_not_found")
	}
	wantErr(t, b.SetKeyState(t.Context(), r.ID, "nobody", KeyActive), errs.NotFound, "key_not_found")
	wantErr(t, b.SetKeyState(t.Context(), r.ID, r.Keys[0].ID, "lost"), errs.Invalid, "invalid_state")
	wantErr(t, b.SetKeyState(t.Context(), r.ID+100, r.Keys[0].ID, KeyRetiring), errs.NotFound, "key_not_found")
	wantErr(t, b.SetKeyState(t.Context(), r.ID+100, r.Keys[0].ID, KeyActive), errs.NotFound, "rule_not_found")
	if got := b.states(t, r.ID); got != "active" {
		t.Errorf("states %s", got)
	}
}

func TestOneKeyIsActiveWhateverHappensAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.rule(t, NewRule{Scene: media.Play})
	other, err := b.AddKey(t.Context(), r.ID, "", false)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	try := func(change func() error) {
		wg.Go(func() {
			if err := change(); err != nil {
				t.Error(err)
			}
		})
	}
	for range 8 {
		try(func() error { _, err := b.AddKey(t.Context(), r.ID, "", true); return err })
		try(func() error { return b.SetKeyState(t.Context(), r.ID, other.ID, KeyActive) })
		try(func() error { return b.SetKeyState(t.Context(), r.ID, r.Keys[0].ID, KeyActive) })
	}
	wg.Wait()
	if got := strings.Count(b.states(t, r.ID), string(KeyActive)); got != 1 {
		t.Errorf("%d keys are active: %s", got, b.states(t, r.ID))
	}
	// Memory has to agree with the database on which one it is.
	var active string
	if err := b.pool.QueryRow(t.Context(), "SELECT kid FROM signing_keys WHERE state = 'active'").Scan(&active); err != nil {
		t.Fatal(err)
	}
	if q := b.signed(t); !strings.Contains(q, "-"+active+"-") {
		t.Errorf("%s is active, signed was %s", active, q)
	}
}

func TestKeyUseIsWrittenDownWithoutGoingBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.rule(t, NewRule{Scene: media.Play})
	lastUsed := func() *time.Time {
		t.Helper()
		rules, err := b.Rules(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return rules[0].Keys[0].LastUsed
	}
	flush := func() {
		t.Helper()
		if err := b.FlushKeyUse(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	q := b.signed(t)
	flush()
	if lastUsed() != nil {
		t.Error("signing counts as use, or nothing does")
	}
	b.reason(t, play("y", q), media.SignatureMismatch)
	flush()
	if lastUsed() != nil {
		t.Error("a refusal counts as use")
	}
	b.reason(t, play("x", q), media.Allowed)
	flush()
	if at := lastUsed(); at == nil || !at.Equal(start) {
		t.Errorf("last used %v", at)
	}
	before := b.spy.statements.Load()
	flush()
	if b.spy.statements.Load() != before {
		t.Error("there was nothing to write")
	}

	b.clock.advance(time.Minute)
	b.reason(t, play("x", q), media.Allowed)
	b.exec(t, "UPDATE signing_keys SET last_used_at = $1 WHERE rule_id = $2", start.Add(time.Hour), r.ID) // by a process ahead of us
	flush()
	if at := lastUsed(); !at.Equal(start.Add(time.Hour)) {
		t.Errorf("the newer use is lost: %v", at)
	}
}

func TestKeyUseThatCouldNotBeWrittenIsKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.rule(t, NewRule{Scene: media.Play})
	q := b.signed(t)
	b.reason(t, play("x", q), media.Allowed)
	b.spy.down.Store(true)
	if err := b.FlushKeyUse(t.Context()); errs.KindOf(err) != errs.Unavailable {
		t.Errorf("error %v", err)
	}
	b.spy.down.Store(false)
	if err := b.FlushKeyUse(t.Context()); err != nil {
		t.Fatal(err)
	}
	rules, err := b.Rules(t.Context())
	if err != nil || rules[0].Keys[0].LastUsed == nil {
		t.Errorf("the use is lost; error %v", err)
	}
}

func TestKeyIdsPassEveryScheme(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.rule(t, NewRule{Scene: media.Play})
	seen := []string{r.Keys[0].ID}
	for range 5 {
		k, err := b.AddKey(t.Context(), r.ID, "", true)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(seen, k.ID) || len(k.ID) != 6 {
			t.Errorf("key id %q after %q", k.ID, seen)
		}
		seen = append(seen, k.ID)
		b.reason(t, play("x", b.signed(t)), media.Allowed)
	}
}

func TestWithoutRandomnessNothingIsMade(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.rule(t, NewRule{Scene: media.Publish})
	alice := b.account(t, "alice", 0)
	broken := errors.New("no entropy")
	b.Rand = iotest.ErrReader(broken)
	_, ruleErr := b.CreateRule(t.Context(), NewRule{Scene: media.Play})
	_, keyErr := b.AddKey(t.Context(), r.ID, "", true)
	lt, tokenErr := b.CreateToken(t.Context(), alice, "x", 0)
	for i, err := range []error{ruleErr, keyErr, tokenErr} {
		if !errors.Is(err, broken) {
			t.Errorf("%d: error %v", i, err)
		}
	}
	if lt != (LiveToken{}) {
		t.Errorf("token %+v", lt)
	}
	rules, err := b.Rules(t.Context())
	if err != nil || len(rules) != 1 || b.states(t, r.ID) != "active" {
		t.Errorf("left behind %+v, error %v", rules, err)
	}
}
