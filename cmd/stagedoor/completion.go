package main

import (
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/stagedoor-live/stagedoor/internal/event"
	"github.com/stagedoor-live/stagedoor/internal/node"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// The scripts ask the program itself, so that they never tell of another version.
//
//go:embed completion/*
var completionScripts embed.FS

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Run needs no database.
func (c completionCmd) Run(e *env) error {
	script, err := completionScripts.ReadFile("completion/stagedoor." + c.Shell)
	if err != nil {
		return err
	}
	_, err = e.stdout.Write(script)
	return err
}

const (
	// completeWord is what the scripts begin their question with. The words of the
	// line follow, the one under the cursor last.
	completeWord = "__complete"
	// filesMeant has the shell complete names of files, which it does best.
	filesMeant = ":files"
)

type candidate struct{ word, help string }

// printCandidates writes what the last word may become, one a line, with a word
// of explanation after a tab. It takes no settings and so fails on none.
func printCandidates(w io.Writer, model *kong.Application, words []string) {
	for _, c := range candidates(model.Node, rejoined(words)) {
		fmt.Fprintf(w, "%s\t%s\n", c.word, c.help)
	}
}

func candidates(at *kong.Node, words []string) []candidate {
	if len(words) == 0 {
		return nil
	}
	last := len(words) - 1
	p := &place{node: at}
	for _, w := range words[:last] {
		p.pass(w)
	}
	return slices.DeleteFunc(p.offers(words[last]), func(c candidate) bool {
		return c.word != filesMeant && !strings.HasPrefix(c.word, words[last])
	})
}

// place is how far the words before the cursor have come.
type place struct {
	node  *kong.Node
	flag  *kong.Flag // whose value is next
	nth   int        // positional argument
	given []*kong.Flag
}

func (p *place) pass(word string) {
	if p.flag != nil {
		p.flag = nil
		return
	}
	name, _, whole := strings.Cut(word, "=")
	if f := p.find(name); f != nil {
		p.given = append(p.given, f)
		if !whole && !f.IsBool() {
			p.flag = f
		}
		return
	}
	for _, c := range p.node.Children {
		if c.Name == word {
			p.node = c
			return
		}
	}
	p.nth++
}

func (p *place) find(name string) *kong.Flag {
	for _, group := range p.node.AllFlags(true) {
		for _, f := range group {
			if name == "--"+f.Name || name == "--no-"+f.Name && f.Tag.Negatable != "" {
				return f
			}
		}
	}
	return nil
}

func (p *place) offers(word string) []candidate {
	if p.flag != nil {
		return valuesOf(p.flag.Value, "")
	}
	if name, _, ok := strings.Cut(word, "="); ok {
		if f := p.find(name); f != nil {
			return valuesOf(f.Value, name+"=")
		}
	}
	if strings.HasPrefix(word, "-") {
		return p.flags(word)
	}
	var all []candidate
	for _, c := range p.node.Children {
		if !c.Hidden && p.nth == 0 {
			all = append(all, candidate{c.Name, c.Help})
		}
	}
	if p.nth < len(p.node.Positional) {
		all = append(all, valuesOf(p.node.Positional[p.nth], "")...)
	}
	return all
}

// flags are the command's own; the many settings only where none of those begins
// with the word, or where there are no others.
func (p *place) flags(word string) (own []candidate) {
	var settings []candidate
	for _, group := range p.node.AllFlags(true) {
		for _, f := range group {
			if slices.Contains(p.given, f) && !f.IsCumulative() {
				continue
			}
			to := &own
			if isSetting(f) {
				to = &settings
			}
			*to = append(*to, candidate{"--" + f.Name, f.Help})
			if f.Tag.Negatable != "" {
				*to = append(*to, candidate{"--no-" + f.Name, f.Help})
			}
		}
	}
	fits := func(c candidate) bool { return strings.HasPrefix(c.word, word) }
	if p.node.Parent == nil || p.node == p.node.Parent.DefaultCmd || !slices.ContainsFunc(own, fits) {
		return append(own, settings...)
	}
	return own
}

// choices are values of flags that have no enum in their tag: those that the
// packages check that use them.
var choices = map[string][]string{
	"scheme":           urlsign.Names(),
	"kind":             node.Kinds,
	"type":             eventTypes(),
	"default-policy":   {"deny", "open"},
	"registration":     {"closed", "open"},
	"pull-scheme":      {"http", "https"},
	"log-level":        {"debug", "info", "warn", "error"},
	"log-format":       {"json", "text"},
	"aliyun-signature": {"v1", "v3"},
	"aliyun-services":  {"im_old", "im_new", "vod"},
}

func eventTypes() (all []string) {
	for _, t := range event.Types {
		family, _, _ := strings.Cut(string(t), ".")
		if family += ".*"; !slices.Contains(all, family) {
			all = append(all, family)
		}
		all = append(all, string(t))
	}
	return all
}

func valuesOf(v *kong.Value, before string) (all []candidate) {
	if v.Tag.PlaceHolder == "FILE" || v.Tag.PlaceHolder == "DIR" || v.Name == "data-dir" {
		return []candidate{{filesMeant, ""}}
	}
	words := choices[v.Name]
	if v.Enum != "" {
		words = v.EnumSlice()
	}
	for _, w := range words {
		if w != "" {
			all = append(all, candidate{before + w, ""})
		}
	}
	return all
}

// rejoined undoes how bash splits words at "=" and ":". What a flag's "=" is alone
// with stays apart: bash replaces no more than that.
func rejoined(words []string) (whole []string) {
	glue := false
	for i, w := range words {
		apart := w != "" && strings.Trim(w, "=:") == ""
		switch {
		case apart && w == "=" && i > 0 && strings.HasPrefix(words[i-1], "--"):
			if i == len(words)-1 {
				whole = append(whole, "") // the cursor is behind it
			}
			glue = false
		case apart && len(whole) > 0, glue:
			whole[len(whole)-1] += w
			glue = apart
		default:
			whole = append(whole, w)
		}
	}
	return whole
}
