package urlsign

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Options are what a scheme leaves to whoever configures it. The zero value is
// the scheme's own choice of everything. Only plain data, so that it can be
// stored and sent as JSON.
type Options struct {
	// SignatureParam and TimeParam rename the URL parameters.
	SignatureParam string `json:"signature_param,omitempty"`
	TimeParam      string `json:"time_param,omitempty"`
	// TimeBase is the base of the time in the URL: 2, 8, 10 or 16; 0 is the
	// scheme's usual one.
	TimeBase int `json:"time_base,omitempty"`
	// Fields names what volcengine_custom hashes, in this order: key (or
	// SecretKey), volcTime (or expireTime), Domain, AppName, StreamName.
	Fields []string `json:"fields,omitempty"`
	// Format is the format of aliyun_c: 1 (in the path, as is 0) or 2 (in the query).
	Format int `json:"format,omitempty"`
	// Expression is what nginx_secure_link_md5 hashes: the text of the server's
	// secure_link_md5 with $key where the secret is.
	Expression string `json:"expression,omitempty"`
	// PathPrefix stands before a signature in the path: "/p". nginx_secure_link_md5
	// puts its signature into the query without one.
	PathPrefix string `json:"path_prefix,omitempty"`
	// ParamPrefix begins the parameters of wowza_securetoken_v2; empty is "wowzatoken".
	ParamPrefix string `json:"param_prefix,omitempty"`
	// Hash is the hash of a scheme that leaves the choice: wowza_securetoken_v2
	// (sha256, as is empty, sha384 or sha512) and cloudfront_canned (sha1, as is
	// empty, or sha256).
	Hash string `json:"hash,omitempty"`
	// KeyID is the name that the vendor gave to the key, where its URLs carry it.
	KeyID string `json:"key_id,omitempty"`
}

// Chosen lists the options that are chosen, as "name=value" in the words of the
// command line, in a fixed order.
func (o Options) Chosen() (chosen []string) {
	for _, option := range []struct{ flag, value string }{
		{"param-signature", o.SignatureParam}, {"param-time", o.TimeParam}, {"time-base", strconv.Itoa(o.TimeBase)}, {"fields", strings.Join(o.Fields, ",")},
		{"url-format", strconv.Itoa(o.Format)}, {"expression", o.Expression}, {"path-prefix", o.PathPrefix}, {"param-prefix", o.ParamPrefix},
		{"hash", o.Hash}, {"key-name", o.KeyID},
	} {
		if option.value != "" && option.value != "0" {
			chosen = append(chosen, option.flag+"="+option.value)
		}
	}
	return chosen
}

var (
	errOptionForm    = errors.New("an option is written as name=value, each once")
	errOptionUnknown = errors.New("options are param-signature, param-time, time-base, fields, url-format, expression, path-prefix, param-prefix, hash and key-name")
	errOptionNumber  = errors.New("time-base and url-format are numbers")
)

// ParseOptions reads what Chosen lists. Its errors can be shown.
func ParseOptions(chosen []string) (o Options, err error) {
	texts := map[string]*string{"param-signature": &o.SignatureParam, "param-time": &o.TimeParam, "expression": &o.Expression, "path-prefix": &o.PathPrefix,
		"param-prefix": &o.ParamPrefix, "hash": &o.Hash, "key-name": &o.KeyID}
	numbers := map[string]*int{"time-base": &o.TimeBase, "url-format": &o.Format}
	seen := map[string]bool{}
	for _, option := range chosen {
		name, value, ok := strings.Cut(option, "=")
		if !ok || value == "" || seen[name] {
			return Options{}, errOptionForm
		}
		seen[name] = true
		switch {
		case name == "fields":
			o.Fields = strings.Split(value, ",")
		case texts[name] != nil:
			*texts[name] = value
		case numbers[name] != nil:
			if *numbers[name], err = strconv.Atoi(value); err != nil {
				return Options{}, errOptionNumber
			}
		default:
			return Options{}, errOptionUnknown
		}
	}
	return o, nil
}

// set lists the options that are chosen, by their JSON names, in a fixed order.
func (o *Options) set() (names []string) {
	for _, option := range []struct {
		name   string
		chosen bool
	}{
		{"signature_param", o.SignatureParam != ""}, {"time_param", o.TimeParam != ""}, {"time_base", o.TimeBase != 0},
		{"fields", len(o.Fields) > 0}, {"format", o.Format != 0}, {"expression", o.Expression != ""},
		{"path_prefix", o.PathPrefix != ""}, {"param_prefix", o.ParamPrefix != ""}, {"hash", o.Hash != ""}, {"key_id", o.KeyID != ""},
	} {
		if option.chosen {
			names = append(names, option.name)
		}
	}
	return names
}

// Equal reports whether o and p say the same in the same words.
func (o Options) Equal(p Options) bool {
	return o.texts() == p.texts() && o.TimeBase == p.TimeBase && o.Format == p.Format && slices.Equal(o.Fields, p.Fields)
}

func (o Options) texts() [7]string {
	return [...]string{o.SignatureParam, o.TimeParam, o.Expression, o.PathPrefix, o.ParamPrefix, o.Hash, o.KeyID}
}

// IsZero reports whether nothing is chosen.
func (o Options) IsZero() bool { return len(o.set()) == 0 }

// ErrUnknownScheme is what New returns for a name that is not one of Names.
var ErrUnknownScheme = errors.New("no such scheme")

// ErrUnconfirmed is what New returns for a scheme that exists at a vendor whose
// string to sign is published nowhere: guessing it would make URLs that nobody
// accepts and accept URLs that nobody made.
var ErrUnconfirmed = errors.New("the formula of this scheme is not published, so it is not supported")

// New returns the scheme of that name with these options. Its errors can be
// shown to whoever chose the options.
func New(name string, o Options) (Scheme, error) {
	if name == "volcengine_c" {
		return nil, ErrUnconfirmed
	}
	e, ok := entryOf(name)
	if !ok {
		return nil, ErrUnknownScheme
	}
	if err := e.check(&o); err != nil {
		return nil, err
	}
	return e.build(o)
}

// check refuses options that this scheme does not have, and what no scheme can
// have for one.
func (e *entry) check(o *Options) error {
	for _, option := range o.set() {
		if len(e.options) == 0 {
			return fmt.Errorf("%s has no options", e.name)
		}
		if !slices.Contains(e.options, option) {
			return fmt.Errorf("%s does not take %s: it takes %s", e.name, option, strings.Join(e.options, ", "))
		}
	}
	if o.TimeBase != 0 && !slices.Contains([]int{2, 8, 10, 16}, o.TimeBase) {
		return errors.New("the base of the time is 2, 8, 10 or 16")
	}
	for _, param := range []string{o.SignatureParam, o.TimeParam, o.ParamPrefix, o.KeyID} {
		if param != "" && !isParam(param) {
			return fmt.Errorf("a parameter name has 1 to %d of A-Z a-z 0-9 _ . -", maxParam)
		}
	}
	if o.PathPrefix != "" && !isPrefix(o.PathPrefix) {
		return errors.New("a prefix is one to three plain path segments, such as /p")
	}
	return nil
}

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
