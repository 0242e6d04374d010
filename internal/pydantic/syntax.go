// Package pydantic says where a text is no JSON in the words of Python's parser,
// which the clients of FastAPI services know from Pydantic 1. It repeats nothing
// of the text, which may hold secrets.
package pydantic

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// syntaxTexts gives what Go's parser says in the words of Python's, which the
// contract quotes. The first match counts.
var syntaxTexts = []struct{ contains, text string }{
	{"after top-level value", "Extra data"},
	{"beginning of object key", "Expecting property name enclosed in double quotes"},
	{"after object key:value pair", "Expecting ',' delimiter"},
	{"after object key", "Expecting ':' delimiter"},
	{"after array element", "Expecting ',' delimiter"},
	{"in string literal", "Invalid control character at"},
	{"hexadecimal character escape", `Invalid \uXXXX escape`},
	{"in string escape code", `Invalid \escape`},
}

// Fault is where a text stops being JSON, and why.
type Fault struct {
	Offset int    // in characters
	Msg    string // with line and column
}

// Encoding returns where bytes stop being UTF-8.
func Encoding(text []byte) (f Fault, broken bool) {
	at := invalidUTF8(text)
	if at < 0 {
		return Fault{}, false
	}
	return place(text, at, "Invalid UTF-8"), true
}

// Syntax returns what keeps a text from being JSON.
func Syntax(text []byte) (f Fault, broken bool) {
	var raw json.RawMessage
	var syntax *json.SyntaxError
	if !errors.As(json.Unmarshal(text, &raw), &syntax) {
		return Fault{}, false
	}
	at := int(syntax.Offset) // behind the character at fault
	if at > 0 && !strings.Contains(syntax.Error(), "unexpected end") {
		at--
	}
	for _, t := range syntaxTexts {
		if strings.Contains(syntax.Error(), t.contains) {
			return place(text, at, t.text), true
		}
	}
	return place(text, at, "Expecting value"), true
}

// place tells a byte of a text in characters, from 0 for the offset and from 1
// for line and column.
func place(text []byte, at int, why string) Fault {
	before := text[:min(at, len(text))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := 1 + utf8.RuneCount(before[1+bytes.LastIndexByte(before, '\n'):])
	offset := utf8.RuneCount(before)
	return Fault{Offset: offset, Msg: fmt.Sprintf("%s: line %d column %d (char %d)", why, line, column, offset)}
}

// invalidUTF8 returns the offset of the first byte that is no text, or -1.
func invalidUTF8(text []byte) int {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}
