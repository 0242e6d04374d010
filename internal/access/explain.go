package access

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// Explanation is a decision with everything that led to it, for those who run
// the platform. It holds no secret, and nothing from which somebody without a
// credential could make one: not the signature that would have been right.
type Explanation struct {
	Allowed bool
	Reason  media.Reason
	Scene   media.Scene
	Stream  media.Stream
	// Host is the name that the domains of rules were compared with.
	Host       string
	Address    string
	At         time.Time // the moment that was judged
	Credential Credential
	Takeover   Takeover            // of a publisher: what happens where somebody else publishes
	Rule       *ExplainedRule      // nil: no rule applies
	Signature  *ExplainedSignature // nil: the request has none that the rule knows
	Token      *ExplainedToken     // nil: the request has none
	Findings   []Finding           // the most telling first
}

// Finding is something that was noticed about a request. Code is stable; Change
// says what to do about it and is empty where there is nothing to do.
type Finding struct {
	Code, Text, Change string
}

// ExplainedRule is the rule that a request was judged by.
type ExplainedRule struct {
	ID                 int64
	Domain, Vhost, App string
	Scene              media.Scene
	Enabled            bool
	Scheme, Strength   string // of its active key; empty without one
	Validity           time.Duration
	Takeover           Takeover
	Why                string // why this one and no other
	Keys               []ExplainedKey
}

// ExplainedKey is a key of a rule.
type ExplainedKey struct {
	ID     string
	State  KeyState
	Scheme string
}

// ExplainedSignature is a signature as it was read and judged.
type ExplainedSignature struct {
	Scheme, Strength string
	Status           string // as urlsign.Status prints it
	KeyID            string // of the key that made it, or that it names; empty if unknown
	KeyState         KeyState
	// Signed is what the signature would have to be made of, with {key} for the
	// secret; empty where the signature cannot be read.
	Signed string
	// Time is what the URL says, Expires the last instant at which it is good, the
	// rule's validity included. Zero: none, or not readable.
	Time, Expires time.Time
	Validity      time.Duration
}

// explaining is one explanation on its way.
type explaining struct {
	*Service
	ctx    context.Context
	now    time.Time
	e      media.Event
	d      Decision
	nearby []media.Stream
	rule   *rule
	ruled  bool
	out    Explanation
}

// maxNearby bounds the streams that a signature may turn out to be for.
const maxNearby = 500

// Explain decides as Decide does, and tells how it came to that. Nearby are other
// streams that the credential may have been meant for; at most 500 are looked at.
// Nothing is counted as a use of a key. It may ask the database about tokens.
func (s *Service) Explain(ctx context.Context, now time.Time, e media.Event, nearby ...media.Stream) Explanation {
	if e.Stream.Vhost == "" {
		e.Stream.Vhost = media.DefaultVhost
	}
	x := &explaining{Service: s, ctx: ctx, now: now, e: e, d: s.answer(ctx, now, &e), nearby: nearby[:min(len(nearby), maxNearby)]}
	scene := e.Scene()
	host := s.clientHost(scene, e.Host)
	x.rule, x.ruled = s.ruleFor(scene, host, e.Stream)
	x.out = Explanation{Allowed: x.d.Allow, Reason: x.d.Reason, Scene: scene, Stream: shownStream(e.Stream), Host: shown(host), Address: shown(e.Address),
		At: now, Credential: x.d.Credential, Takeover: x.d.Takeover, Findings: []Finding{}}
	x.explainState()
	x.explainRule()
	x.explainToken()
	x.explainSignature()
	if !x.d.Allow {
		x.explainAbsence()
		x.explainQuery()
	}
	return x.out
}

// Changes are the sentences that say what to do, the most telling first: those
// of the findings, and where there are none that of the reason.
func (x Explanation) Changes() []string {
	out := []string{}
	for _, f := range x.Findings {
		if f.Change != "" && !slices.Contains(out, f.Change) {
			out = append(out, f.Change)
		}
	}
	if len(out) == 0 && !x.Allowed {
		out = append(out, Advice(x.Reason))
	}
	return out
}

// Add puts a finding of somebody else first.
func (x *Explanation) Add(f Finding) { x.Findings = append([]Finding{f}, x.Findings...) }

