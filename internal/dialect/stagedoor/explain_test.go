package stagedoor

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/refusal"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

func explainURL(token, body string) dialecttest.Request {
	return dialecttest.JSON("/api/v1/explain", token, body)
}

func (b *bench) explained(t *testing.T, body string) gen.Explanation {
	t.Helper()
	var x gen.Explanation
	if err := json.Unmarshal(b.send(t, explainURL(b.admin, body)).want(t, http.StatusOK, "").Body, &x); err != nil {
		t.Fatal(err)
	}
	return x
}

func (b *bench) rule(t *testing.T, n access.NewRule) access.Rule {
	t.Helper()
	r, err := b.access.CreateRule(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAnExpiredURLIsExplained(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const secret = "seeded-publish-secret"
	r := b.rule(t, access.NewRule{Scene: media.Publish, Secret: secret, Takeover: access.Takeover{Policy: access.TakeoverResume, Window: time.Hour}})
	scheme, _ := urlsign.Lookup("stagedoor")
	ends := b.clock.now().Add(-time.Hour)
	query := string(scheme.AppendQuery(nil, urlsign.Target{Scene: urlsign.Publish, App: "live", Stream: "x"}, urlsign.Key{ID: r.Keys[0].ID, Secret: []byte(secret)},
		urlsign.SignOptions{Expires: ends}))
	x := b.explained(t, `{"url":"rtmp://push.example.com/live/x?`+query+`"}`)
	if x.Allowed || x.Reason != "signature_expired" || x.Scene != "publish" || x.Guess == "" || x.Stream != "live/x" || x.Protocol != "rtmp" {
		t.Fatalf("%+v", x)
	}
	if x.Rule == nil || x.Rule.Takeover != "resume" || x.Rule.TakeoverWindowSeconds != 3600 || len(x.Rule.Keys) != 1 || x.Rule.Keys[0].State != "active" {
		t.Errorf("%+v", x.Rule)
	}
	if s := x.Signature; s == nil || s.KeyID != r.Keys[0].ID || s.SecondsLeft == nil || *s.SecondsLeft > -3600 || s.Time == nil || s.Time.Unix() != ends.Unix() ||
		!strings.HasSuffix(s.Signed, "\n/live/x") {
		t.Errorf("%+v", s)
	}
	if len(x.Changes) == 0 || x.Findings[0].Code != "expired" {
		t.Errorf("%+v", x.Findings)
	}
	// It would have been admitted then.
	then := b.explained(t, fmt.Sprintf(`{"url":"rtmp://push.example.com/live/x?%s","at":%q,"scene":"publish","address":"192.0.2.7"}`, query,
		ends.Add(-time.Minute).Format(time.RFC3339)))
	if !then.Allowed || len(then.Changes) != 0 || then.Guess != "" || then.Credential == nil || then.Credential.Kind != "signature" {
		t.Errorf("%+v", then)
	}
	for _, answer := range []gen.Explanation{x, then} {
		text, _ := json.Marshal(answer)
		if mac := query[strings.LastIndexByte(query, '-')+1:]; strings.Contains(string(text), "seeded") || len(mac) > 15 && strings.Contains(string(text), mac) {
			t.Errorf("a secret is in %s", text)
		}
	}
}

func TestWhatCannotBeExplainedIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for body, code := range map[string]string{
		`{"url":"ftp://h/live/x"}`: "invalid_url", `{"url":"rtmp://h"}`: "invalid_url", `{"url":"rtmp://h/live/x","scene":"watch"}`: "invalid_scene",
		`{}`: "invalid_url", `{"url":7}`: "invalid_url", `{"url":"rtmp://h/live/x","at":"yesterday"}`: "malformed_request",
	} {
		b.bad(t, explainURL(b.admin, body)).want(t, http.StatusBadRequest, code)
	}
	b.bad(t, explainURL(b.alice, `{"url":"rtmp://h/live/x"}`)).want(t, http.StatusForbidden, "admin_only")
}

func TestAPublisherInTheWayIsPartOfTheExplanation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.rule(t, access.NewRule{Scene: media.Publish, Disabled: true})
	if _, err := b.pool.Exec(t.Context(), `INSERT INTO sessions (node, server_id, client_id, scene, vhost, app, stream, address, started_at)
		VALUES ('edge1', '', 'c7', 'publish', '__defaultVhost__', 'live', 'x', '192.0.2.9', $1)`, b.clock.now()); err != nil {
		t.Fatal(err)
	}
	x := b.explained(t, `{"url":"rtmp://push.example.com/live/x","scene":"publish"}`)
	if x.Allowed || x.Reason != "already_publishing" || x.Findings[0].Code != "somebody_publishes" || !strings.Contains(x.Findings[0].Text, "c7") {
		t.Errorf("rule %d: %+v", r.ID, x)
	}
	if x := b.explained(t, `{"url":"rtmp://push.example.com/live/y","scene":"publish"}`); !x.Allowed {
		t.Errorf("%+v", x)
	}
}

func TestRefusalsAreFoundAPageAtATime(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 25 {
		b.refusals.Note(refusal.Refusal{At: b.clock.now().Add(time.Duration(i) * time.Second), RequestID: fmt.Sprintf("r%d", i), Node: "edge1",
			Action: media.Publishing, Scene: media.Publish, Stream: media.Stream{Vhost: media.DefaultVhost, App: "live", Name: fmt.Sprintf("s%d", i)},
			ClientID: "c\x1b7", Address: "192.0.2.7", Protocol: "rtmp", Reason: media.SignatureExpired, RuleID: 7, KeyID: "k1"})
	}
	if err := b.refusals.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var page gen.RefusalPage
	read := func(query string) []gen.Refusal {
		t.Helper()
		page = gen.RefusalPage{}
		if err := json.Unmarshal(b.send(t, ask("GET", "/api/v1/refusals"+query, b.admin)).want(t, http.StatusOK, "").Body, &page); err != nil {
			t.Fatal(err)
		}
		return page.Refusals
	}
	first := read("")
	if len(first) != 20 || first[0].Stream != "s24" || first[0].RuleID != "7" || first[0].Change == "" || page.NextCursor == "" {
		t.Fatalf("%+v", page)
	}
	if rest := read("?cursor=" + page.NextCursor); len(rest) != 5 || rest[4].Stream != "s0" || page.NextCursor != "" {
		t.Errorf("%+v", page)
	}
	for query, want := range map[string]int{"?request_id=r3": 1, "?stream=live/s4": 1, "?client=192.0.2.7&limit=100": 25, "?reason=no_credential": 0,
		"?since=2099-01-01T00:00:00Z": 0, "?until=2099-01-01T00:00:00Z&limit=3": 3} {
		if got := read(query); len(got) != want {
			t.Errorf("%s: %d refusals, want %d", query, len(got), want)
		}
	}
	b.bad(t, ask("GET", "/api/v1/refusals?cursor=x", b.admin)).want(t, http.StatusBadRequest, "invalid_cursor")
	b.bad(t, ask("GET", "/api/v1/refusals?limit=0", b.admin)).want(t, http.StatusBadRequest, "invalid_limit")
	b.bad(t, ask("GET", "/api/v1/refusals?since=yesterday", b.admin)).want(t, http.StatusBadRequest, "invalid_since")
	b.bad(t, ask("GET", "/api/v1/refusals", b.alice)).want(t, http.StatusForbidden, "admin_only")
}
