package urlsign

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestNumeralsOfFixedWidthHaveOne(t *testing.T) {
	t.Parallel()
	for base, c := range map[int]struct{ first, last string }{
		2:  {"1" + strings.Repeat("0", 30), strings.Repeat("1", 31)},
		8:  {"10000000000", "77777777777"},
		10: {"1000000000", "9999999999"},
		16: {"10000000", "ffffffff"},
	} {
		n := newNumeral(base, true)
		for _, at := range []time.Time{{}, time.Unix(-1, 0), time.Unix(0, 0), time.Unix(n.min, 0)} {
			if got := string(n.append(nil, at)); got != c.first {
				t.Errorf("base %d writes %v as %s, want %s", base, at, got, c.first)
			}
		}
		for _, at := range []time.Time{time.Unix(n.max, 0), time.Unix(1<<50, 0)} {
			if got := string(n.append(nil, at)); got != c.last {
				t.Errorf("base %d writes %v as %s, want %s", base, at, got, c.last)
			}
		}
		if s, ok := n.parse(c.last); !ok || s != n.max {
			t.Errorf("base %d reads %s as %d, %v", base, c.last, s, ok)
		}
		for _, text := range []string{c.first[1:], c.first + "0", "0" + c.last, ""} {
			if s, ok := n.parse(text); ok {
				t.Errorf("base %d reads %q as %d", base, text, s)
			}
		}
	}
}

func TestNumeralsAreReadStrictly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		base int
		text string
		want int64 // -1: refused
	}{
		{0, "1893456000", 1893456000}, {10, "0", 0}, {10, "007", 7}, {10, "99999999999", maxTime}, {10, "100000000000", -1},
		{10, strings.Repeat("0", maxDigits) + "1", -1}, {10, "+1", -1}, {10, "-1", -1}, {10, " 1", -1}, {10, "1 ", -1}, {10, "1.0", -1}, {10, "1e9", -1},
		{10, "a", -1}, {10, "٣", -1}, {10, "1_000", -1},
		{16, "70dbd880", 1893456000}, {16, "70DBD880", 1893456000}, {16, "0x70dbd880", -1}, {16, "g", -1}, {16, "174876e7ff", maxTime}, {16, "174876e800", -1},
		{8, "16066754200", 1893456000}, {8, "8", -1}, {8, "0o7", -1},
		{2, "1110000110110111101100010000000", 1893456000}, {2, "2", -1}, {2, "0b1", -1}, {2, strings.Repeat("1", maxDigits), -1},
	} {
		n := newNumeral(c.base, false)
		if got, ok := n.parse(c.text); ok != (c.want >= 0) || ok && got != c.want {
			t.Errorf("base %d: %q is %d, %v; want %d", c.base, c.text, got, ok, c.want)
		}
	}
}

func FuzzNumeral(f *testing.F) {
	for _, text := range []string{"1893456000", "70DBD880", "16066754200", "1110000110110111101100010000000", "", "-1", "+1", "1_0", "0x1", "99999999999999999999999"} {
		for _, base := range []int{2, 8, 10, 16} {
			f.Add(text, base, true)
			f.Add(text, base, false)
		}
	}
	f.Fuzz(func(t *testing.T, text string, base int, fixed bool) {
		if base != 2 && base != 8 && base != 10 && base != 16 {
			return
		}
		n := newNumeral(base, fixed)
		got, ok := n.parse(text)
		want, err := strconv.ParseInt(text, base, 64)
		plain := err == nil && want >= 0 && want <= maxTime && len(text) <= maxDigits && strings.IndexAny(text, "+-") < 0
		if fixed && len(text) != n.width {
			plain = false
		}
		if ok != plain || ok && got != want {
			t.Fatalf("base %d, fixed %v: %q is %d, %v; want %d, %v", base, fixed, text, got, ok, want, plain)
		}
		if !ok || got < n.min || got > n.max {
			return
		}
		written := string(n.append(nil, time.Unix(got, 0)))
		if again, ok := n.parse(written); !ok || again != got {
			t.Errorf("base %d writes %d as %q", base, got, written)
		}
	})
}
