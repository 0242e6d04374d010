// Package finding is what is noticed about a request, in words that have codes:
// whoever shows it may say it in another language.
package finding

import (
	"cmp"
	"iter"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Finding is something that was noticed about a request. All codes are stable.
// Change says what to do about it and is empty where there is nothing to do.
type Finding struct {
	Code                 string // what it is
	TextCode, ChangeCode string // which sentences say so
	Text, Change         string // in English
	Args                 Args   // what the sentences are filled with
}

// Args are the values of the places in a sentence, by name: a string, an int, a
// time.Time, a time.Duration, a Rule or a Guess.
type Args map[string]any

// Rule is a rule as an argument: people are told its place.
type Rule struct {
	ID    int64
	Place string
}

// Guess is the code of a reason why a URL is one to publish or to play.
type Guess string

// Text is the guess in English.
func (g Guess) Text() string { return guesses[string(g)] }

// New makes a finding of a sentence, of one that says what to do (empty: nothing)
// and of their values. Texts of somebody else may be among these: they are made
// fit for a terminal and a log line.
func New(text, change string, args Args) Finding {
	t := texts[text]
	return Finding{Code: cmp.Or(t.code, text), TextCode: text, ChangeCode: change, Text: Fill(t.text, args), Change: Fill(changes[change], args), Args: args}
}

// WithoutChange leaves out what to do.
func (f Finding) WithoutChange() Finding {
	f.ChangeCode, f.Change = "", ""
	return f
}

// sentence is a text of a code that has several.
type sentence struct{ code, text string }

// Texts returns the sentences by their codes, with {name} where a value goes.
func Texts() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for code, s := range texts {
			if !yield(code, s.text) {
				return
			}
		}
	}
}

// Codes returns what can be noticed; some are there several times.
func Codes() iter.Seq[string] {
	return func(yield func(string) bool) {
		for code, s := range texts {
			if !yield(cmp.Or(s.code, code)) {
				return
			}
		}
	}
}

// Changes returns the sentences that say what to do by their codes.
func Changes() iter.Seq2[string, string] { return maps.All(changes) }

// Guesses returns the reasons for guesses by their codes.
func Guesses() iter.Seq2[string, string] { return maps.All(guesses) }

// Place is where a value goes in a sentence.
var Place = regexp.MustCompile(`\{(\w+)\}`)

// Fill puts values into a sentence.
func Fill(text string, args Args) string {
	return Place.ReplaceAllStringFunc(text, func(place string) string { return words(args[place[1:len(place)-1]]) })
}

// words are a value as people read it in English.
func words(v any) string {
	switch v := v.(type) {
	case time.Time:
		return v.UTC().Format("2006-01-02 15:04:05 UTC")
	case time.Duration:
		return ago(v)
	case Rule:
		return Printable(v.Place)
	case Guess:
		return v.Text()
	}
	return Wire(v)
}

// Wire is a value as programs read it: times are those of RFC 3339, durations
// whole seconds, rules their ids and guesses their codes.
func Wire(v any) string {
	switch v := v.(type) {
	case string:
		return Printable(v)
	case int:
		return strconv.Itoa(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	case time.Duration:
		return strconv.FormatInt(int64(v.Abs()/time.Second), 10)
	case Rule:
		return strconv.FormatInt(v.ID, 10)
	case Guess:
		return string(v)
	}
	return ""
}

// ago writes a duration for people, in its two largest units.
func ago(d time.Duration) string {
	d = d.Abs()
	switch days := int(d / (24 * time.Hour)); {
	case days >= 3:
		return strconv.Itoa(days) + " days"
	case d >= time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return d.Round(time.Second).String()
}

// maxShown bounds a text of somebody else that is repeated, in bytes.
const maxShown = 1024

// Printable makes a text fit for a terminal and a log line.
func Printable(s string) string {
	s = s[:min(len(s), maxShown)]
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
