package account

import (
	"math"
	"strings"
	"testing"
)

func TestUsernames(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{
		"a": true, "A": true, "0": true, "user_1.x@y-z": true, strings.Repeat("a", 64): true,
		"": false, strings.Repeat("a", 65): false, "a b": false, "a/b": false, "a:b": false, "a\x00": false,
		"é": false, "名": false, "a\n": false, "\xff": false, "(system)": false, "a+b": false,
		"\u212a": false, // the Kelvin sign, which folds to k
	} {
		if (checkUsername(name) == nil) != ok || validUsername(name) != ok {
			t.Errorf("%q: want ok=%v", name, ok)
		}
	}
}

func TestEmails(t *testing.T) {
	t.Parallel()
	for email, ok := range map[string]bool{
		"": true, "a@b.c": true, "first.last+tag@mail.example.com": true, "用户@例子.公司": true, "a@xn--fsq.com": true,
		strings.Repeat("a", 64) + "@" + strings.Repeat("b", 185) + ".com": true,
		strings.Repeat("a", 64) + "@" + strings.Repeat("b", 186) + ".com": false,
		"nope": false, "a@b": false, "@b.c": false, "a@": false, "a@b.": false, "a@.b": false, "a@b..c": false,
		"A <a@b.c>": false, "<a@b.c>": false, "a@b.c (x)": false, `"a b"@c.d`: false, " a@b.c": false, "a@b.c ": false,
		"a@b.c, d@e.f": false, "a b@c.d": false, "a@b.c\n": false, "a@[1.2.3.4]": false, "a\x00@b.c": false, "\xff@b.c": false,
	} {
		if (checkEmail(email) == nil) != ok {
			t.Errorf("%.60q: got %v, want ok=%v", email, checkEmail(email), ok)
		}
	}
}

func TestFullNames(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{
		"": true, "Alice": true, "爱丽丝 O'Hara <b>": true, strings.Repeat("名", 256): true,
		strings.Repeat("名", 257): false, "a\x00": false, "a\nb": false, "\x1b[31m": false, "\xff": false,
	} {
		if (checkFullName(name) == nil) != ok {
			t.Errorf("%.60q: want ok=%v", name, ok)
		}
	}
}

func TestPermissionLevels(t *testing.T) {
	t.Parallel()
	for level, ok := range map[int]bool{0: true, 1: true, math.MaxInt32: true, -1: false, math.MaxInt32 + 1: false, math.MinInt: false} {
		if (checkPermissionLevel(level) == nil) != ok {
			t.Errorf("%d: want ok=%v", level, ok)
		}
	}
}
