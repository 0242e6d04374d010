package urlsign

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// roomTarget is what a room's play URL asks for, the usual length of names.
func roomTarget() Target {
	return Target{Scene: Play, App: "live", Stream: testRoom, Path: "/live/" + testRoom + ".flv", Addr: testAddr}
}

// These tests are not parallel: testing.AllocsPerRun counts the whole process.

func TestSigningAllocatesNothing(t *testing.T) {
	for _, name := range secretNames() {
		s, target, key := lookup(t, name), roomTarget(), testKey()
		o := SignOptions{Expires: time.Unix(testExpiry, 0)}
		dst := make([]byte, 0, 256)
		if n := testing.AllocsPerRun(100, func() { dst = AppendURL(dst[:0], s, target, key, o) }); n > 0 || len(dst) == 0 {
			t.Errorf("%s: %v allocations, %q", name, n, dst)
		}
	}
	s, target, key := lookup(t, "stagedoor"), roomTarget(), testKey()
	o := SignOptions{Expires: time.Unix(testExpiry, 0), BindAddr: netip.MustParseAddr("2001:db8::1%eth0")}
	dst := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() { dst = s.AppendQuery(dst[:0], target, key, o) }); n > 0 {
		t.Errorf("bound: %v allocations", n)
	}
}

func TestVerifyingAllocatesNothingThatGrowsWithTheInput(t *testing.T) {
	for name, param := range oneParam {
		query := sign(t, name, roomTarget(), SignOptions{})
		_, value, _ := strings.Cut(query, "=")
		keys := []Key{{ID: "k0", Secret: []byte("older")}, testKey()}
		unknown := roomTarget()
		unknown.Path = ""
		huge := roomTarget()
		huge.Stream, huge.Path = strings.Repeat("x", 1<<20), strings.Repeat("/x", 1<<19)
		million := strings.Repeat("%41", 1<<20)
		// The path that was signed ends in ".flv", so aliyun_a must try for it.
		for _, c := range []struct {
			what   string
			query  string
			target Target
			want   Status
			limit  float64
		}{
			{"valid", query, roomTarget(), Valid, 0},
			{"path unknown", query, unknown, Valid, 0},
			{"encoded", param + "=" + strings.ReplaceAll(value, "-", "%2D"), roomTarget(), Valid, 1},
			{"huge value", param + "=" + million, roomTarget(), Malformed, 0},
			{"huge signed value", query + million, roomTarget(), Malformed, 0},
			{"huge query", strings.Repeat("a=b&", 1<<18) + query, roomTarget(), Valid, 0},
			{"many repeats", strings.Repeat(query+"?", 1<<12), roomTarget(), Valid, 0},
			{"many encoded repeats", strings.Repeat(strings.ReplaceAll(query, "-", "%2d")+"&", 1<<12), roomTarget(), Valid, 1},
			{"huge names", query, huge, Mismatch, 0},
		} {
			s, o := lookup(t, name), VerifyOptions{Now: testNow}
			var r Result
			if n := testing.AllocsPerRun(10, func() { r = s.Verify(c.query, c.target, keys, o) }); n > c.limit {
				t.Errorf("%s, %s: %v allocations, at most %v", name, c.what, n, c.limit)
			}
			if r.Status != c.want {
				t.Errorf("%s, %s: %s, want %s", name, c.what, r.Status, c.want)
			}
		}
	}
}

func TestNamesTooLongForTheStackCostOneAllocation(t *testing.T) {
	for _, name := range secretNames() {
		s, target, key := lookup(t, name), testTarget(Play), testKey()
		target.Stream = strings.Repeat("x", maxPath-len("//live"))
		o := SignOptions{Expires: time.Unix(testExpiry, 0)}
		dst := make([]byte, 0, 1024)
		if n := testing.AllocsPerRun(100, func() { dst = AppendURL(dst[:0], s, target, key, o) }); n > 1 {
			t.Errorf("%s: signing takes %v allocations", name, n)
		}
		keys := []Key{{ID: "k0", Secret: make([]byte, 1000)}, key}
		query, target := signedURL(t, name, target, key)
		var r Result
		if n := testing.AllocsPerRun(100, func() { r = s.Verify(query, target, keys, VerifyOptions{Now: testNow}) }); n > 1 {
			t.Errorf("%s: verifying takes %v allocations", name, n)
		}
		wantStatus(t, r, Valid)
	}
}

func BenchmarkSign(b *testing.B) {
	for _, name := range secretNames() {
		b.Run(name, func(b *testing.B) {
			s, target, key := lookup(b, name), roomTarget(), testKey()
			o := SignOptions{Expires: time.Unix(testExpiry, 0)}
			dst := make([]byte, 0, 256)
			b.ReportAllocs()
			for b.Loop() {
				dst = AppendURL(dst[:0], s, target, key, o)
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, name := range secretNames() {
		b.Run(name, func(b *testing.B) { benchmarkVerify(b, name, roomTarget(), roomTarget()) })
	}
	// Three candidate paths: three hashes.
	b.Run("aliyun_a_path_unknown", func(b *testing.B) {
		asked := roomTarget()
		asked.Path = ""
		benchmarkVerify(b, "aliyun_a", roomTarget(), asked)
	})
}

func benchmarkVerify(b *testing.B, name string, signed, asked Target) {
	s, keys := lookup(b, name), []Key{testKey()}
	query, as := signedURL(b, name, signed, testKey())
	if s, ok := s.(*hashed); ok && s.inPath() {
		asked = as
	}
	o := VerifyOptions{Now: testNow}
	b.ReportAllocs()
	for b.Loop() {
		if r := s.Verify(query, asked, keys, o); r.Status != Valid {
			b.Fatal(r.Status)
		}
	}
}

// The bare hashes of the very texts that the two benchmarks above hash.

func BenchmarkBareMD5(b *testing.B) {
	text := []byte(roomTarget().Path + "-1893456000-0-0-" + testSecret)
	var sum [md5.Size]byte
	b.ReportAllocs()
	for b.Loop() {
		sum = md5.Sum(text)
	}
	_ = sum
}

func stagedoorText() []byte {
	return []byte(stagedoorVersion + "v2-1893456000-k1\n/live/" + testRoom)
}

// BenchmarkBareHMACSHA256 is crypto/hmac as everybody uses it.
func BenchmarkBareHMACSHA256(b *testing.B) {
	secret, text, sum := []byte(testSecret), stagedoorText(), make([]byte, 0, sha256.Size)
	b.ReportAllocs()
	for b.Loop() {
		m := hmac.New(sha256.New, secret)
		m.Write(text)
		sum = m.Sum(sum[:0])
	}
}

// BenchmarkBareSHA256Twice is the least that an HMAC can cost: its two hashes.
func BenchmarkBareSHA256Twice(b *testing.B) {
	inner := append(make([]byte, sha256.BlockSize), stagedoorText()...)
	outer := make([]byte, sha256.BlockSize+sha256.Size)
	b.ReportAllocs()
	for b.Loop() {
		sum := sha256.Sum256(inner)
		copy(outer[sha256.BlockSize:], sum[:])
		sum = sha256.Sum256(outer)
	}
}

// secretNames are the schemes that hash a text with a secret.
func secretNames() []string {
	return slices.DeleteFunc(Names(), func(name string) bool {
		s, ok := Lookup(name)
		_, hashes := s.(*hashed)
		return KeysOf(name) != SecretKeys || ok && !hashes && name != "stagedoor" && oneParam[name] == ""
	})
}
