package pydantic

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// The texts and places are those that Python 3 tells.
func TestFaultsAreToldAsPythonTellsThem(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"username": tru}`:          "Expecting value: line 1 column 17 (char 16)",
		`{username: "x"}`:            "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
		`{"username" "x"}`:           "Expecting ':' delimiter: line 1 column 13 (char 12)",
		`{"a": 1 "b": 2}`:            "Expecting ',' delimiter: line 1 column 9 (char 8)",
		`{"a": [1 2]}`:               "Expecting ',' delimiter: line 1 column 10 (char 9)",
		`{} x`:                       "Extra data: line 1 column 4 (char 3)",
		`{"a": "\q"}`:                `Invalid \escape: line 1 column 9 (char 8)`,
		"{\n  \"ä\": 1,\n  \"b\" 2}": "Expecting ':' delimiter: line 3 column 7 (char 18)",
		"":                           "Expecting value: line 1 column 1 (char 0)",
	} {
		f, broken := Syntax([]byte(text))
		if !broken || f.Msg != want {
			t.Errorf("%q: %v, %q, want %q", text, broken, f.Msg, want)
		}
	}
	if f, broken := Encoding([]byte("ä\xff")); !broken || f.Msg != "Invalid UTF-8: line 1 column 2 (char 1)" {
		t.Errorf("%v %+v", broken, f)
	}
	for _, text := range []string{`{}`, ` [1, "a"] `, `null`, `"\ud800"`, `1e400`} {
		f, broken := Syntax([]byte(text))
		if _, unreadable := Encoding([]byte(text)); broken || unreadable {
			t.Errorf("%q: %+v", text, f)
		}
	}
}

func FuzzSyntax(f *testing.F) {
	for _, seed := range []string{`{"a":1}`, `{"a":`, "\xff", `{"a":"secret`, "[\n1 2]", "\ufeff{}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		fault, broken := Syntax(text)
		if _, unreadable := Encoding(text); unreadable == utf8.Valid(text) {
			t.Fatalf("%q is unreadable: %v", text, unreadable)
		}
		if broken == json.Valid(text) {
			t.Fatalf("%q is broken: %v", text, broken)
		}
		if !broken {
			return
		}
		if fault.Offset < 0 || fault.Offset > utf8.RuneCount(text) || strings.Contains(fault.Msg, "\n") || len(fault.Msg) > 120 {
			t.Fatalf("%q: %+v", text, fault)
		}
	})
}
