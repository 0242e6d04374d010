package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
)

// hookReceiver is somebody else's server.
type hookReceiver struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	got    []hookMessage
}

type hookMessage struct {
	header http.Header
	body   []byte
}

func newHookReceiver(t *testing.T) *hookReceiver {
	t.Helper()
	r := &hookReceiver{status: http.StatusOK}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body) // what is cut short does not verify
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, hookMessage{req.Header, body})
		w.WriteHeader(r.status)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *hookReceiver) says(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

func (m hookMessage) mustBeSignedBy(t *testing.T, secrets ...string) {
	t.Helper()
	for _, secret := range secrets {
		wh, err := standardwebhooks.NewWebhook(secret)
		if err == nil {
			err = wh.Verify(m.body, m.header)
		}
		if err != nil {
			t.Errorf("%v: %v %s", err, m.header, m.body)
		}
	}
}

// hears waits until n messages have come, and returns the last.
func (r *hookReceiver) hears(t *testing.T, n int) (m hookMessage) {
	t.Helper()
	waitFor(t, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.got) == n {
			m = r.got[n-1]
		}
		return len(r.got) == n
	})
	return m
}

// newest waits until the newest delivery of a webhook is in a state, after one
// attempt.
func (i installation) newest(t *testing.T, id, state string) (d gen.WebhookDelivery) {
	t.Helper()
	waitFor(t, func() bool {
		list := decoded[[]gen.WebhookDelivery](t, i, "", "webhook", "deliveries", id, "--limit", "1")
		if len(list) == 1 {
			d = list[0]
		}
		return string(d.State) == state && len(d.Attempts) == 1
	})
	return d
}

func TestWebhooksAreManagedBesideAServer(t *testing.T) {
	t.Parallel()
	i, r := install(t, "--webhook-allow-private", "127.0.0.0/8"), newHookReceiver(t)
	s := i.serve(t, "--admin-password", "correct horse battery")
	made := decoded[gen.WebhookSecret](t, i, "", "webhook", "create", r.URL, "--type", "room.*", "--type", "stream.published", "--description", "studio 3")
	id := made.Webhook.ID
	if !strings.HasPrefix(made.Secret, "whsec_") || !made.Webhook.Enabled || made.Webhook.Description != "studio 3" || len(made.Webhook.Types) != 2 {
		t.Fatalf("created: %+v", made)
	}

	sent := decoded[gen.WebhookDelivery](t, i, "", "webhook", "test", id)
	r.hears(t, 1).mustBeSignedBy(t, made.Secret)
	if d := i.newest(t, id, "delivered"); d.ID != sent.ID || d.Type != "webhook.test" || d.Attempts[0].Status != http.StatusOK {
		t.Errorf("delivered: %+v, asked for %+v", d, sent)
	}

	rotated := decoded[gen.WebhookSecret](t, i, "", "webhook", "rotate", id, "--overlap", "1h")
	if rotated.Secret == made.Secret || rotated.Webhook.OldSecretUntil == nil {
		t.Errorf("rotated: %+v", rotated)
	}
	i.ok(t, "", "webhook", "test", id)
	r.hears(t, 2).mustBeSignedBy(t, made.Secret, rotated.Secret)

	began := time.Now().Add(-time.Second)
	_, login := s.post(t, "/login", "", `{"username":"admin","password":"correct horse battery"}`)
	token, _ := login["token"].(string)
	s.post(t, "/api/v2/live/create", token, `{"title":"a","im_server":["aliyun_new"]}`)
	r.hears(t, 3)
	d := i.newest(t, id, "delivered")
	since := began.UTC().Format(time.RFC3339)
	type queued struct{ Queued int }
	if got := decoded[queued](t, i, "", "webhook", "replay", id, "--since", since, "--type", "room.created", "--missing"); got.Queued != 0 {
		t.Errorf("missing: %+v", got)
	}
	if got := decoded[queued](t, i, "", "webhook", "replay", id, "--since", since); got.Queued != 1 {
		t.Errorf("replayed: %+v", got)
	}
	if again := r.hears(t, 4); d.Type != "room.created" || again.header.Get("Webhook-Id") != d.EventID {
		t.Errorf("replayed %v of %+v", again.header, d)
	}

	r.says(http.StatusGone)
	i.ok(t, "", "webhook", "test", id)
	r.hears(t, 5)
	gone := i.newest(t, id, "failed")
	waitFor(t, func() bool { return !decoded[gen.Webhook](t, i, "", "webhook", "get", id).Enabled })
	if text := i.ok(t, "", "webhook", "list"); !strings.HasPrefix(text, "ID ") || !strings.Contains(text, "disabled:gone") {
		t.Errorf("as text:\n%s", text)
	}
	i.fails(t, exitConflict, "disabled", "", "webhook", "retry", id, gone.ID)
	r.says(http.StatusNoContent)
	if on := decoded[gen.Webhook](t, i, "", "webhook", "update", id, "--enable"); !on.Enabled {
		t.Errorf("enabled: %+v", on)
	}
	i.ok(t, "", "webhook", "retry", id, gone.ID)
	r.hears(t, 6)
	waitFor(t, func() bool {
		return len(decoded[[]gen.WebhookDelivery](t, i, "", "webhook", "deliveries", id, "--state", "delivered", "--event", gone.EventID)) == 1
	})
	if text := i.ok(t, "", "webhook", "deliveries", id, "--type", "room.created"); !strings.HasPrefix(text, "ID ") || !strings.Contains(text, d.Subject) || strings.Contains(text, "webhook.test") {
		t.Errorf("as text:\n%s", text)
	}

	off := decoded[gen.Webhook](t, i, "", "webhook", "update", id, "--disable", "--all-types", "--description", "")
	if off.Enabled || off.DisabledReason != "operator" || len(off.Types) != 0 || off.Description != "" {
		t.Errorf("disabled: %+v", off)
	}
	if text := i.ok(t, "", "webhook", "get", id); !strings.Contains(text, "disabled:operator") || strings.Contains(text, "whsec_") {
		t.Errorf("as text:\n%s", text)
	}
	i.ok(t, "", "webhook", "delete", id)
	if left := decoded[[]gen.Webhook](t, i, "", "webhook", "list"); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
	for _, verb := range []string{"update", "test", "deliveries"} {
		i.fails(t, exitNotFound, "webhook", "", "webhook", verb, id)
	}
	i.fails(t, exitUsage, "https", "", "webhook", "create", "ftp://example.com/")
	i.fails(t, exitUsage, "type", "", "webhook", "create", r.URL, "--type", "dance.*")
}
