package account

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

// maxRights bounds a right in characters, and so the work of looking at it.
const maxRights = 1024

// Rights are the paths that an account may publish to, or play. The zero value
// allows nothing.
type Rights struct {
	patterns []pattern
}

// pattern is one path of Rights, cut into segments and in lower case.
type pattern struct {
	segments []string
	open     bool // ended in "*": more segments may follow
}

// ParseRights reads patterns that are separated by ";". Every text means
// something:
//
//	pattern = "*" | segment *( "/" segment )
//
// A segment "+" stands for exactly one segment of any text, "*" as the last one
// for any number of further segments, none included. Elsewhere both are plain
// text, and so is everything else. Slashes at either end, white space around a
// pattern, and upper or lower case make no difference; an empty pattern is none.
func ParseRights(patterns string) Rights {
	var r Rights
	for text := range strings.SplitSeq(patterns, ";") {
		if text = strings.TrimSpace(text); text != "" {
			r.patterns = append(r.patterns, parsePattern(text))
		}
	}
	return r
}

func parsePattern(text string) pattern {
	segments := strings.Split(strings.Trim(strings.ToLower(text), "/"), "/")
	last := len(segments) - 1
	if segments[last] == "*" {
		return pattern{segments: segments[:last], open: true}
	}
	return pattern{segments: segments}
}

// Allow says whether any of the patterns covers the path, which must be in its
// canonical form: "..", "." and "//" are taken as they stand.
func (r Rights) Allow(path string) bool {
	path = strings.Trim(strings.ToLower(path), "/")
	for _, p := range r.patterns {
		if p.covers(path) {
			return true
		}
	}
	return false
}

func (p pattern) covers(path string) bool {
	rest, more := path, true // the empty path is one empty segment
	for _, want := range p.segments {
		if !more {
			return false
		}
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		if want != "+" && want != segment {
			return false
		}
	}
	return p.open || !more
}

// rights are an account's two, compiled once and never changed.
type rights struct {
	push, pull Rights
}

// noRights is what most accounts have.
var noRights = &rights{}

func parseBoth(push, pull string) *rights {
	if push == "" && pull == "" {
		return noRights
	}
	return &rights{push: ParseRights(push), pull: ParseRights(pull)}
}

func (p Principal) compiled() *rights {
	if p.rights != nil {
		return p.rights
	}
	return parseBoth(p.Push, p.Pull)
}

// MayPush says whether the principal may publish to the canonical path,
// MayPull whether it may play it. Administrators may everything.
func (p Principal) MayPush(path string) bool { return p.Admin || p.compiled().push.Allow(path) }

// MayPull is MayPush for playing.
func (p Principal) MayPull(path string) bool { return p.Admin || p.compiled().pull.Allow(path) }

func checkBoth(push, pull string) error {
	if err := checkRights("push", push); err != nil {
		return err
	}
	return checkRights("pull", pull)
}

func checkRights(field, patterns string) error {
	if !utf8.ValidString(patterns) || strings.ContainsFunc(patterns, unicode.IsControl) {
		return errs.InvalidField(field, "the right contains characters that are not text")
	}
	if utf8.RuneCountInString(patterns) > maxRights {
		return errs.InvalidField(field, "the right may have at most 1024 characters")
	}
	return nil
}
