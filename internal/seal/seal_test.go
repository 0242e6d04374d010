package seal

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

func newBox(t *testing.T, fill byte) *Box {
	t.Helper()
	box, err := New(bytes.Repeat([]byte{fill}, KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func TestOpenReturnsWhatWasSealed(t *testing.T) {
	t.Parallel()
	box := newBox(t, 1)
	for _, plain := range []string{"", "x", "a signing key", strings.Repeat("long ", 1000)} {
		sealed := box.Seal([]byte(plain), "signing_key")
		if plain != "" && bytes.Contains(sealed, []byte(plain)) {
			t.Errorf("the sealed value contains its plain text %.20q", plain)
		}
		opened, err := box.Open(sealed, "signing_key")
		if err != nil || string(opened) != plain {
			t.Errorf("Open = %.20q, %v, want %.20q", opened, err, plain)
		}
	}
}

func TestSealNeverRepeatsItself(t *testing.T) {
	t.Parallel()
	box := newBox(t, 1)
	if bytes.Equal(box.Seal([]byte("same"), "p"), box.Seal([]byte("same"), "p")) {
		t.Error("sealing the same value twice gave the same bytes")
	}
}

func TestOpenRefusesEveryAlteredByte(t *testing.T) {
	t.Parallel()
	box := newBox(t, 1)
	sealed := box.Seal([]byte("secret"), "p")
	for i := range sealed {
		altered := bytes.Clone(sealed)
		altered[i] ^= 0x20
		if plain, err := box.Open(altered, "p"); !errors.Is(err, ErrOpen) || plain != nil {
			t.Fatalf("with byte %d altered Open = %q, %v", i, plain, err)
		}
	}
	for n := range sealed {
		if _, err := box.Open(sealed[:n], "p"); !errors.Is(err, ErrOpen) {
			t.Fatalf("cut to %d bytes, Open = %v", n, err)
		}
	}
}

func TestOpenRefusesAnotherPurposeAndAnotherKey(t *testing.T) {
	t.Parallel()
	sealed := newBox(t, 1).Seal([]byte("secret"), "node_password")
	if _, err := newBox(t, 1).Open(sealed, "signing_key"); !errors.Is(err, ErrOpen) {
		t.Errorf("another purpose: %v", err)
	}
	if _, err := newBox(t, 2).Open(sealed, "node_password"); !errors.Is(err, ErrOpen) {
		t.Errorf("another key: %v", err)
	}
}

func TestNewRefusesKeysOfWrongLength(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 16, 24, 31, 33} {
		if _, err := New(make([]byte, n)); err == nil {
			t.Errorf("a key of %d bytes was accepted", n)
		}
	}
}

func TestParseKeyReadsEveryUsualSpelling(t *testing.T) {
	t.Parallel()
	// 0xfb and 0xff make the two base64 alphabets differ.
	key := bytes.Repeat([]byte{0xfb, 0xff}, KeySize/2)
	for name, text := range map[string]string{
		"hex":            hex.EncodeToString(key),
		"upper-case hex": strings.ToUpper(hex.EncodeToString(key)),
		"newline":        hex.EncodeToString(key) + "\n",
		"base64":         base64.StdEncoding.EncodeToString(key),
		"unpadded":       base64.RawStdEncoding.EncodeToString(key),
		"url":            base64.URLEncoding.EncodeToString(key),
		"unpadded url":   base64.RawURLEncoding.EncodeToString(key),
	} {
		if got, err := ParseKey(text); err != nil || !bytes.Equal(got, key) {
			t.Errorf("%s: ParseKey = %x, %v", name, got, err)
		}
	}
}

func TestParseKeyRefusesOthersWithoutRepeatingThem(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "hunter2", strings.Repeat("ab", 31), strings.Repeat("ab", 33), strings.Repeat("zz", 32)} {
		_, err := ParseKey(text)
		if err == nil {
			t.Errorf("%q was accepted", text)
			continue
		}
		if text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("the error repeats the key: %v", err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	key := make([]byte, KeySize)
	rand.Read(key)
	box, err := New(key)
	if err != nil {
		b.Fatal(err)
	}
	sealed := box.Seal([]byte("0123456789abcdef0123456789abcdef"), "p")
	for b.Loop() {
		if _, err := box.Open(sealed, "p"); err != nil {
			b.Fatal(err)
		}
	}
}
