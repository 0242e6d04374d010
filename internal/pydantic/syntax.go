// Package pydantic says where a text is no JSON in the words of Python's parser,
// which the clients of FastAPI services know from Pydantic 1. It repeats nothing
// of the text, which may hold secrets.
package pydantic

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

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

// Syntax returns what keeps a text from being JSON. Go's parser decides whether
// it is; where Python's would be content, or would go too deep, a value is missing.
func Syntax(text []byte) (f Fault, broken bool) {
	if json.Valid(text) {
		return Fault{}, false
	}
	s := scanner{text: text}
	why := s.document()
	if why == "" {
		why = expectingValue
	}
	return place(text, s.at, why), true
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
