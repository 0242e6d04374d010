package access

import (
	"fmt"
	"time"
)

// Rotation says whether a key can go, and why, in words for an operator.
type Rotation struct {
	Safe bool
	Why  string
}

// quiet is how long nobody may have used a key that can go: whoever still has a
// URL of it plays now and then.
const quiet = 24 * time.Hour

// longest is the longest time for which we hand URLs out, where nobody asks for
// more: those of co-streaming.
const longest = 24 * time.Hour

// Rotation judges a key of a rule:
//
//	next      signs nothing, so it can go unless somebody else signs with it
//	active    signs, so it stays until another one is activated
//	retiring  can go when no URL that we signed with it is good any more and
//	          nobody has used it for a day
//	revoked   is gone
//
// URLs that an API was asked to sign for longer than we hand them out show only
// in their use.
func (s *Service) Rotation(r Rule, k Key) Rotation {
	now := s.Now()
	switch k.State {
	case KeyRevoked:
		return Rotation{true, "It is revoked: nothing that it signed is admitted."}
	case KeyActive:
		return Rotation{false, "It signs new URLs. Activate another key first; this one retires then."}
	case KeyNext:
		if used := k.usedWithin(now, quiet); used != "" {
			return Rotation{false, "It has not been activated, but was used " + used + ": somebody signs with it elsewhere."}
		}
		return Rotation{true, "It has not been activated, and nobody uses it."}
	}
	until := k.ChangedAt.Add(max(s.URLTTL, longest) + r.Validity)
	used := k.usedWithin(now, quiet)
	switch {
	case now.Before(until) && used != "":
		return Rotation{false, "It was used " + used + ", and URLs that it signed before it retired are good until " + moment(until) + "."}
	case now.Before(until):
		return Rotation{false, "URLs that it signed before it retired are good until " + moment(until) + "."}
	case used != "":
		return Rotation{false, "It was used " + used + ", although it retired " + moment(k.ChangedAt) + ": somebody signs with it elsewhere, or for longer."}
	case k.LastUsed != nil:
		return Rotation{true, "It was used last " + moment(*k.LastUsed) + ", and no URL that it signed before it retired is good any more."}
	}
	return Rotation{true, "It was never used, and no URL that it signed before it retired is good any more."}
}

// usedWithin says how long ago a key was used, "" if that is longer than within.
func (k Key) usedWithin(now time.Time, within time.Duration) string {
	if k.LastUsed == nil || now.Sub(*k.LastUsed) >= within {
		return ""
	}
	switch ago := max(now.Sub(*k.LastUsed), 0); {
	case ago < time.Minute:
		return "a moment ago"
	case ago < time.Hour:
		return fmt.Sprintf("%d min ago", int(ago.Minutes()))
	default:
		return fmt.Sprintf("%d h ago", int(ago.Hours()))
	}
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
