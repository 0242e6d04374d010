package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func someRows() []row {
	return []row{
		figure("callback_keepalive", 15000, "1/s").beside(20000, "bare handler").aim(ratioAtLeast(0.60)),
		figure("verify_url", 300, "ns").beside(100, "md5.Sum").aim(ratioAtMost(1.5)),
		figure("callback_p99", 1.25, "ms").beside(0.5, "bare handler"),
		figure("ready_warm", 0.161, "s").aim(figureAtMost(0.3)),
		figure("room_create", 2000, "1/s").aim(ratioAtLeast(0.60)),
		unmeasured("revoke_stopped_p99", "s", figureAtMost(2), errors.New("there is no ffmpeg")),
	}
}

func TestTableShowsFigureBaseRatioAndGoal(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := writeTable(&out, someRows()); err != nil {
		t.Fatal(err)
	}
	want := `
NAME                FIGURE  UNIT  BASE   BASE IS       RATIO  GOAL           REACHED
callback_keepalive  15000   1/s   20000  bare handler  0.750  ratio >= 0.60  yes
verify_url          300     ns    100    md5.Sum       3.00   ratio <= 1.50  no
callback_p99        1.25    ms    0.500  bare handler  2.50   -              -
ready_warm          0.161   s     -      -             -      <= 0.3         yes
room_create         2000    1/s   -      -             -      ratio >= 0.60  no
revoke_stopped_p99  -       s     -      -             -      <= 2           no

revoke_stopped_p99 is not measured: there is no ffmpeg
`
	if got := out.String(); !strings.HasSuffix(got, "\n"+want) || !strings.Contains(got, "processors") {
		t.Errorf("got:\n%s\nwant its end to be:\n%s", got, want)
	}
}

func TestJSONHasEveryKeyAndNullForWhatThereIsNot(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bench.json")
	if err := writeJSON(path, someRows()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), `"ratio >= 0.60"`) {
		t.Errorf("goals are not readable in %s", text)
	}
	var got []map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{
		{"name": "callback_keepalive", "figure": 15000.0, "unit": "1/s", "base": 20000.0, "ratio": 0.75, "goal": "ratio >= 0.60", "reached": true},
		{"name": "verify_url", "figure": 300.0, "unit": "ns", "base": 100.0, "ratio": 3.0, "goal": "ratio <= 1.50", "reached": false},
		{"name": "callback_p99", "figure": 1.25, "unit": "ms", "base": 0.5, "ratio": 2.5, "goal": "", "reached": nil},
		{"name": "ready_warm", "figure": 0.161, "unit": "s", "base": nil, "ratio": nil, "goal": "<= 0.3", "reached": true},
		{"name": "room_create", "figure": 2000.0, "unit": "1/s", "base": nil, "ratio": nil, "goal": "ratio >= 0.60", "reached": false},
		{"name": "revoke_stopped_p99", "figure": nil, "unit": "s", "base": nil, "ratio": nil, "goal": "<= 2", "reached": false},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestGoalOfTwoPartsNeedsBoth(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		figure float64
		ok     bool
		want   bool
	}{{1, true, true}, {1, false, false}, {3, true, false}} {
		r := figure("x", c.figure, "ns").beside(1, "y").aim(ratioAtMost(2).and("and more", c.ok))
		if *r.Reached != c.want || r.Goal != "ratio <= 2.00, and more" {
			t.Errorf("%v: %t, %q", c, *r.Reached, r.Goal)
		}
	}
}

func TestNumbersKeepThreeDigits(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{0: "0.000", 0.12345: "0.123", 1.2345: "1.23", 12.345: "12.3", 123.45: "123", 12345.6: "12346"} {
		if got := number(v); got != want {
			t.Errorf("%v is shown as %s, want %s", v, got, want)
		}
	}
}

func TestMedianIsTheMiddle(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []float64
		want   float64
	}{{[]float64{7}, 7}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 100, 1, 2}, 3}} {
		given := append([]float64(nil), c.values...)
		if got := median(given); got != c.want || !reflect.DeepEqual(given, c.values) {
			t.Errorf("median of %v is %v, which left %v", c.values, got, given)
		}
	}
}
