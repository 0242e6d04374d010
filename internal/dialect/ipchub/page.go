package ipchub

import (
	"strings"
	"unicode/utf8"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

// The sizes of a page.
const (
	defaultSize = 20
	maxSize     = 1000

	// chunk is how many items are read at once.
	chunk = 500
)

var (
	errPageSize  = errs.InvalidField("page_size", "page_size is not a whole number of 0 or more")
	errPageToken = errs.InvalidField("page_token", "page_token is not text")
)

// page is which part of a list is asked for: size items behind the key after.
type page struct {
	size  int
	after string
}

func pageOf(size *int64, token string) (page, error) {
	if !utf8.ValidString(token) || strings.ContainsRune(token, 0) {
		return page{}, errPageToken
	}
	p := page{size: defaultSize, after: token}
	if size == nil {
		return p, nil
	}
	if *size < 0 {
		return page{}, errPageSize
	}
	p.size = int(min(*size, maxSize))
	return p, nil
}

// collect reads a page in chunks that every service takes.
func collect[T any](p page, key func(T) string, list func(after string, limit int) ([]T, error)) ([]T, error) {
	var all []T
	for len(all) < p.size {
		ask := min(p.size-len(all), chunk)
		got, err := list(p.after, ask)
		if err != nil {
			return nil, err
		}
		all = append(all, got...)
		if len(got) < ask {
			break
		}
		p.after = key(got[len(got)-1])
	}
	return all, nil
}

// next is the token of a page: the key of its last item, or what stands for an
// empty page.
func next[T any](items []T, key func(T) string, empty string) string {
	if len(items) == 0 {
		return empty
	}
	return key(items[len(items)-1])
}
