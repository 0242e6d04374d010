package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"text/tabwriter"
)

// row is one line of the table. Base and Ratio are missing where there is
// nothing to compare with, Reached where there is no goal, and the figure too
// where this machine cannot measure it: such a goal counts as not reached.
type row struct {
	Name    string   `json:"name"`
	Figure  float64  `json:"figure"`
	Unit    string   `json:"unit"`
	Base    *float64 `json:"base"`
	Ratio   *float64 `json:"ratio"` // figure / base
	Goal    string   `json:"goal"`
	Reached *bool    `json:"reached"`

	peer string // what Base is of
	why  string // there is no figure
}

func figure(name string, value float64, unit string) row {
	return row{Name: name, Figure: value, Unit: unit}
}

// unmeasured is a row without a figure.
func unmeasured(name, unit string, g goal, why error) row {
	reached := false
	return row{Name: name, Unit: unit, Goal: g.text, Reached: &reached, why: why.Error()}
}

// MarshalJSON leaves no figure where there is none.
func (r row) MarshalJSON() ([]byte, error) {
	type plain row
	if r.why == "" {
		return marshal(plain(r))
	}
	return marshal(struct {
		plain
		Figure *float64 `json:"figure"`
	}{plain: plain(r)})
}

// beside sets what the figure is compared with.
func (r row) beside(base float64, peer string) row {
	ratio := r.Figure / base
	r.Base, r.Ratio, r.peer = &base, &ratio, peer
	return r
}

// goal is what a row should reach.
type goal struct {
	text string
	met  func(row) bool
}

// aim sets the goal.
func (r row) aim(g goal) row {
	reached := g.met(r)
	r.Goal, r.Reached = g.text, &reached
	return r
}

func ratioAtLeast(limit float64) goal {
	return goal{fmt.Sprintf("ratio >= %.2f", limit), func(r row) bool { return r.Ratio != nil && *r.Ratio >= limit }}
}

func ratioAtMost(limit float64) goal {
	return goal{fmt.Sprintf("ratio <= %.2f", limit), func(r row) bool { return r.Ratio != nil && *r.Ratio <= limit }}
}

func figureAtMost(limit float64) goal {
	return goal{"<= " + strconv.FormatFloat(limit, 'g', -1, 64), func(r row) bool { return r.Figure <= limit }}
}

func figureAtLeast(limit float64) goal {
	return goal{">= " + strconv.FormatFloat(limit, 'g', -1, 64), func(r row) bool { return r.Figure >= limit }}
}

// and is both of two goals; ok says whether the other one, in words, is met.
func (g goal) and(text string, ok bool) goal {
	return goal{g.text + ", " + text, func(r row) bool { return ok && g.met(r) }}
}

func writeTable(w io.Writer, rows []row) error {
	fmt.Fprintf(w, "\n%d processors, %s, %s/%s\n\n", runtime.GOMAXPROCS(0), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tFIGURE\tUNIT\tBASE\tBASE IS\tRATIO\tGOAL\tREACHED")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, r.figure(), r.Unit, optional(r.Base), orDash(r.peer), optional(r.Ratio),
			orDash(r.Goal), answer(r.Reached))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, r := range rows {
		if r.why != "" {
			fmt.Fprintf(w, "\n%s is not measured: %s\n", r.Name, r.why)
		}
	}
	return nil
}

func (r row) figure() string {
	if r.why != "" {
		return "-"
	}
	return number(r.Figure)
}

func writeJSON(path string, rows []row) error {
	text, err := marshal(rows)
	if err != nil {
		return err
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, text, "", "  "); err != nil {
		return err
	}
	return os.WriteFile(path, indented.Bytes(), 0o644)
}

// marshal leaves goals readable, which say ">=".
func marshal(v any) ([]byte, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return text.Bytes(), err
}

// number shows three digits, or all that stand before the point.
func number(v float64) string {
	decimals := 3
	for limit := 1.0; limit <= 100 && v >= limit; limit *= 10 {
		decimals--
	}
	return strconv.FormatFloat(v, 'f', decimals, 64)
}

func optional(v *float64) string {
	if v == nil {
		return "-"
	}
	return number(*v)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func answer(reached *bool) string {
	switch {
	case reached == nil:
		return "-"
	case *reached:
		return "yes"
	}
	return "no"
}
