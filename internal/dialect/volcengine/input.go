package volcengine

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// The longest names, in bytes.
const (
	maxApp    = 30
	maxStream = 100
	maxHost   = 253
)

// bindError is for what does not fit the type of a field, or is not there.
func bindError(message string) error { return errs.New(errs.Invalid, "bind_error", message) }

// decode reads the body of a request: one JSON object in UTF-8, or nothing,
// which is an object without fields. Null and the empty string become zero
// values, as which every action treats an absent field.
func decode[T any](body []byte) (in T, err error) {
	body = bytes.TrimLeft(body, " \t\r\n")
	if len(body) == 0 {
		return in, nil
	}
	if body[0] != '{' || !utf8.Valid(body) {
		return in, bindError("the body is not a JSON object")
	}
	err = json.Unmarshal(body, &in)
	var field *json.UnmarshalTypeError
	switch {
	case errors.As(err, &field) && field.Field != "":
		return in, bindError(field.Field + " is of the wrong type")
	case err != nil:
		return in, bindError("the body is not a JSON object")
	}
	return in, nil
}

// place is where a request looks: a vhost or a domain.
type place struct{ vhost, domain string }

func (p place) name() string { return p.vhost + p.domain } // one of them is empty

var errBothOrNeither = errs.New(errs.Invalid, "invalid_vhost", "exactly one of Vhost and Domain is required")

// placeOf demands exactly one of the two.
func placeOf(vhost, domain string) (place, error) {
	if (vhost == "") == (domain == "") {
		return place{}, errBothOrNeither
	}
	return anyPlaceOf(vhost, domain)
}

// anyPlaceOf demands at most one of the two.
func anyPlaceOf(vhost, domain string) (place, error) {
	if vhost != "" && domain != "" {
		return place{}, errs.New(errs.Invalid, "invalid_vhost", "Vhost and Domain exclude each other")
	}
	for field, name := range map[string]string{"Vhost": vhost, "Domain": domain} {
		if err := validHost(field, name); err != nil {
			return place{}, err
		}
	}
	return place{vhost, domain}, nil
}

func validHost(field, name string) error {
	if len(name) > maxHost || !isName(name, "_.:-") {
		return errs.InvalidField(strings.ToLower(field), field+" is not a host name")
	}
	return nil
}

// appAndStream checks both; a stream without an application is none.
func appAndStream(app, stream string) error {
	switch {
	case app == "" && stream != "":
		return bindError("Stream needs App beside it")
	case len(app) > maxApp || !isName(app, "_.-"):
		return errs.InvalidField("app", "App has 1 to 30 letters, digits, _, - and .")
	case len(stream) > maxStream || !isName(stream, "_.-"):
		return errs.InvalidField("stream", "Stream has 1 to 100 letters, digits, _, - and .")
	}
	return nil
}

// streamOf demands application and stream.
func streamOf(app, stream string) error {
	if app == "" {
		return bindError("App is required")
	}
	if stream == "" {
		return bindError("Stream is required")
	}
	return appAndStream(app, stream)
}

// isName says whether a text has only letters, digits and the others.
func isName(s, others string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return true
}

// sceneOf reads a scene that must be there.
func sceneOf(text string) (media.Scene, error) {
	switch text {
	case "push":
		return media.Publish, nil
	case "pull":
		return media.Play, nil
	case "":
		return "", bindError("SceneType is required")
	}
	return "", errs.InvalidField("scene_type", "SceneType is push or pull")
}

func sceneText(s media.Scene) string {
	if s == media.Publish {
		return "push"
	}
	return "pull"
}

// parseTime reads a time of RFC 3339, or the zero time from nothing.
func parseTime(field, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.Year() < 1970 {
		return time.Time{}, errs.InvalidField(strings.ToLower(field), field+" is not a time like 2026-01-02T15:04:05Z")
	}
	return t, nil
}

// timeText writes a time as the vendor does: in UTC, with milliseconds.
func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// values reads parameters from the query and remembers the first fault.
type values struct {
	query url.Values
	err   error
}

func (v *values) text(name string) string { return v.query.Get(name) }

// choice reads one of a few texts; absent is one of them.
func (v *values) choice(name string, allowed ...string) string {
	text := v.text(name)
	for _, a := range allowed {
		if text == a || text == "" {
			return text
		}
	}
	v.fault(errs.InvalidField(strings.ToLower(name), name+" is "+strings.Join(allowed, " or ")))
	return ""
}

// number reads a number that must be there.
func (v *values) number(name string, least, most int) int {
	text := v.text(name)
	n, err := strconv.Atoi(text)
	switch {
	case text == "":
		v.fault(bindError(name + " is required"))
	case err != nil && !errors.Is(err, strconv.ErrRange):
		v.fault(bindError(name + " is not a number"))
	case err != nil || n < least || n > most:
		v.fault(errs.InvalidField(strings.ToLower(name), name+" is between "+strconv.Itoa(least)+" and "+strconv.Itoa(most)))
	}
	return n
}

// time reads a time that must be there.
func (v *values) time(name string) time.Time {
	text := v.text(name)
	if text == "" {
		v.fault(bindError(name + " is required"))
	}
	t, err := parseTime(name, text)
	v.fault(err)
	return t
}

func (v *values) fault(err error) {
	if v.err == nil {
		v.err = err
	}
}
