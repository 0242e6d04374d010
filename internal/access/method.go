package access

import (
	"sync"

	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// kind is a way to sign.
type kind struct {
	name    string // of the scheme
	options urlsign.Options
}

func kindOf(name string, options []byte) (kind, error) {
	o, err := optionsFromRow(options)
	return kind{name, o}, err
}

func (k kind) same(as kind) bool { return k.name == as.name && k.options.Equal(as.options) }

// method is a kind with its scheme, or with the reason why there is none: only a
// newer release can have written it.
type method struct {
	kind
	scheme urlsign.Scheme
	err    error
}

func newMethod(name string, options []byte) (m method) {
	if m.kind, m.err = kindOf(name, options); m.err == nil {
		m.scheme, m.err = urlsign.New(name, m.options)
	}
	return m
}

// maxMethods bounds how many methods are kept.
const maxMethods = 1024

// methods are those in use, so that rules which sign alike share a scheme. The
// zero value is ready.
type methods struct {
	mu    sync.Mutex
	known map[string]map[string]method // by scheme and the text of the options
	n     int
}

func (ms *methods) get(scheme string, options []byte) method {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if m, ok := ms.known[scheme][string(options)]; ok {
		return m
	}
	m := newMethod(scheme, options)
	if ms.n < maxMethods {
		if ms.known == nil {
			ms.known = map[string]map[string]method{}
		}
		if ms.known[scheme] == nil {
			ms.known[scheme] = map[string]method{}
		}
		ms.known[scheme][string(options)] = m
		ms.n++
	}
	return m
}
