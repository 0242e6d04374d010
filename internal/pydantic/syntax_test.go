package pydantic

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// The texts and places are those of Python 3.11.
func TestFaultsAreToldAsPythonTellsThem(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{":                          "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
		`{"a":1,`:                    "Expecting property name enclosed in double quotes: line 1 column 8 (char 7)",
		`{"a"`:                       "Expecting ':' delimiter: line 1 column 5 (char 4)",
		`{"a": `:                     "Expecting value: line 1 column 7 (char 6)",
		`{"a": 1`:                    "Expecting ',' delimiter: line 1 column 8 (char 7)",
		`{"a": "x`:                   "Unterminated string starting at: line 1 column 7 (char 6)",
		"[":                          "Expecting value: line 1 column 2 (char 1)",
		"[1":                         "Expecting ',' delimiter: line 1 column 3 (char 2)",
		"[1,":                        "Expecting value: line 1 column 4 (char 3)",
		`{"username": tru}`:          "Expecting value: line 1 column 14 (char 13)",
		`{username: "x"}`:            "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
		`{"username" "x"}`:           "Expecting ':' delimiter: line 1 column 13 (char 12)",
		`{"a": 1 "b": 2}`:            "Expecting ',' delimiter: line 1 column 9 (char 8)",
		`{"a": [1 2]}`:               "Expecting ',' delimiter: line 1 column 10 (char 9)",
		"{} x":                       "Extra data: line 1 column 4 (char 3)",
		`{"a": "\q"}`:                `Invalid \escape: line 1 column 8 (char 7)`,
		`{"a": "\u12x"}`:             `Invalid \uXXXX escape: line 1 column 9 (char 8)`,
		`{"a": 1}x`:                  "Extra data: line 1 column 9 (char 8)",
		" ":                          "Expecting value: line 1 column 2 (char 1)",
		"":                           "Expecting value: line 1 column 1 (char 0)",
		`{"a": 1.}`:                  "Expecting ',' delimiter: line 1 column 8 (char 7)",
		`{"a": -}`:                   "Expecting value: line 1 column 7 (char 6)",
		`{"a": 01}`:                  "Expecting ',' delimiter: line 1 column 8 (char 7)",
		`{"a":[1,]}`:                 "Expecting value: line 1 column 9 (char 8)",
		`{"a":1,}`:                   "Expecting property name enclosed in double quotes: line 1 column 8 (char 7)",
		"{\"username\": \"a\n}":      "Invalid control character at: line 1 column 16 (char 15)",
		`{"a": "x\`:                  "Unterminated string starting at: line 1 column 7 (char 6)",
		`{"a": "\u12`:                `Invalid \uXXXX escape: line 1 column 9 (char 8)`,
		`{"a": "\`:                   "Unterminated string starting at: line 1 column 7 (char 6)",
		"nul":                        "Expecting value: line 1 column 1 (char 0)",
		`{"a":{"b":}}`:               "Expecting value: line 1 column 11 (char 10)",
		"{,}":                        "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
		"[,]":                        "Expecting value: line 1 column 2 (char 1)",
		`{"a": 1e}`:                  "Expecting ',' delimiter: line 1 column 8 (char 7)",
		"{\"a\": \x00":               "Expecting value: line 1 column 7 (char 6)",
		"{\n  \"ä\": 1,\n  \"b\" 2}": "Expecting ':' delimiter: line 3 column 7 (char 18)",
		`{"a": "\n\u00e4" 1}`:        "Expecting ',' delimiter: line 1 column 18 (char 17)",
		"\t[true false]":             "Expecting ',' delimiter: line 1 column 8 (char 7)",
		`{"a":{}}}`:                  "Extra data: line 1 column 9 (char 8)",
		"[[]":                        "Expecting ',' delimiter: line 1 column 4 (char 3)",
		`{ "a" : [ ] , }`:            "Expecting property name enclosed in double quotes: line 1 column 15 (char 14)",
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
