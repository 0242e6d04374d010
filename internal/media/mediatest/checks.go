package mediatest

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

var update = flag.Bool("update", false, "write the golden files anew")

// hostile queries try to speak for the media server.
var hostile = []string{
	"call=play&name=evil&addr=6.6.6.6&clientid=999&app=admin",
	"app=admin&flashver=x&swfurl=&tcurl=rtmp://evil/&pageurl=http://evil&addr=6.6.6.6&clientid=1&call=publish&name=evil&type=live",
	"action=on_play&client_id=1&ip=6.6.6.6&vhost=evil&stream=evil&stream_url=/live/evil",
	`token=a","stream_url":"/live/evil","client_id":"evil`,
	"type=live&type=record&recorder=all&path=/etc/passwd",
	"%26call=play%26name=evil",
	"a=b%00c&d=%zz&=&&e",
	"name=a&name=b",
}

// recording sends all payloads and compares the events with the golden file.
func (s Suite) recording(t *testing.T, r Recording) {
	type line struct {
		Payload string         `json:"payload"`
		Event   map[string]any `json:"event"`
	}
	lines := make([]line, 0, len(r.Payloads))
	for _, p := range r.Payloads {
		ledger := &Ledger{Verdict: media.Verdict{Allow: true, Reason: media.Allowed}}
		rec := httptest.NewRecorder()
		s.authenticated(t, ledger).ServeHTTP(rec, request(t, p))
		if rec.Code != http.StatusOK {
			t.Fatalf("%s: status %d: %s", p.Name, rec.Code, rec.Body)
		}
		lines = append(lines, line{p.Name, fields(t, ledger.one(t))})
	}
	var got bytes.Buffer
	enc := json.NewEncoder(&got)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	must(t, enc.Encode(lines))
	compareGolden(t, r.Name, got.Bytes())
}

// fields returns what an event says, without what it does not say.
func fields(t *testing.T, e media.Event) map[string]any {
	t.Helper()
	text, err := json.Marshal(e)
	must(t, err)
	var all map[string]any
	must(t, json.Unmarshal(text, &all))
	for key, value := range all {
		if value == nil || reflect.ValueOf(value).IsZero() {
			delete(all, key)
		}
	}
	return all
}

func compareGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name+".json")
	if *update {
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, got, 0o644))
		return
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (-update writes it anew). got:\n%s", path, got)
	}
}

// hostileQuery compares with the event of a harmless query.
func (s Suite) hostileQuery(t *testing.T, query string) {
	event := func(query string) media.Event {
		ledger := &Ledger{Verdict: media.Verdict{Allow: true}}
		rec := httptest.NewRecorder()
		s.authenticated(t, ledger).ServeHTTP(rec, request(t, s.Publish(query)))
		return ledger.one(t)
	}
	got, want := event(query), event("token=abc")
	if s.Query != nil {
		query = s.Query(query)
	}
	if got.Query != query {
		t.Errorf("the query became %q", got.Query)
	}
	got.Query, want.Query = "", ""
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func request(t *testing.T, p Payload) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), cmp.Or(p.Method, http.MethodPost), p.Path, bytes.NewReader([]byte(p.Body)))
	r.Header = p.Header.Clone()
	return r
}

// CheckReply sends a payload over a real connection and compares every byte
// that a media server looks at.
func CheckReply(t *testing.T, h http.Handler, p Payload, want Reply) {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	must(t, err)
	defer func() { _ = conn.Close() }()
	must(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	go func() { _ = request(t, p).Write(conn) }() // an early refusal may break it

	reader := bufio.NewReader(conn)
	resp, err := http.ReadResponse(reader, nil)
	must(t, err)
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	if resp.StatusCode != want.Status || string(body) != want.Body {
		t.Errorf("got %d %q, want %d %q", resp.StatusCode, body, want.Status, want.Body)
	}
	if got := resp.Header.Get("Content-Type"); got != want.ContentType {
		t.Errorf("content type %q, want %q", got, want.ContentType)
	}
	if resp.ContentLength != int64(len(want.Body)) {
		t.Errorf("content length %d, want %d", resp.ContentLength, len(want.Body))
	}
	if got := resp.Header.Get("Location"); got != "" {
		t.Errorf("a reply must not redirect, but has Location %q", got)
	}
	if got := resp.Header.Get("Retry-After"); (got != "") != (want.Status == http.StatusServiceUnavailable) {
		t.Errorf("Retry-After is %q with status %d", got, want.Status)
	}
	checkEnd(t, reader, want.Close)
}

// checkEnd makes sure that nothing follows a reply, and that the connection
// ends where it must.
func checkEnd(t *testing.T, reader *bufio.Reader, closed bool) {
	t.Helper()
	if n := reader.Buffered(); n > 0 {
		t.Errorf("%d bytes follow the body", n)
	}
	if !closed {
		return
	}
	if _, err := reader.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection stays open: %v", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
