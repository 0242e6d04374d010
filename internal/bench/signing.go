package main

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

const (
	signExpiry = 1893456000
	signSecret = "0123456789abcdef0123456789abcdef"
	signRoom   = "c8d619e2e7ec445db8a1e1ebf967d6c3"
)

// signing measures one URL, signed and verified, beside the bare hash of the
// very text that is hashed for it, in turns of milliseconds.
func (s *suite) signing() ([]row, error) {
	if err := s.benchTime(s.plan.hashRound); err != nil {
		return nil, err
	}
	md5Text := fmt.Appendf(nil, "/live/%s-%d-0-0-%s", signRoom, signExpiry, signSecret)
	hmacText := fmt.Appendf(nil, "stagedoor-url-1\nv2-%d-k1\n/live/%s", signExpiry, signRoom)
	typeA, err := s.scheme("aliyun_a", "", "md5.Sum", func(b *testing.B) { bareMD5(b, md5Text) })
	if err != nil {
		return nil, err
	}
	own, err := s.scheme("stagedoor", "_stagedoor", "crypto/hmac", func(b *testing.B) { bareHMAC(b, hmacText) })
	if err != nil {
		return nil, err
	}
	for i, r := range typeA {
		goal := ratioAtMost(1.5).and(fmt.Sprintf("%d <= 2 allocations", r.allocs), r.allocs <= 2)
		typeA[i].row = r.aim(goal)
	}
	return []row{typeA[0].row, typeA[1].row, own[0].row, own[1].row}, nil
}

// benchTime is how long testing.Benchmark takes for one figure.
func (s *suite) benchTime(d time.Duration) error {
	testing.Init()
	return flag.Set("test.benchtime", d.String())
}

// hashed is a row with the allocations of one operation.
type hashed struct {
	row
	allocs int64
}

// scheme makes the rows of signing and of verifying.
func (s *suite) scheme(name, suffix, peer string, bare func(*testing.B)) (rows [2]hashed, err error) {
	scheme, ok := urlsign.Lookup(name)
	if !ok {
		return rows, fmt.Errorf("there is no scheme %s", name)
	}
	if rows[0], err = s.hashing("sign_url"+suffix, peer, func(b *testing.B) { signOne(b, scheme) }, bare); err != nil {
		return rows, err
	}
	rows[1], err = s.hashing("verify_url"+suffix, peer, func(b *testing.B) { verifyOne(b, scheme) }, bare)
	return rows, err
}

func (s *suite) hashing(name, peer string, ours, bare func(*testing.B)) (hashed, error) {
	allocs := int64(0)
	a, b, err := s.fastest(name, s.plan.hashRounds, func() (float64, error) {
		r := testing.Benchmark(ours)
		allocs = max(allocs, r.AllocsPerOp())
		return perOp(r)
	}, func() (float64, error) { return perOp(testing.Benchmark(bare)) })
	if err != nil {
		return hashed{}, err
	}
	return hashed{figure(name, a, "ns").beside(b, peer), allocs}, nil
}

// perOp returns nanoseconds. A benchmark that fails has run no iteration.
func perOp(r testing.BenchmarkResult) (float64, error) {
	if r.N == 0 {
		return 0, errors.New("the benchmark failed")
	}
	return float64(r.T.Nanoseconds()) / float64(r.N), nil
}

func signTarget() urlsign.Target {
	return urlsign.Target{Scene: urlsign.Play, App: "live", Stream: signRoom, Path: "/live/" + signRoom}
}

func signKey() urlsign.Key { return urlsign.Key{ID: "k1", Secret: []byte(signSecret)} }

func signOne(b *testing.B, scheme urlsign.Scheme) {
	target, key, o := signTarget(), signKey(), urlsign.SignOptions{Expires: time.Unix(signExpiry, 0)}
	dst := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		dst = scheme.AppendQuery(dst[:0], target, key, o)
	}
	if len(dst) == 0 {
		b.Fatal("not signed")
	}
}

func verifyOne(b *testing.B, scheme urlsign.Scheme) {
	target, keys := signTarget(), []urlsign.Key{signKey()}
	query := string(scheme.AppendQuery(nil, target, keys[0], urlsign.SignOptions{Expires: time.Unix(signExpiry, 0)}))
	o := urlsign.VerifyOptions{Now: time.Unix(signExpiry-60, 0)}
	b.ReportAllocs()
	for b.Loop() {
		if r := scheme.Verify(query, target, keys, o); r.Status != urlsign.Valid {
			b.Fatal(r.Status)
		}
	}
}

func bareMD5(b *testing.B, text []byte) {
	var sum [md5.Size]byte
	for b.Loop() {
		sum = md5.Sum(text)
	}
	_ = sum
}

// bareHMAC is crypto/hmac as everybody uses it: the key is another one for
// every rule, so there is nothing to keep.
func bareHMAC(b *testing.B, text []byte) {
	secret, sum := []byte(signSecret), make([]byte, 0, sha256.Size)
	for b.Loop() {
		m := hmac.New(sha256.New, secret)
		m.Write(text)
		sum = m.Sum(sum[:0])
	}
}
