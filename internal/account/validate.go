package account

import (
	"math"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

const (
	maxUsername = 64  // bytes; names are ASCII
	maxEmail    = 254 // bytes, as in a mail envelope
	maxFullName = 256 // characters
)

// validUsername says whether a name can exist at all: 1 to 64 of letters,
// digits and `_ . @ -`.
func validUsername(name string) bool {
	if name == "" || len(name) > maxUsername {
		return false
	}
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '_', c == '.', c == '@', c == '-':
		default:
			return false
		}
	}
	return true
}

// foldUsername is the key of an account. Names are ASCII, so it agrees with
// lower() in SQL.
func foldUsername(name string) string { return strings.ToLower(name) }

func checkUsername(name string) error {
	if !validUsername(name) {
		return errs.InvalidField("username", "a username has 1 to 64 letters, digits, dots, dashes, underscores or at signs")
	}
	return nil
}

// checkEmail accepts a bare address with a dot in its domain, or nothing.
func checkEmail(email string) error {
	if email == "" {
		return nil
	}
	if !validEmail(email) {
		return errs.InvalidField("email", "not a valid email address")
	}
	return nil
}

func validEmail(email string) bool {
	if len(email) > maxEmail || !utf8.ValidString(email) {
		return false
	}
	// What net/mail takes beyond a bare address (names, comments, quotes) does
	// not come back unchanged.
	parsed, err := mail.ParseAddress(email)
	if err != nil || parsed.Address != email {
		return false
	}
	domain := email[strings.LastIndexByte(email, '@')+1:]
	return strings.Contains(domain, ".") && !strings.HasPrefix(domain, "[")
}

func checkFullName(name string) error {
	if !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return errs.InvalidField("full_name", "the full name contains characters that are not text")
	}
	if utf8.RuneCountInString(name) > maxFullName {
		return errs.InvalidField("full_name", "the full name may have at most 256 characters")
	}
	return nil
}

func checkPermissionLevel(level int) error {
	if level < 0 || level > math.MaxInt32 {
		return errs.InvalidField("permission_level", "the permission level is 0 or more")
	}
	return nil
}
