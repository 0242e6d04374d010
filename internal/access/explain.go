package access

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/finding"
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
	Findings   []finding.Finding   // the most telling first
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
	// Why says why this one and no other, and WhyCode which of the reasons it is:
	// vhost, any, or domain, domain_without_host or domain_by_another_name.
	Why, WhyCode string
	Keys         []ExplainedKey
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
	x.out = Explanation{Allowed: x.d.Allow, Reason: x.d.Reason, Scene: scene, Stream: shownStream(e.Stream), Host: finding.Printable(host), Address: finding.Printable(e.Address),
		At: now, Credential: x.d.Credential, Takeover: x.d.Takeover, Findings: []finding.Finding{}}
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
func (x *Explanation) Add(f finding.Finding) {
	x.Findings = append([]finding.Finding{f}, x.Findings...)
}

// values are those of a finding.
type values = finding.Args

func (x *explaining) find(text, change string, args values) {
	x.out.Findings = append(x.out.Findings, finding.New(text, change, args))
}

// explainState tells what is so whatever the credential.
func (x *explaining) explainState() {
	st := x.e.Stream
	switch x.d.Reason {
	case media.StreamForbidden:
		if until, known := x.bannedUntil(); known {
			x.find("stream_banned_until", "wait_or_end_ban", values{"stream": x.out.Stream.String(), "until": until})
			return
		}
		x.find("stream_banned", "wait_or_end_ban", values{"stream": x.out.Stream.String()})
	case media.RoomEnded:
		x.find("room_ended", "create_new_room", values{"room": st.Name})
	case media.InvalidStream:
		x.find("name_not_usable", nameAdvice(st), values{"path": shownStream(st).Path()})
	}
}

func nameAdvice(st media.Stream) string {
	name := strings.ToLower(st.App + "/" + st.Name)
	switch {
	case strings.Contains(name, "%3f"):
		return "unescape_question_mark"
	case strings.Contains(name, "%"):
		return "percent_encode_nothing"
	case st.Name == "":
		return "give_a_name"
	case st.App == "":
		return "give_an_application"
	}
	return "use_plain_name"
}

// bannedUntil asks the database, which knows each ban; memory only needs to know
// that there is one.
func (x *explaining) bannedUntil() (until time.Time, known bool) {
	bans, _, err := x.Bans(x.ctx, BanFilter{App: x.e.Stream.App, Stream: x.e.Stream.Name, Descending: true})
	if err != nil {
		return until, false
	}
	for _, b := range bans {
		if b.Active {
			return b.Until, true
		}
	}
	return until, false
}

func (x *explaining) explainRule() {
	r := x.rule
	if !x.ruled {
		return
	}
	out := &ExplainedRule{ID: r.id, Domain: r.domain(), Vhost: r.vhost(), App: r.app, Scene: r.scene(), Enabled: r.enabled, Validity: r.validity(),
		Takeover: r.takeover(), Keys: []ExplainedKey{}}
	out.Why, out.WhyCode = x.why(r)
	if g := r.mainGroup(); g != nil {
		out.Scheme, out.Strength = g.scheme.Name(), g.scheme.Strength()
	}
	for k := range r.keys() {
		out.Keys = append(out.Keys, ExplainedKey{ID: k.kid, State: k.state, Scheme: k.group.scheme.Name()})
	}
	x.out.Rule = out
}

// why says in words what made ruleFor choose a rule.
func (x *explaining) why(r *rule) (text, code string) {
	where, code := "of any domain", "any"
	switch {
	case r.domain() != "":
		where, code = "of the domain "+r.name+", which is the host of the URL", "domain"
		if host := hostName(x.e.Host); host == "" {
			where, code = "of the domain "+r.name+", which stands for clients that name no host", "domain_without_host"
		} else if host != r.name {
			where, code = "of the domain "+r.name+", which is another name of the same place", "domain_by_another_name"
		}
	case r.vhost() != "":
		where, code = "of the vhost "+r.name, "vhost"
	}
	app := "for any application"
	if r.app != "" {
		app = "for the application " + r.app
	}
	text = "It is the rule " + where + ", " + app + ", to " + string(r.scene()) + "."
	return finding.Printable(text + " A domain comes before a vhost before any, and then an application before any."), code
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

// place names a rule, for people too.
func (r *rule) place() finding.Rule {
	var parts []string
	for _, p := range []struct{ label, value string }{{"domain", r.domain()}, {"vhost", r.vhost()}, {"application", r.app}} {
		if p.value != "" {
			parts = append(parts, p.label+" "+p.value)
		}
	}
	if parts == nil {
		parts = []string{"anything"}
	}
	return finding.Rule{ID: r.id, Place: fmt.Sprintf("rule %d (%s, %s)", r.id, r.scene(), strings.Join(parts, ", "))}
}
