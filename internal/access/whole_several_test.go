package access

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// Whatever is written in whatever order, what is shown is what was written
// last, every key of it opens, and every other one that ever was does not.
func TestAnySequenceOfWritesLeavesTheLast(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pool := []WholeKey{typeB("aaaaaaaa"), typeB("b"), typeCustom("aaaaaaaa"), typeCustom("cccccccc"), {Secret: "dddddddd", Scheme: "volcengine_a"}, {Secret: "eeeeeeee", Scheme: "aliyun_a"}}
	seed := uint64(time.Now().UnixNano())
	rnd := rand.New(rand.NewPCG(seed, 1))
	for range 40 {
		var keys []WholeKey
		for _, i := range rnd.Perm(len(pool))[:1+rnd.IntN(len(pool))] {
			keys = append(keys, pool[i])
		}
		r := b.write(t, keys...)
		if shown := b.reveal(t); !sameKeys(shown.Keys, keys) {
			t.Fatalf("seed %d: shown %+v, written %+v", seed, shown.Keys, keys)
		}
		if active := strings.Count(statesOf(r.Keys), string(KeyActive)); active != 1 {
			t.Fatalf("seed %d: %d active keys", seed, active)
		}
		if rnd.IntN(4) == 0 { // an operator moves keys about
			b.setState(t, r.ID, b.reveal(t).Rule.Keys[rnd.IntN(len(keys))].ID, []KeyState{KeyNext, KeyActive, KeyRetiring}[rnd.IntN(3)])
		}
		for _, k := range pool {
			got := b.ask(t, play("x", queryOf(t, k)))
			if want := slices.ContainsFunc(keys, func(w WholeKey) bool { return sameKeys([]WholeKey{w}, []WholeKey{k}) }); got.Allow != want {
				t.Fatalf("seed %d: %+v is %s under %+v", seed, k, got.Reason, keys)
			}
		}
	}
}

func TestWritersAtOnceLeaveOneOfTheirRules(t *testing.T) {
	t.Parallel()
	b := setup(t)
	writes := make([][]WholeKey, 8)
	processes := []*bundle{b, b.another(t)}
	var wg sync.WaitGroup
	for i := range writes {
		writes[i] = []WholeKey{typeB("shared"), typeB(fmt.Sprintf("own%d", i)), typeCustom("shared")}
		slices.Reverse(writes[i][:1+i%3])
		wg.Go(func() {
			if _, err := processes[i%2].WriteRule(t.Context(), WholeRule{Scene: media.Play, Keys: writes[i]}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	shown := b.reveal(t)
	if !slices.ContainsFunc(writes, func(w []WholeKey) bool { return sameKeys(w, shown.Keys) }) || strings.Count(statesOf(shown.Rule.Keys), "active") != 1 {
		t.Errorf("shown: %+v", shown)
	}
}

func TestAWholeRuleIsKnownToEveryProcess(t *testing.T) {
	t.Parallel()
	here := setup(t)
	there := here.follow(t)
	began := time.Now()
	here.write(t, typeB("aaaaaaaa"), typeCustom("bbbbbbbb"))
	there.CatchUp(t)
	t.Logf("known to the other process after %v", time.Since(began))
	if here.signed(t) != there.signed(t) {
		t.Error("two processes sign differently")
	}
	for _, k := range []WholeKey{typeB("aaaaaaaa"), typeCustom("bbbbbbbb")} {
		there.reason(t, play("x", queryOf(t, k)), media.Allowed)
	}
	here.write(t, typeCustom("aaaaaaaa")) // the same key by another scheme
	there.CatchUp(t)
	there.reason(t, play("x", queryOf(t, typeCustom("aaaaaaaa"))), media.Allowed)
	there.reason(t, play("x", queryOf(t, typeB("aaaaaaaa"))), media.NoCredential) // nobody looks for these parameters now
	there.reason(t, play("x", queryOf(t, typeCustom("bbbbbbbb"))), media.KeyRevoked)
	if _, err := there.EnableRule(t.Context(), "", "", "", media.Play, false); err != nil {
		t.Fatal(err)
	}
	if err := here.Reload(t.Context(), here.pool); err != nil {
		t.Fatal(err)
	}
	if !here.signsNothing() || !there.signsNothing() {
		t.Error("a rule that is off signs")
	}
	there.reason(t, play("x", ""), media.OpenPolicy)

	fresh := here.another(t)
	if err := fresh.Reload(t.Context(), fresh.pool); err != nil {
		t.Fatal(err)
	}
	fresh.reason(t, play("x", queryOf(t, typeCustom("aaaaaaaa"))), media.Allowed)
	fresh.reason(t, play("x", queryOf(t, typeCustom("bbbbbbbb"))), media.KeyRevoked)
}

func (b *bundle) signsNothing() bool {
	return b.SignQuery(media.Play, "pull.example", stream("x"), "/live/x", start) == ""
}
