package pydantic

import (
	"bytes"
	"regexp"
)

// maxDepth bounds how deep values may be nested, as Go's parser does.
const maxDepth = 10_000

const (
	expectingValue = "Expecting value"
	expectingName  = "Expecting property name enclosed in double quotes"
	expectingColon = "Expecting ':' delimiter"
	expectingComma = "Expecting ',' delimiter"
)

// scanner reads JSON as Python does. Its methods return why they stop, or "",
// with at on the byte that is to blame, or behind what they read.
type scanner struct {
	text  []byte
	at    int
	depth int
}

func (s *scanner) document() string {
	s.blanks()
	if why := s.value(); why != "" {
		return why
	}
	s.blanks()
	if s.at < len(s.text) {
		return "Extra data"
	}
	return ""
}

func (s *scanner) blanks() {
	for s.at < len(s.text) && bytes.IndexByte([]byte(" \t\r\n"), s.text[s.at]) >= 0 {
		s.at++
	}
}

// next says whether a byte comes next.
func (s *scanner) next(c byte) bool { return s.at < len(s.text) && s.text[s.at] == c }

// take reads a byte, if it comes next.
func (s *scanner) take(c byte) bool {
	if !s.next(c) {
		return false
	}
	s.at++
	return true
}

// scalar is a number or a word.
var scalar = regexp.MustCompile(`^(?:-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null)`)

func (s *scanner) value() string {
	switch {
	case s.next('"'):
		return s.str()
	case s.depth < maxDepth && s.take('{'):
		return s.nested(s.object)
	case s.depth < maxDepth && s.take('['):
		return s.nested(s.array)
	}
	word := scalar.Find(s.text[s.at:])
	if len(word) == 0 {
		return expectingValue
	}
	s.at += len(word)
	return ""
}

func (s *scanner) nested(read func() string) string {
	s.depth++
	defer func() { s.depth-- }()
	s.blanks()
	return read()
}

// object reads what follows a brace.
func (s *scanner) object() string {
	for first := true; ; first = false {
		if first && s.take('}') {
			return ""
		}
		if !s.next('"') {
			return expectingName
		}
		if why := s.str(); why != "" {
			return why
		}
		s.blanks()
		if !s.take(':') {
			return expectingColon
		}
		if ended, why := s.element('}'); ended || why != "" {
			return why
		}
	}
}

// array reads what follows a bracket.
func (s *scanner) array() string {
	if s.take(']') {
		return ""
	}
	for {
		if ended, why := s.element(']'); ended || why != "" {
			return why
		}
	}
}

// element reads a value and what follows it: the end, or a comma.
func (s *scanner) element(end byte) (ended bool, why string) {
	s.blanks()
	if why := s.value(); why != "" {
		return false, why
	}
	s.blanks()
	switch {
	case s.take(end):
		return true, ""
	case !s.take(','):
		return false, expectingComma
	}
	s.blanks()
	return false, ""
}

// str reads a string, quotes included.
func (s *scanner) str() string {
	begin := s.at
	for s.at++; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			return ""
		case c < ' ':
			return "Invalid control character at"
		case c != '\\':
		case s.at+1 == len(s.text):
		default:
			if why := s.escape(); why != "" {
				return why
			}
		}
	}
	s.at = begin
	return "Unterminated string starting at"
}

var hexDigits = regexp.MustCompile(`^[0-9a-fA-F]{4}`)

// escape moves from a backslash to the last byte of its sequence.
func (s *scanner) escape() string {
	switch c := s.text[s.at+1]; {
	case c == 'u':
		s.at++
		if !hexDigits.Match(s.text[s.at+1:]) {
			return `Invalid \uXXXX escape`
		}
		s.at += 4
	case bytes.IndexByte([]byte(`"\/bfnrt`), c) < 0:
		return `Invalid \escape`
	default:
		s.at++
	}
	return ""
}
