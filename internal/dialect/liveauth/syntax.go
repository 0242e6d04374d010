package liveauth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	gen "github.com/stagedoor-live/stagedoor/gen/liveauth"
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

// syntaxFault returns what keeps a body from being JSON, or nil.
func syntaxFault(body []byte) error {
	var raw json.RawMessage
	var syntax *json.SyntaxError
	if !errors.As(json.Unmarshal(body, &raw), &syntax) {
		return nil
	}
	at := int(syntax.Offset) // behind the character at fault
	if at > 0 && !strings.Contains(syntax.Error(), "unexpected end") {
		at--
	}
	for _, t := range syntaxTexts {
		if strings.Contains(syntax.Error(), t.contains) {
			return faults{brokenJSON(body, at, t.text)}
		}
	}
	return faults{brokenJSON(body, at, "Expecting value")}
}

// brokenJSON places a text at a byte of the body. Positions are told in
// characters, from 0 for the offset and from 1 for line and column.
func brokenJSON(body []byte, at int, text string) gen.ValidationError {
	before := body[:min(at, len(body))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := 1 + utf8.RuneCount(before[1+bytes.LastIndexByte(before, '\n'):])
	offset := utf8.RuneCount(before)
	return fault(fmt.Sprintf("%s: line %d column %d (char %d)", text, line, column, offset),
		"value_error.jsondecode", "body", offset)
}
