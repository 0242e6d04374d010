package access

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// crowd returns a Service with n rules of as many domains, n live tokens and n
// ended rooms.
func crowd(b *testing.B, n int) *bundle {
	s := pure(b)
	for i := range n {
		s.putRule(b, db.AuthRule{ID: int64(i + 1), Domain: fmt.Sprintf("d%d.example", i), Scene: "play", Enabled: true},
			key(int64(i+1), "k1", "some-play-secret", KeyActive))
		p, v := hashToken(fmt.Sprintf("publish-%d", i)), hashToken(fmt.Sprintf("play-%d", i))
		s.view.tokens.put(db.LiveTokenAccess{ID: int64(i + 1), App: "live", Stream: fmt.Sprintf("s%d", i), Username: "alice", TokenHash: p[:], PlayHash: v[:]}, false)
		s.view.closed.add(fmt.Sprintf("%032d", i))
	}
	return s
}

// The time of a decision must not depend on how much there is to know.
func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		s := crowd(b, n)
		host := fmt.Sprintf("d%d.example", n/2)
		name := fmt.Sprintf("s%d", n/2)
		_, query, _ := strings.Cut(s.SignURL(link(media.Play, host, stream(name), "/live/"+name), start.Add(time.Hour)), "?")
		signed := play(name, query)
		signed.Host = host
		for kind, e := range map[string]media.Event{
			"signature": signed,
			"token":     publish(name, fmt.Sprintf("token=publish-%d", n/2)),
		} {
			b.Run(fmt.Sprintf("%s/%d", kind, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if d := s.Decide(b.Context(), start, e); !d.Allow {
						b.Fatal(d.Reason)
					}
				}
			})
		}
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
