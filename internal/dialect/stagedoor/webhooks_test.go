package stagedoor

import (
	"net/http"
	"strings"
	"testing"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
)

const aWebhook = "https://8.8.8.8/hooks"

func (b *bench) createWebhook(t *testing.T, body string) gen.WebhookSecret {
	t.Helper()
	r := b.send(t, dialecttest.JSON("/api/v1/webhooks", b.admin, body)).want(t, http.StatusCreated, "")
	if r.Header.Get("Cache-Control") != "no-store" {
		t.Error("the secret may be cached")
	}
	r.Status = http.StatusOK
	return decode[gen.WebhookSecret](t, r)
}

func (b *bench) patchWebhook(t *testing.T, id, body string) reply {
	t.Helper()
	r := dialecttest.JSON("/api/v1/webhooks/"+id, b.admin, body)
	r.Method = http.MethodPatch
	return b.send(t, r)
}

func (b *bench) post(t *testing.T, path, body string) reply {
	t.Helper()
	r := dialecttest.JSON("/api/v1/webhooks/"+path, b.admin, body)
	if body == "" {
		r = ask(http.MethodPost, "/api/v1/webhooks/"+path, b.admin)
	}
	return b.send(t, r)
}

func TestAWebhookIsCreatedChangedAndRemoved(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := b.createWebhook(t, `{"url":"`+aWebhook+`","description":"Show page","types":["room.*","session.ended"]}`)
	w := made.Webhook
	if !w.Enabled || w.URL != aWebhook || w.Description != "Show page" || len(w.Types) != 2 || !strings.HasPrefix(made.Secret, "whsec_") {
		t.Errorf("created %+v", made)
	}
	shown := b.send(t, ask("GET", "/api/v1/webhooks/"+w.ID, b.admin))
	if got := decode[gen.Webhook](t, shown); got.ID != w.ID || strings.Contains(string(shown.Body), made.Secret) {
		t.Errorf("shown %s", shown.Body)
	}
	off := decode[gen.Webhook](t, b.patchWebhook(t, w.ID, `{"enabled":false,"types":[]}`))
	if off.Enabled || off.DisabledReason != "operator" || off.DisabledAt == nil || len(off.Types) != 0 || off.Description != "Show page" {
		t.Errorf("disabled %+v", off)
	}
	if on := decode[gen.Webhook](t, b.patchWebhook(t, w.ID, `{"enabled":true}`)); !on.Enabled || on.DisabledReason != "" || on.DisabledAt != nil {
		t.Errorf("enabled %+v", on)
	}
	rotated := decode[gen.WebhookSecret](t, b.post(t, w.ID+"/secret", `{}`))
	if until := rotated.Webhook.OldSecretUntil; rotated.Secret == made.Secret || until == nil || !until.Equal(b.clock.now().Add(24*time.Hour)) {
		t.Errorf("rotated %+v", rotated)
	}
	if at := decode[gen.WebhookSecret](t, b.post(t, w.ID+"/secret", `{"overlap_seconds":0}`)).Webhook.OldSecretUntil; at != nil {
		t.Errorf("the old secret counts until %v", at)
	}
	b.send(t, ask("DELETE", "/api/v1/webhooks/"+w.ID, b.admin)).want(t, http.StatusNoContent, "")
	for _, r := range []dialecttest.Request{ask("GET", "/api/v1/webhooks/"+w.ID, b.admin), ask("DELETE", "/api/v1/webhooks/"+w.ID, b.admin),
		ask("GET", "/api/v1/webhooks/"+w.ID+"/deliveries", b.admin), ask("POST", "/api/v1/webhooks/"+w.ID+"/test", b.admin),
		dialecttest.JSON("/api/v1/webhooks/"+w.ID+"/secret", b.admin, `{}`),
		dialecttest.JSON("/api/v1/webhooks/"+w.ID+"/replay", b.admin, `{"since":"2030-01-01T00:00:00Z"}`)} {
		b.send(t, r).want(t, http.StatusNotFound, "webhook_not_found")
	}
}

func TestWebhooksAreListedByPages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	want := map[string]bool{}
	for range 3 {
		want[b.createWebhook(t, `{"url":"`+aWebhook+`"}`).Webhook.ID] = true
	}
	for next, path := "", "/api/v1/webhooks?limit=2"; ; path = "/api/v1/webhooks?limit=2&cursor=" + next {
		p := decode[gen.WebhookPage](t, b.send(t, ask("GET", path, b.admin)))
		for _, w := range p.Webhooks {
			delete(want, w.ID)
		}
		if next = p.NextCursor; next == "" {
			break
		}
	}
	if len(want) > 0 {
		t.Errorf("not listed: %v", want)
	}
}

