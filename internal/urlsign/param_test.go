package urlsign

import (
	"strings"
	"testing"
)

func TestParam(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1<<20)
	escapes := strings.Repeat("%41", maxValue)
	for name, c := range map[string]struct {
		query, param, value string
		found, conflicting  bool
	}{
		"empty":                      {"", "token", "", false, false},
		"only separators":            {"?&?&&", "token", "", false, false},
		"first":                      {"token=abc&a=b", "token", "abc", true, false},
		"last":                       {"a=b&token=abc", "token", "abc", true, false},
		"leading question mark":      {"?token=abc", "token", "abc", true, false},
		"merged by the server":       {"?token=abc?token=abc", "token", "abc", true, false},
		"merged with others":         {"?a=b?token=abc", "token", "abc", true, false},
		"equals sign in the value":   {"token=a=b==", "token", "a=b==", true, false},
		"no equals sign":             {"a&token&b", "token", "", true, false},
		"empty value":                {"token=&a=b", "token", "", true, false},
		"empty name":                 {"=abc", "", "", false, false},
		"case matters":               {"Token=abc&TOKEN=abc", "token", "", false, false},
		"prefix of another name":     {"tokens=abc&token_a=b", "token", "", false, false},
		"suffix of another name":     {"play_token=abc", "token", "", false, false},
		"encoded name":               {"%74oken=abc", "token", "", false, false},
		"semicolon does not part":    {"a=b;token=abc", "token", "", false, false},
		"plus stays":                 {"token=a+b", "token", "a+b", true, false},
		"decoded":                    {"token=%61%2B%26%3f%20%E7%BE%8E", "token", "a+&? 美", true, false},
		"bad escape stands":          {"token=%zz%4%", "token", "%zz%4%", true, false},
		"decoded once":               {"token=%2541", "token", "%41", true, false},
		"repeat":                     {"token=a&token=a&token=a", "token", "a", true, false},
		"repeat in other spelling":   {"token=a%2fb&token=%61/b&token=a%2Fb", "token", "a/b", true, false},
		"repeat differs":             {"token=a&token=b", "token", "a", true, true},
		"repeat differs in case":     {"token=a&token=A", "token", "a", true, true},
		"repeat differs late":        {"token=a&x=y&token=a?token=ab", "token", "a", true, true},
		"repeat shorter":             {"token=ab&token=a", "token", "ab", true, true},
		"repeat empty":               {"token=a&token=", "token", "a", true, true},
		"repeat without equals sign": {"token&token=a", "token", "", true, true},
		"repeat decoded first":       {"token=%61&token=b", "token", "a", true, true},
		"long value":                 {"token=" + long, "token", long, true, false},
		"longest that is decoded":    {"token=" + escapes, "token", strings.Repeat("A", maxValue), true, false},
		"too long to decode":         {"token=" + escapes + "%41", "token", escapes + "%41", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			value, found, conflicting := Param(c.query, c.param)
			if value != c.value || found != c.found || conflicting != c.conflicting {
				t.Errorf("value %.40q, found %v, conflicting %v", value, found, conflicting)
			}
		})
	}
}

// referenceParam is Param written for clarity: split, decode all, compare.
func referenceParam(query, name string) (value string, found, conflicting bool) {
	for pair := range strings.SplitSeq(strings.ReplaceAll(query, "?", "&"), "&") {
		n, v, _ := strings.Cut(pair, "=")
		if n != name || name == "" {
			continue
		}
		switch v = referenceDecode(v); {
		case !found:
			value, found = v, true
		case v != value:
			conflicting = true
		}
	}
	return value, found, conflicting
}

func referenceDecode(s string) string {
	var out []byte
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, lo := strings.IndexByte(hexDigits, lower(s[i+1])), strings.IndexByte(hexDigits, lower(s[i+2]))
			if hi >= 0 && lo >= 0 {
				out = append(out, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

const hexDigits = "0123456789abcdef"

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func FuzzParam(f *testing.F) {
	for _, query := range []string{
		"", "?", "sd", "sd=", "?sd=a?sd=a", "sd=a&sd=b", "a=b&sd=%61&sd=a", "sd=%&sd=%2", "sd=%zz", "=", "&&", "sd==", "SD=a&%73d=b",
	} {
		f.Add(query, "sd")
	}
	f.Add("token=abc&play_token=def", "token")
	f.Add("a=b", "")
	f.Fuzz(func(t *testing.T, query, name string) {
		if strings.ContainsAny(name, "?&=") {
			t.Skip("no such parameter name")
		}
		value, found, conflicting := Param(query, name)
		want, wantFound, wantConflicting := referenceParam(query, name)
		if found != wantFound || conflicting != wantConflicting {
			t.Errorf("found %v, conflicting %v; want %v, %v", found, conflicting, wantFound, wantConflicting)
		}
		if len(query) <= maxEncoded && value != want {
			t.Errorf("value %q, want %q", value, want)
		}
	})
}
