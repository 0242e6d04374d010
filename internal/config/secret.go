package config

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// A Secret is a setting that must not be printed. Every way to format, log or
// marshal it gives a placeholder, or nothing when it is empty; Reveal is the
// only way to its text.
type Secret string

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// Equal reports whether given is the secret, in a time that depends on neither
// of them. An empty Secret is one that nobody set: nothing equals it.
func (s Secret) Equal(given string) bool {
	want, got := sha256.Sum256([]byte(s)), sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1 && s != ""
}

// String returns the placeholder.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString returns the placeholder, quoted.
func (s Secret) GoString() string { return fmt.Sprintf("%q", s.String()) }

// Format prints the placeholder for every verb. Without it fmt would show the
// text in its complaint about a verb that does not fit a string.
func (s Secret) Format(state fmt.State, verb rune) {
	if verb == 'v' && state.Flag('#') || verb == 'q' {
		io.WriteString(state, s.GoString())
		return
	}
	io.WriteString(state, s.String())
}

// LogValue returns the placeholder.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText returns the placeholder. JSON uses it too.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
