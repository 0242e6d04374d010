package access

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// sizes are how many tokens and rooms there are to know; of rules there are as
// many, but at most 100,000.
var sizes = []int{1_000, 100_000, 1_000_000}

func rulesOf(n int) int { return min(n, 100_000) }

// Names as they are in earnest, each in memory of its own as if it were read.
func ruleHost(i int) string    { return fmt.Sprintf("d%d.example", i) }
func tokenStream(i int) string { return fmt.Sprintf("stream-%07d", i) }
func tokenUser(i int) string   { return fmt.Sprintf("user-%d", i%100_000) }
func roomID(i int) string      { return fmt.Sprintf("%016x%016x", uint64(i)*0x9e3779b97f4a7c15, i) }

func (b *bundle) addRule(t testing.TB, i int) {
	b.putRule(t, db.AuthRule{ID: int64(i + 1), Domain: ruleHost(i), Scene: "play", Enabled: true, Takeover: "reject"},
		key(int64(i+1), fmt.Sprintf("k%05d", i), fmt.Sprintf("%048x", i), KeyActive))
}

func (b *bundle) addToken(i int) {
	p, v := hashToken(fmt.Sprintf("publish-%d", i)), hashToken(fmt.Sprintf("play-%d", i))
	b.view.tokens.put(db.LiveTokenAccess{ID: int64(i + 1), App: "live", Stream: tokenStream(i), Username: tokenUser(i), TokenHash: p[:], PlayHash: v[:]}, false)
}

func (b *bundle) addBan(i int) {
	b.view.bans.put(db.Ban{ID: int64(i + 1), Vhost: media.DefaultVhost, App: "live", Stream: tokenStream(i), Until: start.Add(time.Hour)})
}

// crowd returns a Service that knows n tokens, n ended rooms and their rules.
func crowd(b testing.TB, n int) *bundle {
	s := pure(b)
	for i := range n {
		if i < rulesOf(n) {
			s.addRule(b, i)
		}
		s.addToken(i)
		s.view.closed.add(roomID(i))
	}
	return s
}

func heapNow() float64 {
	runtime.GC()
	runtime.GC() // what the first one found finalizers for
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// What an entry of each kind costs in memory, and all of them what a full
// collection takes.
func BenchmarkMemory(b *testing.B) {
	for kind, add := range map[string]func(*bundle, int){
		"rules":  func(s *bundle, i int) { s.addRule(b, i) },
		"tokens": func(s *bundle, i int) { s.addToken(i) },
		"rooms":  func(s *bundle, i int) { s.view.closed.add(roomID(i)) },
		"bans":   func(s *bundle, i int) { s.addBan(i) },
	} {
		for _, n := range sizes {
			if kind == "rules" && n > rulesOf(n) {
				continue
			}
			b.Run(fmt.Sprintf("%s/%d", kind, n), func(b *testing.B) {
				for b.Loop() {
					s, before := pure(b), heapNow()
					for i := range n {
						add(s, i)
					}
					b.ReportMetric((heapNow()-before)/float64(n), "bytes/entry")
					began := time.Now()
					runtime.GC()
					b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "ms/GC")
					runtime.KeepAlive(s)
				}
			})
		}
	}
}

// credentials are of players drawn at random, so that none is in the cache of the
// processor for having just been asked about.
func (b *bundle) credentials(kind string, n int) []media.Event {
	out := make([]media.Event, 1<<12)
	for i := range out {
		at := rand.IntN(n)
		if kind == "token" {
			out[i] = play(tokenStream(at), fmt.Sprintf("token=play-%d", at))
			continue
		}
		host := ruleHost(at % rulesOf(n))
		_, query, _ := strings.Cut(b.SignURL(link(media.Play, host, stream("x"), "/live/x"), start.Add(time.Hour)), "?")
		out[i] = play("x", query)
		out[i].Host = host
	}
	return out
}

