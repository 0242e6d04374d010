package account

import (
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
)

// Cached is every call but the first with one token; uncached is the first,
// which checks the signature.
func BenchmarkAuthenticate(b *testing.B) {
	s := fuzzService(b)
	token, err := s.issue(db.Account{ID: 1, Username: "alice", TokensNotBefore: s.now()}, s.now(), time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	run := func(name string, between func()) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Authenticate(b.Context(), token.Value); err != nil {
					b.Fatal(err)
				}
				between()
			}
		})
	}
	run("cached", func() {})
	run("uncached", func() { s.verified.Purge() })
}

// One password check at full strength.
func BenchmarkPassword(b *testing.B) {
	p := newPasswords(nil, 0)
	hash, err := p.hash(b.Context(), goodPassword)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := p.matches(goodPassword, hash); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