func TestSettingsOfWebhooksAreChecked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.createWebhook(t, `{"url":"`+aWebhook+`"}`).Webhook.ID
	for body, code := range map[string]string{
		`{"url":"http://8.8.8.8/"}`:                          "invalid_url",
		`{"url":"https://user:secret@8.8.8.8/"}`:             "invalid_url",
		`{"url":"https://8.8.8.8/#x"}`:                       "invalid_url",
		`{"url":"https://8.8.8.8:0/"}`:                       "invalid_url",
		`{"url":"https:///x"}`:                               "invalid_url",
		`{"url":"file:///etc/passwd"}`:                       "invalid_url",
		`{"url":"https://127.0.0.1/"}`:                       "address_not_allowed",
		`{"url":"https://[::ffff:10.0.0.1]/"}`:               "address_not_allowed",
		`{"url":"https://169.254.169.254/latest"}`:           "address_not_allowed",
		`{"url":"https://0x7f.1/"}`:                          "address_not_allowed",
		`{"url":"https://localhost/"}`:                       "address_not_allowed",
		`{"types":["room.*","nothing.*"]}`:                   "invalid_types",
		`{"types":["*"]}`:                                    "invalid_types",
		`{"types":["webhook.test"]}`:                         "invalid_types",
		`{"description":"` + strings.Repeat("x", 257) + `"}`: "invalid_description",
	} {
		r := dialecttest.JSON("/api/v1/webhooks/"+id, b.admin, body)
		r.Method = http.MethodPatch
		b.bad(t, r).want(t, http.StatusBadRequest, code)
	}
	b.bad(t, dialecttest.JSON("/api/v1/webhooks/"+id+"/secret", b.admin, `{"overlap_seconds":604801}`)).want(t, http.StatusBadRequest, "invalid_overlap_seconds")
	for body, code := range map[string]string{`{}`: "invalid_since", `{"since":"2031-01-01T00:00:00Z"}`: "invalid_since",
		`{"since":"2030-01-01T00:00:00Z","types":["x.y"]}`: "invalid_types", `{"since":"2030-01-01T00:00:00Z","cursor":"-"}`: "invalid_cursor"} {
		b.bad(t, dialecttest.JSON("/api/v1/webhooks/"+id+"/replay", b.admin, body)).want(t, http.StatusBadRequest, code)
	}
	if w := decode[gen.Webhook](t, b.send(t, ask("GET", "/api/v1/webhooks/"+id, b.admin))); w.URL != aWebhook {
		t.Errorf("got %+v", w)
	}
}

func TestDeliveriesAreListedAndSentAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.createWebhook(t, `{"url":"`+aWebhook+`"}`).Webhook.ID
	made := b.post(t, id+"/test", "").want(t, http.StatusAccepted, "")
	made.Status = http.StatusOK
	d := decode[gen.WebhookDelivery](t, made)
	if d.State != "pending" || d.Type != "webhook.test" || d.Subject != id {
		t.Errorf("made %+v", d)
	}
	list := func(query string) []gen.WebhookDelivery {
		return decode[gen.WebhookDeliveryPage](t, b.send(t, ask("GET", "/api/v1/webhooks/"+id+"/deliveries"+query, b.admin))).Deliveries
	}
	for query, n := range map[string]int{"": 1, "?state=pending": 1, "?state=failed": 0, "?type=webhook.test": 1, "?type=room.started": 0,
		"?event_id=" + d.EventID: 1, "?since=2031-01-01T00:00:00Z": 0, "?until=2029-01-01T00:00:00Z": 0} {
		if got := list(query); len(got) != n {
			t.Errorf("%q: %+v", query, got)
		}
	}
	retry := id + "/deliveries/" + d.ID + "/retry"
	b.post(t, retry, "").want(t, http.StatusConflict, "delivery_pending")
	if _, err := b.pool.Exec(t.Context(), "UPDATE webhook_deliveries SET state = 'failed', finished_at = at"); err != nil {
		t.Fatal(err)
	}
	b.post(t, retry, "").want(t, http.StatusAccepted, "")
	b.post(t, id+"/deliveries/4711/retry", "").want(t, http.StatusNotFound, "delivery_not_found")
	other := b.createWebhook(t, `{"url":"`+aWebhook+`"}`).Webhook.ID
	b.post(t, other+"/deliveries/"+d.ID+"/retry", "").want(t, http.StatusNotFound, "delivery_not_found")
	b.patchWebhook(t, id, `{"enabled":false}`).want(t, http.StatusOK, "")
	b.post(t, id+"/test", "").want(t, http.StatusConflict, "webhook_disabled")
}
