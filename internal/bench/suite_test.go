package main

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestOnlyWhatIsAskedForIsMeasured(t *testing.T) {
	t.Parallel()
	s := &suite{}
	for _, name := range s.names() {
		if !s.wants(name) {
			t.Errorf("%s is not wanted by default", name)
		}
	}
	if err := s.restrict("flood,media"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"flood": true, "media": true, "load": true, "callbacks": false, "signing": false} {
		if s.wants(name) != want {
			t.Errorf("%s: %t", name, !want)
		}
	}
	if err := s.restrict("signing"); err != nil || s.wants("load") {
		t.Errorf("signing wants the load, %v", err)
	}
	if err := s.restrict("flood,nothing"); err == nil || !strings.Contains(err.Error(), "decisions") {
		t.Errorf("got %v", err)
	}
}

func TestAWholeRunHasEveryPromisedRow(t *testing.T) {
	t.Parallel()
	var rows []row
	for _, name := range promised {
		rows = append(rows, figure(name, 1, "s"))
	}
	s := &suite{}
	if err := s.complete(rows); err != nil {
		t.Error(err)
	}
	if err := s.complete(rows[1:]); err == nil || !strings.Contains(err.Error(), "callback_keepalive") {
		t.Errorf("got %v", err)
	}
	s.only = []string{"signing"}
	if err := s.complete(rows[1:]); err != nil {
		t.Error(err)
	}
}

func TestTheMiddleOneOfPairsCounts(t *testing.T) {
	t.Parallel()
	s := &suite{progress: io.Discard}
	var order []string
	values := map[string][]float64{"ours": {30, 1, 20}, "base": {10, 1, 1}} // ratios 3, 1 and 20
	side := func(name string) func() (float64, error) {
		return func() (v float64, _ error) {
			order = append(order, name)
			v, values[name] = values[name][0], values[name][1:]
			return v, nil
		}
	}
	a, b, err := s.pairs("x", 3, side("ours"), side("base"))
	if err != nil || a != 30 || b != 10 {
		t.Errorf("%v %v %v", a, b, err)
	}
	if got := strings.Join(order, " "); got != "ours base base ours ours base" {
		t.Error(got)
	}
}

func TestTheFastestRoundOfEachSideCounts(t *testing.T) {
	t.Parallel()
	s := &suite{progress: io.Discard}
	side := func(values ...float64) func() (float64, error) {
		return func() (v float64, _ error) {
			v, values = values[0], values[1:]
			return v, nil
		}
	}
	if a, b, err := s.fastest("x", 3, side(30, 20, 25), side(10, 11, 12)); err != nil || a != 20 || b != 10 {
		t.Errorf("%v %v %v", a, b, err)
	}
	fails := func() (float64, error) { return 0, io.EOF }
	if _, _, err := s.fastest("x", 3, side(1, 2, 3), fails); !errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "x, side 2") {
		t.Errorf("got %v", err)
	}
}
