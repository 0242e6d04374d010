package webhook

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/stagedoor-live/stagedoor/internal/outbound"
)

func TestAnEventArrivesOnceSignedAsTheStandardSays(t *testing.T) {
	t.Parallel()
	b, r := setup(t, loopback), newReceiver(t)
	e, secret, d := b.one(t, r)
	if wait := b.attempt(t, d); wait != 0 {
		t.Errorf("again in %v", wait)
	}
	if wait := b.attempt(t, d); wait != 0 { // as after a crash between the note and the end of the job
		t.Errorf("again in %v", wait)
	}
	if ids := r.verified(t, secret); len(ids) != 1 || ids[0] != d.EventID {
		t.Fatalf("got %v", ids)
	}
	m := r.messages()[0]
	body := decode[map[string]any](t, m.body)
	if m.header.Get("Content-Type") != "application/json" || body["type"] != "room.started" || body["subject"] != "room1" || body["sequence"] != 1.0 ||
		body["id"] != d.EventID || body["data"].(map[string]any)["room"] == nil {
		t.Errorf("got %v %s", m.header, m.body)
	}
	if _, err := time.Parse(time.RFC3339, body["timestamp"].(string)); err != nil {
		t.Error(err)
	}
	after := b.list(t, e.ID)[0]
	if after.State != delivered || len(after.Attempts) != 1 || after.Attempts[0].Status != 200 || after.FinishedAt == nil {
		t.Errorf("on record %+v", after)
	}
}

func TestAnEndpointThatFailsIsLoggedOnceAndWhenItTakesEventsAgain(t *testing.T) {
	t.Parallel()
	b, r := setup(t, loopback), newReceiver(t)
	var log strings.Builder
	b.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	e, _, d := b.one(t, r)
	for _, status := range []int{http.StatusInternalServerError, http.StatusBadGateway, http.StatusInternalServerError, http.StatusOK} {
		r.says(status)
		b.advance(b.attempt(t, d) + time.Second)
	}
	var lines []string
	for line := range strings.Lines(log.String()) {
		_, text, _ := strings.Cut(strings.TrimSpace(line), "level=")
		lines = append(lines, text)
	}
	if len(lines) != 2 || !strings.HasPrefix(lines[0], `WARN msg="webhook does not take events" webhook=`+e.ID) || !strings.Contains(lines[0], "status=500") ||
		!strings.HasPrefix(lines[1], `INFO msg="webhook takes events again" webhook=`+e.ID) || !regexp.MustCompile(`after=\d+m\d+s$`).MatchString(lines[1]) {
		t.Errorf("logged\n%s", &log)
	}
}

func TestWhatFailsIsAttemptedOverThreeDaysWithTheSameBytes(t *testing.T) {
	t.Parallel()
	b, r := setup(t, loopback), newReceiver(t)
	r.says(http.StatusInternalServerError)
	e, secret, d := b.one(t, r)
	for i, want := range schedule {
		wait := b.attempt(t, d)
		if wait < want || wait > want+want/10 {
			t.Fatalf("after attempt %d again in %v, want %v", i+1, wait, want)
		}
		if early := b.attempt(t, d); early <= 0 || early > wait { // as when a job is rescued too soon
			t.Fatalf("an early job sleeps %v", early)
		}
		b.advance(wait)
	}
	if wait := b.attempt(t, d); wait != 0 {
		t.Errorf("after the last attempt again in %v", wait)
	}
	got := r.messages()
	if len(got) != 10 {
		t.Fatalf("%d attempts", len(got))
	}
	first, last := got[0], got[9]
	if first.body != last.body || first.header.Get("Webhook-Id") != last.header.Get("Webhook-Id") ||
		first.header.Get("Webhook-Timestamp") == last.header.Get("Webhook-Timestamp") {
		t.Errorf("first %v\nlast %v", first, last)
	}
	wh, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := wh.VerifyIgnoringTimestamp([]byte(last.body), last.header); err != nil {
		t.Error(err)
	}
	after, off := b.list(t, e.ID)[0], b.get(t, e.ID)
	if after.State != failed || len(after.Attempts) != 10 || off.Disabled == nil || off.Reason != Failing {
		t.Errorf("after all: %+v, %+v", after, off)
	}
}

