package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
)

const (
	callersTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	callersSpan  = "00f067aa0ba902b7"
)

// asked sends a JSON body and returns status and answer.
func (s *serving) asked(t *testing.T, target, body string, header map[string]string) (status int, answer map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for name, value := range header {
		r.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	_ = json.Unmarshal(text, &answer) // callbacks are answered with a number
	return resp.StatusCode, answer
}

// hook is a callback of SRS on this machine.
func (s *serving) hook(t *testing.T, action, client, param string, header map[string]string) (status int) {
	t.Helper()
	status, _ = s.asked(t, "/callback/"+action, fmt.Sprintf(`{"action":"%s","client_id":"%s","server_id":"vid-1","service_id":"one","ip":"192.0.2.7","vhost":"__defaultVhost__",`+
		`"app":"live","tcUrl":"rtmp://x/live","stream":"traced","param":"%s","stream_url":"/live/traced","stream_id":"vid-2"}`, action, client, param), header)
	return status
}

func traceparent(trace, flags string) map[string]string {
	return map[string]string{"Traceparent": "00-" + trace + "-" + callersSpan + "-" + flags}
}

// line is the access log's of a request in a trace.
func (s *serving) line(trace string) (found map[string]any) {
	for text := range strings.Lines(s.stderr.String()) {
		var line map[string]any
		if json.Unmarshal([]byte(text), &line) == nil && line["msg"] == "request" && line["trace_id"] == trace {
			found = line
		}
	}
	return found
}

// TestRequestsAreTracedFromTheirCallersToTheDatabase shows what a collector gets of
// callbacks, of an operation that fails and of a webhook.
func TestRequestsAreTracedFromTheirCallersToTheDatabase(t *testing.T) {
	t.Parallel()
	c := collectTraces(t)
	told := make(chan http.Header, 16)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { told <- r.Header }))
	t.Cleanup(hook.Close)
	s := install(t).serve(t, "--otlp-endpoint", c.url, "--otlp-headers", "Authorization=Bearer%20of-the-collector", "--admin-password", housePassword, "--webhook-allow-private", "127.0.0.0/8")
	_, login := s.asked(t, "/api/v1/live/login", `{"username":"admin","password":"`+housePassword+`"}`, nil)
	bearer := map[string]string{"Authorization": "Bearer " + login["token"].(string)}
	if status, made := s.asked(t, "/api/v1/webhooks", `{"url":"`+hook.URL+`","types":["stream.published"]}`, bearer); status != http.StatusCreated {
		t.Fatalf("a webhook: %d %v", status, made)
	}
	_, pair := s.asked(t, "/live/create_token?stream=traced", "", bearer)

	const published, played, refused, quiet, failed = callersTrace, "11111111111111111111111111111111", "22222222222222222222222222222222", "33333333333333333333333333333333", "44444444444444444444444444444444"
	s.hook(t, "on_publish", "p", "?token="+pair["token"].(string), traceparent(published, "01"))
	s.hook(t, "on_play", "v", "?token="+pair["play_token"].(string), traceparent(played, "01"))
	s.hook(t, "on_play", "x", "?token=hunter2", traceparent(refused, "01"))
	s.hook(t, "on_play", "y", "?token="+pair["play_token"].(string), traceparent(quiet, "00"))
	status, problem := s.asked(t, "/api/v1/webhooks", `{}`, traceparent(failed, "01"))
	var header http.Header
	select {
	case header = <-told:
	case <-time.After(patience):
		t.Fatalf("the webhook is told nothing\n%s", s.stderr)
	}
	if code := s.stop(); code != exitOK {
		t.Fatalf("code %d", code)
	}

	// A publisher: the request below its caller, the wait below the request, the batch below the wait, and the statements below that.
	request := c.one(t, published, "POST /callback/on_publish")
	if request.parent() != callersSpan || request.Kind != otlp.Span_SPAN_KIND_SERVER {
		t.Errorf("the callback is below %s, of kind %v", request.parent(), request.Kind)
	}
	for name, want := range map[string]string{"http.route": "/callback/on_publish", "stagedoor.decision.scene": "publish", "stagedoor.decision.result": "allow",
		"stagedoor.decision.reason": "allowed", "stagedoor.node": "local", "stagedoor.stream": "live/traced"} {
		if got := request.attributes[name]; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	wait := c.one(t, published, "wait for commit")
	batch := c.one(t, published, "commit batch")
	if wait.parent() != request.id() || batch.parent() != wait.id() {
		t.Errorf("request %s, wait %s below %s, batch below %s", request.id(), wait.id(), wait.parent(), batch.parent())
	}
	for _, name := range []string{"BEGIN", "SessionOpenPublish", "COMMIT"} {
		statement := c.one(t, published, name)
		if statement.parent() != batch.id() || statement.attributes["db.system.name"] != "postgresql" || statement.StartTimeUnixNano < batch.StartTimeUnixNano || statement.EndTimeUnixNano > batch.EndTimeUnixNano {
			t.Errorf("%s is below %s, not within the batch %s", name, statement.parent(), batch.id())
		}
	}
	// A player needs one statement.
	if add := c.one(t, played, "COPY open_sessions"); add.parent() != c.one(t, played, "commit batch").id() {
		t.Errorf("the player's statement is below %s", add.parent())
	}
	if denied := c.one(t, refused, "POST /callback/on_play"); denied.attributes["stagedoor.decision.result"] != "deny" || denied.attributes["stagedoor.decision.reason"] != "token_unknown" {
		t.Errorf("refused: %v", denied.attributes)
	}
	// A caller that does not keep its trace decides so for us.
	if c.named(quiet, "POST /callback/on_play") != nil || s.line(quiet) != nil {
		t.Errorf("an unsampled request is traced:%s", c.names())
	}
	// Log and problem say in which trace to look.
	if line := s.line(published); line == nil || line["request_id"] != request.attributes["stagedoor.request_id"] {
		t.Errorf("the access log says %v", line)
	}
	if status != http.StatusUnauthorized || problem["trace_id"] != failed || c.one(t, failed, "POST /api/v1/webhooks").attributes["stagedoor.failure"] != problem["code"] {
		t.Errorf("%d %v", status, problem)
	}
	// An attempt to deliver is a trace that its receiver may go on with.
	parent := strings.Split(header.Get("Traceparent"), "-")
	if len(parent) != 4 {
		t.Fatalf("the webhook got %v", header)
	}
	attempt := c.one(t, parent[1], "deliver webhook")
	if sent := c.one(t, parent[1], "POST webhook"); sent.id() != parent[2] || sent.parent() != attempt.id() || sent.attributes["server.address"] != "127.0.0.1" {
		t.Errorf("sent %s below %s, told %v", sent.id(), sent.parent(), parent)
	}
	c.one(t, parent[1], "WebhookDeliveryNote")
	if c.resource["service.name"] != "stagedoor" || c.headers[0].Get("Authorization") != "Bearer of-the-collector" {
		t.Errorf("the collector is told %v %v", c.resource, c.headers[0])
	}
}

// Neither a collector that hangs nor one that is not there is felt.
func TestACollectorInTroubleIsNotFelt(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over }))
	t.Cleanup(func() { close(over); hanging.Close() })
	for name, trouble := range map[string]struct{ endpoint, word string }{
		"hangs":   {hanging.URL, "the last traces have not been sent"},
		"is away": {"http://127.0.0.1:1", "traces are lost"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := install(t).serve(t, "--otlp-endpoint", trouble.endpoint)
			for i := range 20 {
				if status := s.hook(t, "on_play", fmt.Sprint(i), "", nil); status != http.StatusForbidden {
					t.Errorf("callback %d: %d", i, status)
				}
			}
			if code := s.stop(); code != exitOK {
				t.Errorf("code %d", code)
			}
			if n := strings.Count(s.stderr.String(), `"msg":"`+trouble.word); n != 1 {
				t.Errorf("%d lines tell of it\n%s", n, s.stderr)
			}
		})
	}
}
