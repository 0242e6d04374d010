package access

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

func tokenRowOf(id int64, stream, username string, version int) db.LiveTokenAccess {
	p, v := hashToken(fmt.Sprintf("publish-%d-%d", id, version)), hashToken(fmt.Sprintf("play-%d-%d", id, version))
	return db.LiveTokenAccess{ID: id, App: "live", Stream: stream, Username: username, TokenHash: p[:], PlayHash: v[:]}
}

// Whatever is put and dropped in whatever order, what is found is what a plain
// map would have.
func TestTokensAreThoseOfAPlainMap(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	rnd := rand.New(rand.NewPCG(seed, 1))
	tokens, plain := newTokens(), map[int64]db.LiveTokenAccess{}
	longName := strings.Repeat("n", inlineStream+1)
	for step := range 5000 {
		id := int64(rnd.IntN(1000))
		if rnd.IntN(3) == 0 {
			tokens.drop(id)
			delete(plain, id)
			continue
		}
		name := []string{fmt.Sprint("s", id), longName[:inlineStream], longName + fmt.Sprint(id)}[rnd.IntN(3)]
		row := tokenRowOf(id, name, fmt.Sprint("user-", id%7), step)
		if rnd.IntN(5) == 0 {
			row.RevokedAt = &start
		}
		tokens.put(row, false)
		plain[id] = row
	}
	if len(tokens.byID) != len(plain) || len(tokens.places) != 2*len(plain) || int(tokens.used) != len(plain)+len(tokens.free) {
		t.Fatalf("seed %d: %d ids, %d hashes, %d entries of which %d are free, for %d tokens", seed, len(tokens.byID), len(tokens.places), tokens.used,
			len(tokens.free), len(plain))
	}
	long := 0
	for id, row := range plain {
		if len(row.Stream) > inlineStream {
			long++
		}
		for publish, hash := range map[bool]tokenHash{true: tokenHash(row.TokenHash), false: tokenHash(row.PlayHash)} {
			want := liveToken{id: id, app: "live", stream: row.Stream, username: row.Username, publish: publish, revoked: row.RevokedAt != nil}
			for _, asked := range []string{row.Stream, "another"} {
				if got, ok := tokens.get(hash, asked); !ok || got != want {
					t.Fatalf("seed %d: %+v, want %+v", seed, got, want)
				}
			}
		}
	}
	if len(tokens.long) != long {
		t.Errorf("seed %d: %d long names are kept for %d tokens", seed, len(tokens.long), long)
	}
}

// A secret whose hash only begins like that of a token opens nothing.
func TestTheWholeHashOfATokenCounts(t *testing.T) {
	t.Parallel()
	tokens := newTokens()
	row := tokenRowOf(1, "x", "alice", 0)
	tokens.put(row, false)
	for _, hash := range [][]byte{row.TokenHash, row.PlayHash} {
		h := tokenHash(hash)
		if _, ok := tokens.get(h, "x"); !ok {
			t.Error("the token itself is not found")
		}
		h[31]++
		if got, ok := tokens.get(h, "x"); ok {
			t.Errorf("found %+v", got)
		}
	}
}

// What was read without holding the order of changes says nothing of an account
// that is known.
func TestALearnedTokenStandsAsItsAccountIsKnownTo(t *testing.T) {
	t.Parallel()
	tokens := newTokens()
	tokens.holders.put([]byte("alice"), true, false) // the account was disabled since
	row := tokenRowOf(1, "x", "alice", 0)
	tokens.put(row, true)
	if got, _ := tokens.get(tokenHash(row.TokenHash), "x"); !got.revoked {
		t.Error("a token of a disabled account is in force")
	}
	tokens.holders.put([]byte("alice"), false, false)
	if got, _ := tokens.get(tokenHash(row.TokenHash), "x"); got.revoked {
		t.Error("a token of an enabled account is void")
	}
}

func TestRoomsAreThoseOfAPlainSet(t *testing.T) {
	t.Parallel()
	ids := []string{"", "x", strings.Repeat("a", 32), strings.Repeat("A", 32), strings.Repeat("0", 31) + "g", strings.Repeat("0", 33), strings.Repeat("f", 31)}
	for i := range ids {
		r := newRooms()
		r.add(ids[i])
		r.add(ids[i])
		for j, id := range ids {
			if r.has(id) != (i == j) {
				t.Errorf("with %q only, %q is there: %t", ids[i], id, r.has(id))
			}
		}
		r.remove(ids[i])
		if r.has(ids[i]) || len(r.ours)+len(r.others) != 0 {
			t.Errorf("%q is still there", ids[i])
		}
	}
}

// Rules whose places have the same hash live side by side.
func TestRulesOfOneHashAreAllFound(t *testing.T) {
	t.Parallel()
	all := newRules()
	all.collide = true
	places := []ruleKey{{scene: media.Play}, {scene: media.Publish}, {domain: "a", scene: media.Play}, {vhost: "a", scene: media.Play}, {app: "a", scene: media.Play}}
	rule := func(id int64, k ruleKey) *rule {
		return &rule{id: id, name: k.domain + k.vhost, byDomain: k.domain != "", app: k.app, publishes: k.scene == media.Publish}
	}
	for i, k := range places {
		all.put(rule(int64(i), k))
		all.put(rule(int64(100+i), k)) // a newer one of the same place
		all.drop(int64(i))
	}
	for _, gone := range rand.Perm(len(places)) {
		all.drop(int64(100 + gone))
		all.drop(int64(100 + gone))
		places[gone] = ruleKey{domain: "gone"}
		for i, k := range places {
			r, ok := all.find(k)
			if k.domain == "gone" != !ok || ok && (r.id != int64(100+i) || r.key() != k) {
				t.Errorf("%+v: %+v, %t", k, r, ok)
			}
		}
		vhosts := 0
		for _, k := range places {
			if k.vhost != "" {
				vhosts++
			}
		}
		if all.vhosts != vhosts {
			t.Errorf("%d rules of vhosts, want %d", all.vhosts, vhosts)
		}
	}
	if len(all.byHash)+len(all.byID) != 0 {
		t.Error("something stays in memory")
	}
}

// The budget of memory, with much room for how full a map happens to be. The
// figures are those of BenchmarkMemory.
func TestEntriesAreSmall(t *testing.T) {
	var sizes []string
	for _, kind := range []struct {
		name string
		add  func(*bundle, int)
	}{
		{"rule", func(s *bundle, i int) { s.addRule(t, i) }}, {"token", func(s *bundle, i int) { s.addToken(i) }},
		{"room", func(s *bundle, i int) { s.view.closed.add(roomID(i)) }}, {"ban", func(s *bundle, i int) { s.addBan(i) }},
	} {
		const n = 20_000
		s, before := pure(t), heapNow()
		for i := range n {
			kind.add(s, i)
		}
		each := (heapNow() - before) / n
		sizes = append(sizes, fmt.Sprintf("%s %.0f", kind.name, each))
		if each > 400 {
			t.Errorf("a %s takes %.0f bytes", kind.name, each)
		}
		s.view.roomClosed("") // until here it is alive
	}
	t.Log(slices.Sorted(slices.Values(sizes)))
}
