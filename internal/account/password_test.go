package account

import (
	"crypto/rand"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

func TestPasswordRules(t *testing.T) {
	t.Parallel()
	p := newPasswords(nil, nil, newLine(2, 64, func(string) {}))
	for password, ok := range map[string]bool{
		"":                        false,
		"1234567":                 false,
		"界界界界界界界":                 false, // seven characters, though 21 bytes
		"界界界界界界界界":                true,
		"abcdefgx":                true, // no composition rules
		"        ":                true,
		"pässwört":                true,
		"password":                false,
		"PASSWORD":                false,
		"PassWord1":               false,
		"12345678":                false,
		"qwertyuiop":              false,
		"changeme":                false,
		"alice1234567":            true,
		"password " + "of my own": true,
		strings.Repeat("x", 256):  true,
		strings.Repeat("界", 256):  true,
		strings.Repeat("x", 257):  false,
		"Benutzername":            false, // the username, below
		"benutzername":            false,
		"benutzername ":           true,
	} {
		err := p.check(password, "BenutzerName")
		if (err == nil) != ok {
			t.Errorf("%.30q: got %v, want ok=%v", password, err, ok)
		}
		if err != nil {
			wantField(t, err, errs.Invalid, "invalid_password", "password")
		}
	}
}

func TestPasswordDenyListIsInLowerCaseAndLongEnoughToMatter(t *testing.T) {
	t.Parallel()
	p := newPasswords(nil, nil, newLine(2, 64, func(string) {}))
	if len(p.common) < 300 {
		t.Errorf("only %d entries", len(p.common))
	}
	for word := range p.common {
		if word != strings.ToLower(word) || utf8.RuneCountInString(word) < minPassword {
			t.Errorf("%q can never match", word)
		}
	}
}

func TestPasswordDefaultParametersAreTheRecommendedOnes(t *testing.T) {
	t.Parallel()
	p := newPasswords(nil, nil, newLine(2, 64, func(string) {}))
	hash, err := p.hash(t.Context(), goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("got %.40s", hash)
	}
	if ok, err := p.matches(goodPassword, hash); !ok || err != nil {
		t.Errorf("got %v, %v", ok, err)
	}
}

// The stand-in for accounts that do not exist must cost what real ones cost and
// must never open.
func TestPasswordDummyHasTheCostOfARealHash(t *testing.T) {
	t.Parallel()
	p := newPasswords(cheapParams(), nil, newLine(2, 64, func(string) {}))
	real, err := p.hash(t.Context(), goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	dummy, err := p.dummy(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	realParams, _, _, err := argon2id.DecodeHash(real)
	if err != nil {
		t.Fatal(err)
	}
	dummyParams, _, _, err := argon2id.DecodeHash(dummy)
	if err != nil {
		t.Fatal(err)
	}
	if *realParams != *dummyParams {
		t.Errorf("got %+v, want %+v", *dummyParams, *realParams)
	}
	for _, password := range []string{"", goodPassword, strings.Repeat("x", 300)} {
		if ok, err := p.matches(password, dummy); ok || err != nil {
			t.Errorf("%.20q: got %v, %v", password, ok, err)
		}
	}
}

func TestPasswordThatIsTooLongMatchesNothing(t *testing.T) {
	t.Parallel()
	p := newPasswords(cheapParams(), nil, newLine(2, 64, func(string) {}))
	empty, err := p.hash(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if ok, _ := p.matches(strings.Repeat("x", maxPassword+1), empty); ok {
		t.Error("an overlong password stood in for the empty one")
	}
}

func TestPasswordHashThatIsBrokenIsAnErrorAndNoMatch(t *testing.T) {
	t.Parallel()
	p := newPasswords(cheapParams(), nil, newLine(2, 64, func(string) {}))
	for _, hash := range []string{"", "plain", "$argon2i$v=19$m=64,t=1,p=1$AAAA$AAAA", "$argon2id$v=19$m=64,t=1,p=1$!$!"} {
		if ok, err := p.matches(goodPassword, hash); ok || err == nil {
			t.Errorf("%q: got %v, %v", hash, ok, err)
		}
	}
}