func (x *explaining) find(code, change, text string, args ...any) {
	x.out.Findings = append(x.out.Findings, Finding{Code: code, Text: shown(fmt.Sprintf(text, args...)), Change: change})
}

// explainState tells what is so whatever the credential.
func (x *explaining) explainState() {
	st := x.e.Stream
	switch x.d.Reason {
	case media.StreamForbidden:
		x.find("stream_banned", "Wait until the ban is over, or end it: stagedoor ban remove "+shown(x.out.Stream.String())+".",
			"The stream is banned%s; no credential opens it.", x.bannedUntil())
	case media.RoomEnded:
		x.find("room_ended", "Create a new room: one that has ended cannot go on air again.", "The room %s has ended or is deleted.", shown(st.Name))
	case media.InvalidStream:
		x.find("name_not_usable", nameAdvice(st), "%q is not a name that a stream of ours can have.", shownStream(st).Path())
	}
}

func nameAdvice(st media.Stream) string {
	name := strings.ToLower(st.App + "/" + st.Name)
	switch {
	case strings.Contains(name, "%3f"):
		return `Write the "?" in front of the parameters as it is: here it came percent-encoded (%3F), so they became part of the name.`
	case strings.Contains(name, "%"):
		return "Percent-encode nothing in the stream name, and use letters, digits, - and _ only."
	case st.Name == "":
		return "Give the stream a name: rtmp://HOST/APP/NAME."
	case st.App == "":
		return "Put the application in front of the stream name: rtmp://HOST/APP/NAME."
	}
	return Advice(media.InvalidStream)
}

// bannedUntil asks the database, which knows each ban; memory only needs to know
// that there is one.
func (x *explaining) bannedUntil() string {
	bans, _, err := x.Bans(x.ctx, BanFilter{App: x.e.Stream.App, Stream: x.e.Stream.Name, Descending: true})
	if err != nil {
		return ""
	}
	for _, b := range bans {
		if b.Active {
			return " until " + instant(b.Until)
		}
	}
	return ""
}

func (x *explaining) explainRule() {
	r := x.rule
	if !x.ruled {
		return
	}
	out := &ExplainedRule{ID: r.id, Domain: r.domain(), Vhost: r.vhost(), App: r.app, Scene: r.scene(), Enabled: r.enabled, Validity: r.validity(),
		Takeover: r.takeover(), Why: x.why(r), Keys: []ExplainedKey{}}
	if g := r.mainGroup(); g != nil {
		out.Scheme, out.Strength = g.scheme.Name(), g.scheme.Strength()
	}
	for k := range r.keys() {
		out.Keys = append(out.Keys, ExplainedKey{ID: k.kid, State: k.state, Scheme: k.group.scheme.Name()})
	}
	x.out.Rule = out
}

// why says in words what made ruleFor choose a rule.
func (x *explaining) why(r *rule) string {
	where := "of any domain"
	switch {
	case r.domain() != "":
		where = "of the domain " + r.name + ", which is the host of the URL"
		if host := hostName(x.e.Host); host == "" {
			where = "of the domain " + r.name + ", which stands for clients that name no host"
		} else if host != r.name {
			where = "of the domain " + r.name + ", which is another name of the same place"
		}
	case r.vhost() != "":
		where = "of the vhost " + r.name
	}
	app := "for any application"
	if r.app != "" {
		app = "for the application " + r.app
	}
	text := "It is the rule " + where + ", " + app + ", to " + string(r.scene()) + "."
	return shown(text + " A domain comes before a vhost before any, and then an application before any.")
}

// mainGroup are the keys that sign new URLs, or else the first ones.
func (r *rule) mainGroup() *keyGroup {
	if groups := r.groups(); len(groups) > 0 {
		return &groups[0]
	}
	return nil
}

func (r *rule) stateOf(kid string) KeyState {
	for k := range r.keys() {
		if k.kid == kid {
			return k.state
		}
	}
	return ""
}

// place names a rule for people.
func (r *rule) place() string {
	var parts []string
	for _, p := range []struct{ label, value string }{{"domain", r.domain()}, {"vhost", r.vhost()}, {"application", r.app}} {
		if p.value != "" {
			parts = append(parts, p.label+" "+p.value)
		}
	}
	if parts == nil {
		parts = []string{"anything"}
	}
	return fmt.Sprintf("rule %d (%s, %s)", r.id, r.scene(), strings.Join(parts, ", "))
}
