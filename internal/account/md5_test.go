package account

import (
	"crypto/md5"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// opens says whether the password logs in, and checks that finding out cost one
// hash, whatever the answer.
func (b *bundle) opens(t testing.TB, username, password string) bool {
	t.Helper()
	before := b.hashes.Load()
	_, err := b.LoginPair(t.Context(), username, password, elsewhere())
	if n := b.hashes.Load() - before; n != 1 {
		t.Errorf("%s, %.12q…: %d hashes, want 1", username, password, n)
	}
	if err != nil {
		wantErr(t, err, errs.Unauthorized, "invalid_credentials")
	}
	return err == nil
}

func (b *bundle) save(t testing.TB, in Save) Account {
	t.Helper()
	a, err := b.Save(t.Context(), System(), in)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAnMD5OpensOnlyWhatWasStoredFromOne(t *testing.T) {
	t.Parallel()
	const plain = "ein gutes Passwort äöü"
	sum := md5Hex(plain)
	b := setup(t)
	b.create(t, "registered", func(n *NewAccount) { n.Password = plain })
	b.create(t, "digits", func(n *NewAccount) { n.Password = sum }) // a password that looks like one
	b.save(t, Save{Username: "saved", Password: plain})
	b.save(t, Save{Username: "hashed", Password: strings.ToUpper(sum)})
	b.save(t, Save{Username: "locked"})
	for _, tc := range []struct {
		username, password string
		want               bool
	}{
		{"registered", plain, true},
		{"registered", sum, false},
		{"registered", strings.ToUpper(sum), false},
		{"saved", plain, true},
		{"saved", sum, false},
		{"saved", strings.ToUpper(sum), false},
		{"saved", "md5:" + sum, false},
		{"hashed", plain, true},
		{"hashed", sum, true},
		{"hashed", strings.ToUpper(sum), true},
		{"hashed", md5Hex(sum), false},
		{"hashed", plain + " ", false},
		{"hashed", "", false},
		{"hashed", strings.Repeat("x", maxPassword+1), false},
		{"digits", sum, true},
		{"digits", strings.ToUpper(sum), false}, // typed as it was
		{"digits", plain, false},
		{"locked", "", false},
		{"locked", md5Hex(""), false},
		{"locked", plain, false},
		{"nobody", "", false},
		{"nobody", sum, false},
	} {
		if got := b.opens(t, tc.username, tc.password); got != tc.want {
			t.Errorf("%s with %q: got %v", tc.username, tc.password, got)
		}
		b.throttle = newThrottle(0, 0, func(string) {}) // this is not about guessing
	}
	for username, marked := range map[string]bool{"registered": false, "digits": false, "saved": false, "hashed": true} {
		stored := ""
		if err := b.pool.QueryRow(t.Context(), "SELECT password_hash FROM accounts WHERE username = $1", username).Scan(&stored); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(stored, "md5:$argon2id$") != marked || !strings.Contains(stored, "$argon2id$") || strings.Contains(stored, sum) {
			t.Errorf("%s: stored as %s", username, stored)
		}
	}
}

func TestTheHashItselfIsNoCredential(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.save(t, Save{Username: "alice", Password: md5Hex(goodPassword)})
	stored := ""
	if err := b.pool.QueryRow(t.Context(), "SELECT password_hash FROM accounts").Scan(&stored); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{stored, strings.TrimPrefix(stored, md5Mark)} {
		if b.opens(t, "alice", p) {
			t.Errorf("%q opens", p)
		}
	}
}

func TestWeakPasswordsAreRefusedAsMD5Too(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, password := range map[string]string{
		"common": md5Hex("password"), "common, in capitals": strings.ToUpper(md5Hex("12345678")),
		"the username": md5Hex("Alice.Liddell"), "the username in lower case": md5Hex("alice.liddell"),
		"short": "1234567", "31 digits": md5Hex("x")[:7], "plain and common": "password",
	} {
		_, err := b.Save(t.Context(), System(), Save{Username: "Alice.Liddell", Password: password})
		t.Log(name)
		wantField(t, err, errs.Invalid, "invalid_password", "password")
	}
	if n := b.hashes.Load(); n != 0 {
		t.Errorf("%d hashes for what is refused", n)
	}
}

func TestIsMD5(t *testing.T) {
	t.Parallel()
	sum := md5Hex("x")
	for password, want := range map[string]bool{
		sum: true, strings.ToUpper(sum): true, "": false, sum[:31]: false, sum + "0": false, "g" + sum[1:]: false, " " + sum[1:]: false,
		sum + sum: false,
	} {
		if isMD5(password) != want {
			t.Errorf("%q: want %v", password, want)
		}
	}
}

// Whatever is sent, matching must agree with the rules and never panic.
func FuzzMatches(f *testing.F) {
	p := newPasswords(cheapParams(), nil, newLine(2, 64, func(string) {}))
	plain, err := p.hash(f.Context(), goodPassword)
	if err != nil {
		f.Fatal(err)
	}
	made, err := p.hashSent(f.Context(), md5Hex(goodPassword))
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{goodPassword, md5Hex(goodPassword), strings.ToUpper(md5Hex(goodPassword)), "", "\xff", md5Mark, plain} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, password string) {
		if ok, err := p.matches(password, plain); err != nil || ok != (password == goodPassword) {
			t.Errorf("plain: %q: %v, %v", password, ok, err)
		}
		want := password == goodPassword || strings.EqualFold(password, md5Hex(goodPassword)) && len(password) == 32
		if ok, err := p.matches(password, made); err != nil || ok != want {
			t.Errorf("MD5: %q: %v, %v", password, ok, err)
		}
	})
}
