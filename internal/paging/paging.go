// Package paging lets lists whose pages have numbers be read by cursor: it
// remembers where pages ended, so that the next ones begin there.
package paging

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	// kept bounds the memory that the places of one kind of list take, some 2 MiB
	// and the words of filters.
	kept = 1 << 14
	// fresh is how long a place is good. Like a cursor it stays with its entry when
	// others come; after that, numbers count from the beginning again.
	fresh = time.Minute
)

// Places are ends of pages. P is what a list is in the order of.
type Places[P any] struct {
	known *lru.Cache[spot, place[P]]
}

// spot is behind so many entries of a list, which its filter and order name.
type spot struct {
	list   string
	offset int
}

type place[P any] struct {
	at    P
	since time.Time
}

// New returns no places.
func New[P any]() *Places[P] {
	known, err := lru.New[spot, place[P]](kept)
	if err != nil {
		panic(err) // the size is not positive
	}
	return &Places[P]{known}
}

// Put notes what is the entry with the number offset of a list, counted from one.
func (p *Places[P]) Put(list string, offset int, at P, now time.Time) {
	p.known.Add(spot{list, offset}, place[P]{at, now})
}

// Get returns the entry with the number offset of a list, if it was seen within a
// minute.
func (p *Places[P]) Get(list string, offset int, now time.Time) (at P, ok bool) {
	found, ok := p.known.Get(spot{list, offset})
	age := now.Sub(found.since)
	return found.at, ok && age >= 0 && age < fresh
}