func (b *bench) get(t *testing.T, id string) Endpoint {
	t.Helper()
	e, err := b.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestAnEndpointThatTakesOtherEventsIsNotDisabled(t *testing.T) {
	t.Parallel()
	b, r := setup(t, loopback), newReceiver(t)
	r.says(http.StatusBadRequest)
	e, _, d := b.one(t, r)
	for range schedule {
		b.advance(b.attempt(t, d))
	}
	r.says(http.StatusOK)
	if _, err := b.Test(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	b.attempt(t, b.list(t, e.ID)[0])
	r.says(http.StatusBadRequest)
	b.attempt(t, d)
	if on := b.get(t, e.ID); on.Disabled != nil || b.list(t, e.ID)[1].State != failed {
		t.Errorf("got %+v", on)
	}
}

func TestAnswersDecideWhatFollows(t *testing.T) {
	t.Parallel()
	b, r := setup(t, loopback), newReceiver(t)
	e, _ := b.endpoint(t, r.URL)
	elsewhere := newReceiver(t)
	for _, c := range []struct {
		name       string
		status     int
		header     []string
		least      time.Duration // until the next attempt; zero: there is none
		held       time.Duration
		class      string
		state      string
		disabledBy Reason
	}{
		{"no content", 204, nil, 0, 0, "", delivered, ""},
		{"failure", 500, nil, 5 * time.Second, 0, ErrStatus, pending, ""},
		{"refusal", 400, nil, 5 * time.Second, 0, ErrStatus, pending, ""},
		{"redirect", 302, []string{"Location", elsewhere.URL}, 5 * time.Second, 0, ErrRedirect, pending, ""},
		{"redirect for good", 308, []string{"Location", elsewhere.URL}, 5 * time.Second, 0, ErrRedirect, pending, ""},
		{"a failure that says when", 500, []string{"Retry-After", "60"}, time.Minute, 0, ErrStatus, pending, ""},
		{"too many", 429, []string{"Retry-After", "120"}, 2 * time.Minute, 2 * time.Minute, ErrStatus, pending, ""},
		{"too many, no word", 429, nil, 5 * time.Second, 5 * time.Second, ErrStatus, pending, ""},
		{"overload by date", 503, []string{"Retry-After", b.now().Add(time.Hour).UTC().Format(http.TimeFormat)}, time.Hour, time.Hour, ErrStatus, pending, ""},
		{"bad gateway", 502, nil, 5 * time.Second, 5 * time.Second, ErrStatus, pending, ""},
		{"gateway timeout", 504, []string{"Retry-After", "nonsense"}, 5 * time.Second, 5 * time.Second, ErrStatus, pending, ""},
		{"for a year", 429, []string{"Retry-After", "31536000"}, 24 * time.Hour, 24 * time.Hour, ErrStatus, pending, ""},
		{"gone", 410, nil, 0, 0, ErrStatus, failed, Gone},
	} {
		r.says(c.status, c.header...)
		id := happen(t, b.pool, "room.started")
		b.dispatched(t)
		d := b.list(t, e.ID)[0]
		if d.EventID != id {
			t.Fatalf("%s: the newest is %+v", c.name, d)
		}
		wait := b.attempt(t, d)
		d, after := b.list(t, e.ID)[0], b.get(t, e.ID)
		if wait < c.least || wait > max(c.least, 5*time.Second)+time.Second || (wait == 0) != (c.least == 0) {
			t.Errorf("%s: again in %v", c.name, wait)
		}
		held := time.Duration(0)
		if after.HeldUntil != nil {
			held = after.HeldUntil.Sub(b.now())
		}
		if d.State != c.state || d.Attempts[0].Error != c.class || held != c.held || after.Reason != c.disabledBy {
			t.Errorf("%s: %+v, held %v, %s", c.name, d, held, after.Reason)
		}
		if _, err := b.pool.Exec(t.Context(), "UPDATE webhook_endpoints SET held_until = NULL"); err != nil {
			t.Fatal(err)
		}
	}
	if got := elsewhere.messages(); len(got) > 0 {
		t.Errorf("a redirect was followed: %v", got)
	}
}

func TestWhatGoesWrongIsToldApart(t *testing.T) {
	t.Parallel()
	b, r := setup(t, loopback), newReceiver(t)
	release := make(chan struct{})
	r.answers(func(_ http.ResponseWriter, req *http.Request) {
		select {
		case <-release:
		case <-req.Context().Done():
		}
	})
	defer close(release)
	closed := httptest.NewServer(nil)
	closed.Close()
	secure := httptest.NewTLSServer(nil)
	defer secure.Close()
	plain, err := url.Parse(r.URL)
	if err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]string{r.URL: ErrTimeout, closed.URL: ErrConnection, secure.URL: ErrTLS, "https://" + plain.Host: ErrTLS,
		"https://nobody.invalid/": ErrDNS} {
		e, _ := b.endpoint(t, target)
		if _, err := b.Test(t.Context(), e.ID); err != nil {
			t.Fatal(err)
		}
		timeout := patience
		if want == ErrTimeout {
			timeout = 100 * time.Millisecond
		}
		b.clients = newClients(loopback, timeout, nil)
		b.attempt(t, b.list(t, e.ID)[0])
		if a := b.list(t, e.ID)[0].Attempts; len(a) != 1 || a[0].Error != want && !(want == ErrDNS && a[0].Error == ErrTimeout) || a[0].Status != 0 {
			t.Errorf("%s: %+v, want %s", target, a, want)
		}
	}
}

// What a name leads to is looked at when it is dialled, whatever it led to when the
// webhook was made.
func TestANameThatLeadsInsideIsNotFollowed(t *testing.T) {
	t.Parallel()
	inside := newReceiver(t)
	u, err := url.Parse(inside.URL)
	if err != nil {
		t.Fatal(err)
	}
	public := func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("8.8.8.8")}, nil
	}
	b := setup(t, outbound.Guard{Lookup: public, Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	for _, target := range []string{"https://localhost:" + u.Port(), "http://localhost:" + u.Port()} {
		e, _ := b.endpoint(t, target)
		if _, err := b.Test(t.Context(), e.ID); err != nil {
			t.Fatal(err)
		}
		b.attempt(t, b.list(t, e.ID)[0])
		if a := b.list(t, e.ID)[0].Attempts; len(a) != 1 || a[0].Error != ErrAddress {
			t.Errorf("%s: %+v", target, a)
		}
	}
	if got := inside.messages(); len(got) > 0 {
		t.Errorf("inside got %v", got)
	}
}

// A public address hears nothing in the clear, even where some networks may.
func TestPlainHTTPIsForAllowedNetworksOnly(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{"127.0.0.1:80": true, "8.8.8.8:80": false, "10.0.0.1:80": false} {
		if err := loopback.ControlAllowed("tcp", address, nil); (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := (&net.Dialer{Control: loopback.ControlAllowed}).DialContext(t.Context(), "tcp", "8.8.8.8:80"); err == nil {
		t.Error("dialled")
	}
}

func TestBothSecretsSignUntilTheOldOneEnds(t *testing.T) {
	t.Parallel()
	b, r := setup(t, loopback), newReceiver(t)
	e, old := b.endpoint(t, r.URL)
	rotated, fresh, err := b.Rotate(t.Context(), e.ID, time.Hour)
	if err != nil || !rotated.OldSecretUntil.Equal(b.now().Add(time.Hour)) {
		t.Fatal(err, rotated)
	}
	last := func() message {
		if _, err := b.Test(t.Context(), e.ID); err != nil {
			t.Fatal(err)
		}
		b.attempt(t, b.list(t, e.ID)[0])
		got := r.messages()
		return got[len(got)-1]
	}
	proves := func(secret string, m message) bool {
		wh, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		return wh.VerifyIgnoringTimestamp([]byte(m.body), m.header) == nil
	}
	if m := last(); !proves(old, m) || !proves(fresh, m) {
		t.Errorf("within the hour: %v", m.header)
	}
	b.advance(time.Hour)
	if m := last(); proves(old, m) || !proves(fresh, m) {
		t.Errorf("after the hour: %v", m.header)
	}
	if _, fresh, err = b.Rotate(t.Context(), e.ID, 0); err != nil {
		t.Fatal(err)
	}
	if m := last(); !proves(fresh, m) || strings.Contains(m.header.Get("Webhook-Signature"), " ") {
		t.Errorf("with one secret: %v", m.header)
	}
}

func TestLittleIsReadAndKeptOfAnAnswer(t *testing.T) {
	t.Parallel()
	b, r := setup(t, loopback), newReceiver(t)
	r.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, "\x00no\x1b[31m\xff ", strings.Repeat("x", 1<<20))
	})
	e, _, d := b.one(t, r)
	b.attempt(t, d)
	got := b.list(t, e.ID)[0].Attempts[0].Excerpt
	if !strings.HasPrefix(got, "no [31m xxx") || len(got) > maxExcerpt {
		t.Errorf("kept %q", got)
	}
}

