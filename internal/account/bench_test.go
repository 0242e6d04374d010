package account

import (
	"testing"
	"time"
)

// Cached is every call but the first with one token; uncached is the first,
// which checks the signature.
func BenchmarkAuthenticate(b *testing.B) {
	s := fuzzService(b)
	token, err := s.issue(Account{ID: 1, Username: "alice"}, grant{now: s.now(), authTime: s.now(), ttl: time.Hour, generation: s.now().UnixMicro()})
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
	p := newPasswords(nil, nil, newLine(2, 64, func(string) {}))
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
