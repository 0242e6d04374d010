package main

import (
	"fmt"
	"io"
	"strconv"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/dialect/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/explain"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/refusal"
)

type explainCmd struct {
	URL     string `arg:"" optional:"" help:"URL of an encoder or a player: rtmp, rtmps, http, https, webrtc, srt, rtsp."`
	Request string `help:"Instead of a URL: the request id of a refused callback, from the log or its X-Request-Id." placeholder:"ID"`
	Scene   string `help:"publish or play; guessed from the URL where it is not given." enum:",publish,play" default:""`
	Address string `help:"Address that the client comes from, for URLs that are bound to one."`
	At      string `help:"Moment to judge, as 2006-01-02T15:04:05Z or in Unix seconds; now where it is not given." placeholder:"TIME"`
}

// Run prints why a URL is admitted or refused. It ends with status 0 for the
// former and 1 for the latter.
func (c explainCmd) Run(e *env) error {
	if (c.URL == "") == (c.Request == "") {
		return errs.InvalidField("url", "give a URL, or --request and the id of a request")
	}
	at, err := parseMoment(c.At)
	if err != nil {
		return err
	}
	return withApp(e, func(a *app) error {
		if c.Request != "" {
			return e.explainRequest(a, c.Request)
		}
		answer, err := a.explain.URL(e.ctx, explain.Question{URL: c.URL, Scene: media.Scene(c.Scene), Address: c.Address, At: at})
		if err != nil {
			return err
		}
		shown := stagedoor.ToExplanation(answer)
		if e.json {
			err = e.print(shown, "", nil)
		} else {
			printExplanation(e.stdout, shown)
		}
		if err == nil && !shown.Allowed {
			return errSaidNo
		}
		return err
	})
}

func parseMoment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 && n < 1e11 {
		return time.Unix(n, 0), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, errs.InvalidField("at", "a time is 2006-01-02T15:04:05Z or a number of seconds since 1970")
	}
	return at, nil
}

// explainRequest shows the refusals of one request of a media server.
func (e *env) explainRequest(a *app, id string) error {
	list, _, err := a.refusals.List(e.ctx, refusal.Filter{RequestID: id, Limit: 100})
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return errs.New(errs.NotFound, "refusal_not_found", "no refusal of that request is kept; the last second's are not written yet")
	}
	shown := stagedoor.ToRefusals(list)
	if e.json {
		if err := e.print(shown[0], "", nil); err != nil {
			return err
		}
		return errSaidNo
	}
	for _, r := range shown {
		fmt.Fprintf(e.stdout, "refused: %s\n  %s of %s at %s, client %s from %s on node %s\n", r.Reason, r.Action, streamOf(r), r.At.Format(time.RFC3339),
			orDash(r.ClientID), orDash(r.Address), orDash(r.Node))
		if r.RuleID != "" {
			fmt.Fprintf(e.stdout, "  rule %s, key %s\n", r.RuleID, orDash(r.KeyID))
		}
		if r.Subject != "" {
			fmt.Fprintf(e.stdout, "  token of %s\n", r.Subject)
		}
		fmt.Fprintf(e.stdout, "to do:\n  - %s\n", r.Change)
	}
	return errSaidNo
}

func streamOf(r gen.Refusal) string {
	if r.Stream == "" {
		return "-"
	}
	return media.Stream{Vhost: r.Vhost, App: r.App, Name: r.Stream}.String()
}

func printExplanation(w io.Writer, x gen.Explanation) {
	verdict := "refused"
	if x.Allowed {
		verdict = "allowed"
	}
	fmt.Fprintf(w, "%s: %s\n  %s %s by %s on host %s", verdict, x.Reason, x.Scene, x.Stream, orDash(x.Protocol), orDash(x.Host))
	if x.Guess != "" {
		fmt.Fprintf(w, "\n  scene guessed: %s", x.Guess)
	}
	fmt.Fprintln(w)
	if r := x.Rule; r != nil {
		fmt.Fprintf(w, "rule %s: %s, %s, enabled %t, validity %ds, takeover %s\n  %s\n", r.ID, orDash(r.Scheme), orDash(r.Strength), r.Enabled, r.ValiditySeconds,
			r.Takeover, r.Why)
		for _, k := range r.Keys {
			fmt.Fprintf(w, "  key %s: %s, %s\n", k.ID, k.State, k.Scheme)
		}
	}
	if g := x.Signature; g != nil {
		printSignature(w, g, x.At)
	}
	if t := x.Token; t != nil {
		fmt.Fprintf(w, "token: %s of %s, for %s, rights: %s\n", t.Kind, orDash(t.Subject), orDash(t.Stream), orDash(t.Rights))
		fmt.Fprintf(w, "  expires %s, revoked %s\n", timeOrDash(t.ExpiresAt), timeOrDash(t.RevokedAt))
	}
	for i, f := range x.Findings {
		if i == 0 {
			fmt.Fprintln(w, "findings:")
		}
		fmt.Fprintf(w, "  - %s\n", f.Text)
	}
	for i, change := range x.Changes {
		if i == 0 {
			fmt.Fprintln(w, "to do:")
		}
		fmt.Fprintf(w, "  - %s\n", change)
	}
}

func printSignature(w io.Writer, g *gen.ExplainedSignature, at time.Time) {
	fmt.Fprintf(w, "signature: %s, key %s %s\n", g.Status, orDash(g.KeyID), g.KeyState)
	if g.Signed != "" {
		fmt.Fprintf(w, "  signed: %q\n", g.Signed)
	}
	if g.Time != nil {
		fmt.Fprintf(w, "  time in the URL %s, good until %s, judged at %s", timeOrDash(g.Time), timeOrDash(g.Expires), timeOrDash(&at))
		if g.SecondsLeft != nil {
			fmt.Fprintf(w, " (%ds left)", *g.SecondsLeft)
		}
		fmt.Fprintln(w)
	}
}

type refusalsCmd struct {
	Request string        `help:"Request id of a media server's callback." placeholder:"ID"`
	Stream  string        `help:"Stream: name, app/name or vhost/app/name."`
	Client  string        `help:"Id or address of a client."`
	Reason  string        `help:"Reason, as in the list."`
	Since   time.Duration `help:"How far back; as far as refusals are kept where it is not given." placeholder:"DURATION"`
	Limit   int           `help:"The most that are printed, up to 1000." default:"50"`
}

// Run prints refusals, the newest first.
func (c refusalsCmd) Run(e *env) error {
	if c.Limit < 1 || c.Limit > 1000 {
		return errs.InvalidField("limit", "limit is between 1 and 1000")
	}
	return withApp(e, func(a *app) error {
		f := refusal.Filter{RequestID: c.Request, Stream: c.Stream, Client: c.Client, Reason: media.Reason(c.Reason), Limit: c.Limit}
		if c.Since > 0 {
			f.Since = time.Now().Add(-c.Since)
		}
		list, _, err := a.refusals.List(e.ctx, f)
		if err != nil {
			return err
		}
		shown, rows := stagedoor.ToRefusals(list), make([][]string, len(list))
		for i, r := range shown {
			rows[i] = []string{r.At.Format(time.RFC3339), r.Reason, r.Action, streamOf(r), orDash(r.ClientID), orDash(r.Address), orDash(r.Node),
				orDash(r.RequestID), strconv.FormatInt(r.Repeats, 10)}
		}
		return e.print(shown, "AT REASON ACTION STREAM CLIENT ADDRESS NODE REQUEST REPEATS", rows)
	})
}