func TestWhatNobodyWaitsForEndsQuietly(t *testing.T) {
	t.Parallel()
	b, r := setup(t, loopback), newReceiver(t)
	e, _, d := b.one(t, r)
	if err := b.Delete(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	b.attempt(t, d)
	var jobs int
	if err := b.pool.QueryRow(t.Context(), "SELECT count(*) FROM river.river_job").Scan(&jobs); err != nil || jobs > 0 || len(r.messages()) > 0 {
		t.Errorf("%d jobs, %v, got %v", jobs, err, r.messages())
	}
}

func TestOnlyTheLastAttemptsAreKept(t *testing.T) {
	t.Parallel()
	b, r := setup(t, loopback), newReceiver(t)
	r.says(http.StatusInternalServerError)
	e, _, d := b.one(t, r)
	for range 3 {
		for wait := time.Second; wait > 0; b.advance(wait) {
			wait = b.attempt(t, d)
		}
		on := true
		if _, err := b.Update(t.Context(), e.ID, Changes{Enabled: &on}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Retry(t.Context(), e.ID, d.ID); err != nil {
			t.Fatal(err)
		}
	}
	a := b.list(t, e.ID)[0].Attempts
	if len(a) != maxAttemptsKept || !slices.IsSortedFunc(a, func(a, b Attempt) int { return a.At.Compare(b.At) }) || len(r.messages()) != 30 {
		t.Errorf("%d attempts kept of %d", len(a), len(r.messages()))
	}
}
