package srs

import (
	"encoding/json"
	"strconv"

	"github.com/stagedoor-live/stagedoor/internal/pydantic"
)

// The kinds of JSON value that a text was read from.
const (
	absent = iota
	str
	number
	null
	wrong    // an array, an object or a boolean
	repeated // the same key twice: see beforeVersion4
)

// text is a string, or a number taken as its digits. It never fails to decode,
// so that one pass finds everything that is wrong with a payload.
type text struct {
	value string
	kind  int
}

// UnmarshalJSON implements json.Unmarshaler. It is called once per occurrence
// of the key.
func (t *text) UnmarshalJSON(b []byte) error {
	switch c := b[0]; {
	case t.kind != absent:
		t.kind = repeated
	case c == '"':
		t.kind = str
		return json.Unmarshal(b, &t.value)
	case c == 'n':
		t.kind = null
	case c == '-' || c >= '0' && c <= '9':
		t.kind = number
		t.value = string(b)
	default:
		t.kind = wrong
	}
	return nil
}

// count returns the value as a number of things, zero if it is none.
func (t *text) count() int64 {
	n, err := strconv.ParseInt(t.value, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

func (t *text) problem(name string, required bool) (problem, bool) {
	switch {
	case t.kind == absent && required:
		return missing(name), true
	case t.kind == null && required:
		return problem{at(name), "none is not an allowed value", "type_error.none.not_allowed"}, true
	case t.kind == wrong:
		return problem{at(name), "str type expected", "type_error.str"}, true
	case t.kind == repeated:
		return problem{at(name), "field given more than once", "value_error.repeated"}, true
	case name == "client_id" && t.value == "":
		return problem{at(name), "ensure this value has at least 1 characters", "value_error.any_str.min_length"}, true
	}
	return problem{}, false
}

// problem is one entry of a 422, in the form of FastAPI with Pydantic 1.
type problem struct {
	Loc  []any  `json:"loc"`
	Msg  string `json:"msg"`
	Type string `json:"type"`
}

func notADict() problem { return problem{at(), "value is not a valid dict", "type_error.dict"} }

func at(fields ...any) []any { return append([]any{"body"}, fields...) }

func missing(fields ...any) problem {
	return problem{at(fields...), "field required", "value_error.missing"}
}

func unexpectedAction(want string) problem {
	return problem{at("action"), "unexpected value; permitted: '" + want + "'", "value_error.const"}
}

// notJSON keeps quiet about the text itself: it holds stream secrets.
func notJSON(f pydantic.Fault) problem {
	return problem{at(f.Offset), f.Msg, "value_error.jsondecode"}
}
