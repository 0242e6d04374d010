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
// nothing to compare with, Reached where there is no goal.
type row struct {
	Name    string   `json:"name"`
	Figure  float64  `json:"figure"`
	Unit    string   `json:"unit"`
	Base    *float64 `json:"base"`
	Ratio   *float64 `json:"ratio"` // figure / base
	Goal    string   `json:"goal"`
	Reached *bool    `json:"reached"`

	peer string // what Base is of
}

func figure(name string, value float64, unit string) row {
	return row{Name: name, Figure: value, Unit: unit}
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
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, number(r.Figure), r.Unit, optional(r.Base), orDash(r.peer), optional(r.Ratio),
			orDash(r.Goal), answer(r.Reached))
	}
	return t.Flush()
}

func writeJSON(path string, rows []row) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // goals read ">="
	enc.SetIndent("", "  ")
	if err := enc.Encode(rows); err != nil {
		return err
	}
	return os.WriteFile(path, text.Bytes(), 0o644)
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
