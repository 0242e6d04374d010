package account

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/errs"
)

// Whatever arrives as a token: no panic, no surprising error, and nobody gets in
// without our signature under the very bytes that we signed.
func FuzzAuthenticate(f *testing.F) {
	s := fuzzService(f)
	token, err := s.issue(Account{ID: 1, Username: "alice"}, grant{now: s.now(), authTime: s.now(), ttl: time.Hour, generation: s.now().UnixMicro()})
	if err != nil {
		f.Fatal(err)
	}
	signed := token.Value[:strings.LastIndexByte(token.Value, '.')]
	part := strings.Split(token.Value, ".")
	kid := s.keys.Load().signing.kid
	f.Add(token.Value)
	f.Add("")
	f.Add("..")
	f.Add(part[0] + "." + part[1] + ".")
	for _, header := range []string{
		`{"alg":"none"}`, `{"alg":"HS256","typ":"JWT","kid":"` + kid + `"}`, `{"alg":"ES256","typ":"JWT","kid":"` + kid + `"}`,
		`{"alg":"ES256","typ":"JWT","kid":["` + kid + `"]}`, `{"alg":"ES256","typ":"JWT","kid":"AAAAAAAAAAAAAAAA"}`,
		`{"alg":"ES256","alg":"none","typ":"JWT","kid":"` + kid + `"}`, `{"alg":{}}`, `[]`, `null`, `"`, `{`, "\xff",
	} {
		f.Add(b64(header) + "." + part[1] + "." + part[2])
	}
	f.Fuzz(func(t *testing.T, value string) {
		p, err := s.Authenticate(t.Context(), value)
		if err == nil {
			if !strings.HasPrefix(value, signed+".") || p.Username != "alice" {
				t.Fatalf("%q got in as %+v", value, p)
			}
			return
		}
		if k := errs.KindOf(err); k != errs.Unauthorized && k != errs.Unavailable {
			t.Fatalf("%q: got %v", value, err)
		}
		if p != (Principal{}) {
			t.Fatalf("%q: an error and a principal", value)
		}
	})
}

// Whatever arrives as the id of a key or as a refresh token, without a database.
func FuzzReferences(f *testing.F) {
	s := fuzzService(f)
	known := "AKSD" + strings.Repeat("7", keyIDRandom)
	s.memory.putKey(known, heldKey{account: "alice", accountID: 1, secret: []byte("secret")})
	for _, id := range []string{known, "", "AKSD", strings.ToLower(known), known + "A", "AKSD\x00", strings.Repeat("A", 43), "é", "\xff"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, value string) {
		secret, p, err := s.KeyHolder(t.Context(), value)
		if err == nil {
			if value != known || p.Username != "alice" {
				t.Fatalf("%q is a key of %q", value, p.Username)
			}
		} else if k := errs.KindOf(err); secret != nil || p != (Principal{}) || k != errs.Unauthorized && k != errs.Unavailable {
			t.Fatalf("key %q: got %v", value, err)
		}
		if _, err := s.Refresh(t.Context(), value); errs.KindOf(err) != errs.Unauthorized && errs.KindOf(err) != errs.Unavailable {
			t.Fatalf("refresh token %q: got %v", value, err)
		}
	})
}

// fuzzService has one fixed key, one account, and a database that is down. Its
// token ids are fixed too, as a fuzzing worker must accept exactly what the
// coordinator mutates.
func fuzzService(tb testing.TB) *Service {
	tb.Helper()
	spy := &spyDB{}
	spy.down.Store(true)
	s := newService(Config{DB: spy, Box: dbtest.Box(), Now: newClock().now, Rand: zeros{}, Params: cheapParams()})
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), []byte(strings.Repeat("\x07", 32)))
	if err != nil {
		tb.Fatal(err)
	}
	kid, err := keyID(&private.PublicKey)
	if err != nil {
		tb.Fatal(err)
	}
	s.keys.Store(&keySet{
		signing: signingKey{kid: kid, private: private},
		public:  map[string]*ecdsa.PublicKey{kid: &private.PublicKey},
	})
	s.memory.put(db.Account{ID: 1, Username: "alice", TokensNotBefore: s.now()}, 0)
	return s
}

// zeros is a source of no randomness at all.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
