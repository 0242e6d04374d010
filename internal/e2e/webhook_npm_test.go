package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	api "github.com/stagedoor-live/stagedoor/gen/client"
)

// received is a message as it came.
type received struct {
	Body    []byte            `json:"body"`
	Headers map[string]string `json:"headers"`
}

// but is the same message with something else in it.
func (m received) but(header, value string) received {
	changed := received{m.Body, map[string]string{}}
	for name, v := range m.Headers {
		changed.Headers[name] = v
	}
	changed.Headers[header] = value
	return changed
}

// verifyWebhooks has the public library for JavaScript judge what a server sent,
// before and within the time in which two secrets sign.
func verifyWebhooks(t *testing.T, w workbench, s *server) {
	arrived := make(chan received, 2)
	listener := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		m := received{Headers: map[string]string{}}
		m.Body, _ = io.ReadAll(r.Body) // what is cut short is not verified
		for name := range r.Header {
			m.Headers[strings.ToLower(name)] = r.Header.Get(name)
		}
		arrived <- m
	}))
	t.Cleanup(listener.Close)
	admin := s.logIn(t)
	hook := good[*api.CreateWebhookResponse](t)(admin.CreateWebhookWithResponse(t.Context(), api.NewWebhook{URL: listener.URL, Types: []string{"room.created"}})).JSON201
	next := func(title string) (received, string) {
		room := admin.createRoom(t, title)
		select {
		case m := <-arrived:
			return m, "good room.created " + room.ID
		case <-time.After(patience):
			t.Fatal("nothing arrives")
			return received{}, ""
		}
	}
	first, firstGood := next("从 webhook 开播")
	overlap := int32(3600)
	fresh := good[*api.RotateWebhookSecretResponse](t)(admin.RotateWebhookSecretWithResponse(t.Context(), hook.Webhook.ID, api.WebhookRotation{OverlapSeconds: &overlap})).JSON200
	second, secondGood := next("two secrets sign")

	const forged = "No matching signature found"
	tampered := second
	tampered.Body = bytes.Replace(second.Body, []byte("two secrets"), []byte("two Secrets"), 1)
	old := strconv.FormatInt(time.Now().Add(-time.Hour).Unix(), 10)
	question, err := json.Marshal(map[string]any{"secrets": []string{hook.Secret, fresh.Secret}, "messages": []received{first, second, tampered,
		second.but("webhook-id", first.Headers["webhook-id"]), second.but("webhook-timestamp", old), second.but("webhook-signature", "v1,AAAA")}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.dir, "received.json"), question, 0o600); err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSpace(w.run(t, "sh", "-c", "exec node out/webhook.js <received.json")), "\n")
	for i, want := range []string{firstGood + "; " + forged, secondGood + "; " + secondGood, forged + "; " + forged, forged + "; " + forged,
		"Message timestamp too old; Message timestamp too old", forged + "; " + forged} {
		if i >= len(got) || got[i] != want {
			t.Errorf("message %d: %q, want %q", i, got, want)
		}
	}
}
