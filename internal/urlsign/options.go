package urlsign

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Options are what a scheme leaves to whoever configures it. The zero value is
// the scheme's own choice of everything. Only plain data, so that it can be
// stored and sent as JSON.
type Options struct {
	// SignatureParam and TimeParam rename the URL parameters.
	SignatureParam string `json:"signature_param,omitempty"`
	TimeParam      string `json:"time_param,omitempty"`
	// TimeBase is the base of the time in the URL: 2, 8, 10 or 16; 0 is 10.
	TimeBase int `json:"time_base,omitempty"`
	// Fields names what volcengine_custom hashes, in this order: key (or
	// SecretKey), volcTime (or expireTime), Domain, AppName, StreamName.
	Fields []string `json:"fields,omitempty"`
}

// Equal reports whether o and p say the same in the same words.
func (o Options) Equal(p Options) bool {
	return o.SignatureParam == p.SignatureParam && o.TimeParam == p.TimeParam && o.TimeBase == p.TimeBase && slices.Equal(o.Fields, p.Fields)
}

// IsZero reports whether nothing is chosen.
func (o Options) IsZero() bool { return o.Equal(Options{}) }

// ErrUnknownScheme is what New returns for a name that is not one of Names.
var ErrUnknownScheme = errors.New("no such scheme")

// ErrUnconfirmed is what New returns for a scheme that exists at a vendor whose
// string to sign is published nowhere: guessing it would make URLs that nobody
// accepts and accept URLs that nobody made.
var ErrUnconfirmed = errors.New("the formula of this scheme is not published, so it is not supported")

// New returns the scheme of that name with these options. Its errors can be
// shown to whoever chose the options.
func New(name string, o Options) (Scheme, error) {
	switch name {
	case "stagedoor", "aliyun_a":
		if !o.IsZero() {
			return nil, fmt.Errorf("%s has no options", name)
		}
		return singleton(name), nil
	case "volcengine_c":
		return nil, ErrUnconfirmed
	case "volcengine_a", "volcengine_b", "volcengine_custom":
		return newVolcengine(name, o)
	}
	return nil, ErrUnknownScheme
}

func newVolcengine(name string, o Options) (Scheme, error) {
	if o.TimeBase != 0 && !slices.Contains([]int{2, 8, 10, 16}, o.TimeBase) {
		return nil, errors.New("the base of the time is 2, 8, 10 or 16")
	}
	for _, param := range []string{o.SignatureParam, o.TimeParam} {
		if param != "" && !isParam(param) {
			return nil, fmt.Errorf("a parameter name has 1 to %d of A-Z a-z 0-9 _ . -", maxParam)
		}
	}
	if name != "volcengine_custom" && len(o.Fields) > 0 {
		return nil, fmt.Errorf("the fields of %s are fixed", name)
	}
	if name == "volcengine_a" {
		return newVolcengineA(o)
	}
	return newVolcenginePair(name, o)
}

// PlayOnly reports whether a scheme is for pull URLs alone.
func PlayOnly(name string) bool { return name == "volcengine_a" }

// maxParam bounds the name of a URL parameter.
const maxParam = 64

func isParam(s string) bool {
	if s == "" || len(s) > maxParam {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isAlnum(c) && strings.IndexByte("_.-", c) < 0 {
			return false
		}
	}
	return true
}

func orDefault(s, def string) string {
	if s == "" {
		return def
	}
	return s
}
