package paging

import (
	"testing"
	"time"
)

func TestPlacesAreGoodForAMinute(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 5, 17, 12, 0, 0, 0, time.UTC)
	p := New[string]()
	p.Put("rooms", 20, "r20", now)
	p.Put("rooms on air", 20, "r7", now)
	for _, c := range []struct {
		list   string
		offset int
		later  time.Duration
		want   string
	}{
		{"rooms", 20, 0, "r20"}, {"rooms on air", 20, fresh - 1, "r7"}, {"rooms", 20, fresh, ""}, {"rooms", 20, -time.Second, ""},
		{"rooms", 40, 0, ""}, {"others", 20, 0, ""},
	} {
		at, ok := p.Get(c.list, c.offset, now.Add(c.later))
		if ok != (c.want != "") || ok && at != c.want {
			t.Errorf("%+v: %q, %t", c, at, ok)
		}
	}
}

func TestPlacesAreBounded(t *testing.T) {
	t.Parallel()
	now, p := time.Now(), New[int]()
	for i := range 2 * kept {
		p.Put("", i, i, now)
	}
	if _, ok := p.Get("", 2*kept-1, now); !ok || p.known.Len() != kept {
		t.Errorf("%d places are kept", p.known.Len())
	}
}
