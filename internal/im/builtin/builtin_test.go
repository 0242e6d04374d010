package builtin_test

import (
	"crypto/rand"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/im"
	"github.com/stagedoor-live/stagedoor/internal/im/builtin"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

var start = time.Unix(1700086400, 0)

func provider() *builtin.Provider {
	return &builtin.Provider{AppID: "demoapp", AppKey: "demoappkey", AppSign: "demosign", Rand: rand.Reader, Now: func() time.Time { return start }}
}

// The expected token is the published construction over these inputs, computed
// elsewhere; expiry 1700172800 is a day after start.
func TestNewTokenIsTheOneThatClientsVerify(t *testing.T) {
	t.Parallel()
	p := provider()
	p.Rand = strings.NewReader("\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef")
	got, err := p.NewToken(t.Context(), "user1")
	if err != nil {
		t.Fatal(err)
	}
	want := im.NewToken{AppID: "demoapp", AppSign: "demosign", UserID: "user1", Nonce: "0123456789abcdef0123456789abcdef",
		Expires: time.Unix(1700172800, 0), Token: "8646be12f1ab2dce5c86a3b4c4857f0cf76dbf4e3fc0445369b037bb27e3451e"}
	if got != want {
		t.Errorf("token\n%+v, want\n%+v", got, want)
	}
}

func TestNewTokenNeverCarriesARole(t *testing.T) {
	t.Parallel()
	p := provider()
	got, err := p.NewToken(t.Context(), "user1")
	if err != nil {
		t.Fatal(err)
	}
	if got.Role != "" {
		t.Errorf("role %q", got.Role)
	}
	if admin := urlsign.IMToken(p.AppID, p.AppKey, "user1", got.Nonce, got.Expires.Unix(), "admin"); got.Token == admin {
		t.Error("the token manages every group")
	}
	if plain := urlsign.IMToken(p.AppID, p.AppKey, "user1", got.Nonce, got.Expires.Unix(), ""); got.Token != plain {
		t.Error("the token is not of an ordinary user")
	}
}

func TestTokensDifferEachTimeAndByUser(t *testing.T) {
	t.Parallel()
	p := provider()
	seen := map[string]bool{}
	note := func(secrets ...string) {
		for _, s := range secrets {
			if s == "" || seen[s] {
				t.Errorf("token %q is empty or was given before", s)
			}
			seen[s] = true
		}
	}
	for _, user := range []string{"user1", "user1", "user2"} {
		n, err := p.NewToken(t.Context(), user)
		if err != nil {
			t.Fatal(err)
		}
		note(n.Token, n.Nonce)
		o, err := p.OldToken(t.Context(), user, im.Device{ID: "d", Type: "web"})
		if err != nil {
			t.Fatal(err)
		}
		note(o.Access, o.Refresh)
	}
}

func TestRefreshTokenOutlivesTheAccessToken(t *testing.T) {
	t.Parallel()
	o, err := provider().OldToken(t.Context(), "user1", im.Device{ID: "dev-1", Type: "ios"})
	if err != nil {
		t.Fatal(err)
	}
	access, refresh := expiry(t, o.Access), expiry(t, o.Refresh)
	if access != start.Add(builtin.TokenTTL).Unix() || refresh <= access {
		t.Errorf("access token until %d, refresh token until %d", access, refresh)
	}
}

// Same nonce, everything else different in one field: each field counts.
func TestOldTokenCoversUserAndDevice(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, c := range []struct {
		user string
		key  string
		d    im.Device
	}{
		{"user1", "k", im.Device{ID: "d1", Type: "web"}},
		{"user2", "k", im.Device{ID: "d1", Type: "web"}},
		{"user1", "k", im.Device{ID: "d2", Type: "web"}},
		{"user1", "k", im.Device{ID: "d1", Type: "ios"}},
		{"user1", "k2", im.Device{ID: "d1", Type: "web"}},
	} {
		p := provider()
		p.AppKey, p.Rand = c.key, strings.NewReader(strings.Repeat("n", 16))
		o, err := p.OldToken(t.Context(), c.user, c.d)
		if err != nil {
			t.Fatal(err)
		}
		if before, there := seen[o.Access]; there {
			t.Errorf("%+v has the token of %s", c, before)
		}
		seen[o.Access] = c.user
	}
}

func TestNoncesFitTheVendorsLimit(t *testing.T) {
	t.Parallel()
	n, err := provider().NewToken(t.Context(), "user1")
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^[A-Za-z0-9_]{16,64}$`).MatchString(n.Nonce) {
		t.Errorf("nonce %q", n.Nonce)
	}
}

func TestWithoutRandomnessThereIsNoToken(t *testing.T) {
	t.Parallel()
	broken := errors.New("no entropy")
	p := provider()
	p.Rand = iotest.ErrReader(broken)
	if n, err := p.NewToken(t.Context(), "user1"); !errors.Is(err, broken) || n.Token != "" {
		t.Errorf("new token %q, error %v", n.Token, err)
	}
	if o, err := p.OldToken(t.Context(), "user1", im.Device{}); !errors.Is(err, broken) || o.Access != "" || o.Refresh != "" {
		t.Errorf("old token %+v, error %v", o, err)
	}
}

func TestGroupsHaveTheIdThatTheRoomWants(t *testing.T) {
	t.Parallel()
	p := provider()
	id, err := p.CreateGroup(t.Context(), "alice", "c8d619e2e7ec445db8a1e1ebf967d6c3")
	if err != nil || id != "c8d619e2e7ec445db8a1e1ebf967d6c3" {
		t.Errorf("group %q, error %v", id, err)
	}
	if _, ok := any(p).(im.Deleter); ok {
		t.Error("there is something to remove")
	}
}

func expiry(t *testing.T, token string) int64 {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("token %q has %d parts", token, len(parts))
	}
	n, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