// The time of a decision must not depend on how much there is to know.
func BenchmarkDecide(b *testing.B) {
	for _, n := range sizes {
		s := crowd(b, n)
		for _, kind := range []string{"signature", "token"} {
			events := s.credentials(kind, n)
			b.Run(fmt.Sprintf("%s/%d", kind, n), func(b *testing.B) {
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					if d := s.Decide(b.Context(), start, events[i%len(events)]); !d.Allow {
						b.Fatal(d.Reason)
					}
					i++
				}
			})
		}
	}
}

// populous fills the database with what crowd has in memory.
func populous(b testing.TB, n int) *bundle {
	s := setup(b)
	s.exec(b, "ALTER TABLE live_tokens DISABLE TRIGGER USER; ALTER TABLE signing_keys DISABLE TRIGGER USER; ALTER TABLE auth_rules DISABLE TRIGGER USER")
	s.exec(b, "ALTER TABLE accounts DISABLE TRIGGER USER")
	s.exec(b, `INSERT INTO accounts (username, password_hash, tokens_not_before, created_at, updated_at)
		SELECT 'user-' || i, '', now(), now(), now() FROM generate_series(0, least($1::int, 100000) - 1) i`, n)
	s.exec(b, `INSERT INTO live_tokens (account_id, app, stream, token_hash, play_hash, token_sealed, play_sealed, created_at)
		SELECT a.id, 'live', 'stream-' || lpad(i::text, 7, '0'), sha256(('publish-' || i)::bytea), sha256(('play-' || i)::bytea), '', '', now()
		FROM generate_series(0, $1 - 1) i JOIN accounts a ON a.username = 'user-' || i % 100000`, n)
	s.exec(b, `INSERT INTO rooms (id, app, title, anchor_id, chat_id, im_servers, created_at, updated_at, status)
		SELECT md5(i::text), 'live', 't', 'alice', i::text, '{}', now(), now(), 2 FROM generate_series(0, $1 - 1) i`, n)
	s.exec(b, `INSERT INTO auth_rules (domain, scene, scheme, created_at, updated_at)
		SELECT 'd' || i || '.example', 'play', 'stagedoor', now(), now() FROM generate_series(0, $1 - 1) i`, rulesOf(n))
	rows := make([][]any, rulesOf(n))
	for i := range rows {
		id, kid := int64(i+1), fmt.Sprintf("k%05d", i)
		rows[i] = []any{id, kid, s.Box.Seal(fmt.Appendf(nil, "%048x", i), keyPurpose(id, kid)), "active", start, start}
	}
	if _, err := s.pool.CopyFrom(b.Context(), pgx.Identifier{"signing_keys"},
		[]string{"rule_id", "kid", "secret_sealed", "state", "created_at", "changed_at"}, pgx.CopyFromRows(rows)); err != nil {
		b.Fatal(err)
	}
	s.exec(b, "ANALYZE")
	return s
}

// cpuSeconds are those that this process has used.
func cpuSeconds(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// How long it takes to know everything, and how much memory that takes at most.
func BenchmarkReload(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := populous(b, n)
			before, cpu := heapNow(), cpuSeconds(b)
			b.ResetTimer()
			for b.Loop() {
				if err := s.Reload(b.Context(), s.pool); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric((cpuSeconds(b)-cpu)/float64(b.N), "cpu-s/op") // without PostgreSQL's
			b.ReportMetric((heapNow()-before)/1e6, "MB")
			if got := len(s.view.tokens.byID); got != n {
				b.Fatalf("%d tokens of %d", got, n)
			}
		})
	}
}

// An access token that memory knows, as every one after its first use.
func BenchmarkDecideByAccessToken(b *testing.B) {
	p := populated(b)
	e := publish("alice", "token="+p.add(b, account.NewAccount{Username: "alice", Push: "/vod/+/*;/live/alice"}).Value)
	b.ReportAllocs()
	for b.Loop() {
		if d := p.Decide(b.Context(), start, e); !d.Allow {
			b.Fatal(d.Reason)
		}
	}
}
