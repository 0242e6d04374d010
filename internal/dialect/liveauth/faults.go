package liveauth

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	gen "github.com/stagedoor-live/stagedoor/gen/liveauth"
	"github.com/stagedoor-live/stagedoor/internal/pydantic"
)

// faults are what is wrong with one request, all of it, in the order of the
// fields. The texts and types are those of Pydantic 1, which clients match.
type faults []gen.ValidationError

// Error is for the log. No fault repeats the input, which may hold a password.
func (f faults) Error() string {
	lines := make([]string, len(f))
	for i, v := range f {
		lines[i] = fmt.Sprintf("%v: %s", v.Loc, v.Msg)
	}
	return strings.Join(lines, "; ")
}

// err returns nil where nothing is wrong.
func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

func fault(msg, kind string, loc ...any) gen.ValidationError {
	return gen.ValidationError{Loc: loc, Msg: msg, Type: kind}
}

func missing(loc ...any) gen.ValidationError {
	return fault("field required", "value_error.missing", loc...)
}

func isNull(loc ...any) gen.ValidationError {
	return fault("none is not an allowed value", "type_error.none.not_allowed", loc...)
}

func notText(loc ...any) gen.ValidationError {
	return fault("str type expected", "type_error.str", loc...)
}

func notInteger(loc ...any) gen.ValidationError {
	return fault("value is not a valid integer", "type_error.integer", loc...)
}

func notEmail(loc ...any) gen.ValidationError {
	return fault("value is not a valid email address", "value_error.email", loc...)
}

func notDict(loc ...any) gen.ValidationError {
	return fault("value is not a valid dict", "type_error.dict", loc...)
}

func brokenJSON(at pydantic.Fault) gen.ValidationError {
	return fault(at.Msg, "value_error.jsondecode", "body", at.Offset)
}

func notPassword(loc ...any) gen.ValidationError {
	return fault(`string does not match regex "password"`, "value_error.str.regex", loc...)
}

// parameter is a query parameter that the generated code may object to.
type parameter struct {
	name              string
	required, integer bool
}

var parameters = map[string][]parameter{
	opCreateToken:  {{name: "stream", required: true}, {name: "level", integer: true}},
	opDestroyToken: {{name: "token", required: true}},
}

// queryFaults lists all that is wrong with a query; the generated code stops at
// the first bad parameter.
func queryFaults(pattern string, q url.Values) faults {
	var f faults
	for _, p := range parameters[pattern] {
		values, sent := q[p.name]
		switch {
		case !sent && p.required:
			f = append(f, missing("query", p.name))
		case sent && p.integer && !isInteger(values[0]):
			f = append(f, notInteger("query", p.name))
		case len(values) > 1: // which one counts would be a guess
			f = append(f, notText("query", p.name))
		}
	}
	return f
}

func isInteger(s string) bool {
	_, err := strconv.ParseInt(s, 10, 32)
	return err == nil
}

// isParamError says whether the generated code objected to the query. Its own
// text repeats the value and goes nowhere.
func isParamError(err error) bool {
	var required *gen.RequiredParamError
	var format *gen.InvalidParamFormatError
	return errors.As(err, &required) || errors.As(err, &format)
}
