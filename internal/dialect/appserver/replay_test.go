package appserver

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
	"github.com/stagedoor-live/stagedoor/internal/spectest"
)

var update = flag.Bool("update", false, "write the replies of testdata/clients again")

// The sessions of the shipped clients, request by request as they send them, are
// in testdata/clients. Each reply has to be the one on record, and to pass the
// parser of that client.
func TestShippedClientsGetThroughTheirSessions(t *testing.T) {
	t.Parallel()
	for client, parse := range map[string]parser{
		"android": parseAsAndroid, "ios": parseAsIOS, "web": parseAsWeb, "uniapp": parseAsUniApp,
		"document": func(testing.TB, exchange) {}, // the document's own examples
	} {
		t.Run(client, func(t *testing.T) {
			t.Parallel()
			files, err := filepath.Glob(filepath.Join("testdata", "clients", client, "*.json"))
			if err != nil || len(files) == 0 {
				t.Fatalf("no session: %v", err)
			}
			s := session{bench: setup(t), parse: parse, said: map[string]any{}}
			if client == "web" || client == "uniapp" { // they only watch
				s.given(t)
			}
			for _, file := range files {
				t.Run(filepath.Base(file), func(t *testing.T) { s.play(t, file) })
			}
		})
	}
}

// scene is one file: what happens before, what the client sends, what it gets.
type scene struct {
	About  string  `json:"about,omitempty"`
	Before *before `json:"before,omitempty"`
	Sent   struct {
		Method  string            `json:"method"`
		Path    string            `json:"path"`
		Headers map[string]string `json:"headers"`
		Body    json.RawMessage   `json:"body,omitempty"`
	} `json:"request"`
	Got struct {
		Status int               `json:"status"`
		Header map[string]string `json:"headers,omitempty"`
		Body   json.RawMessage   `json:"body"`
	} `json:"reply"`
}

// before is what happens to the room of the session, in this order.
type before struct {
	Wait        string   `json:"wait,omitempty"`
	Started     bool     `json:"started,omitempty"`     // by its anchor
	Published   bool     `json:"published,omitempty"`   // a media server says so
	Unpublished bool     `json:"unpublished,omitempty"` // a media server says so
	Muted       bool     `json:"muted,omitempty"`       // by its anchor
	Stopped     bool     `json:"stopped,omitempty"`     // by its anchor
	Viewers     []string `json:"viewers,omitempty"`     // the last one stays
	Recording   float64  `json:"recording,omitempty"`   // a file of so many seconds
}

// exchange is a request and its answer, for the parsers.
type exchange struct {
	call string // the last part of the path
	dialecttest.Answer
}

// parser fails the test where its client would stumble.
type parser func(t testing.TB, e exchange)

type session struct {
	*bench
	parse parser
	said  map[string]any // replies by the name of their scene
	room  string
}

// given makes what somebody else has made: a room with co-streaming and a plain
// one, by alice.
func (s *session) given(t *testing.T) {
	t.Helper()
	extends, err := json.Marshal(`{"userNick":"Alice 爱丽丝","userAvatar":"https://img.example.com/a.png?x=1&y=2"}`)
	if err != nil {
		t.Fatal(err)
	}
	s.room = s.create(t, `,"mode":1,"extends":`+string(extends)).ID
	s.clock.advance(time.Second)
	s.said["given"] = map[string]any{"id": s.room}
	s.said["plain"] = map[string]any{"id": s.create(t, "").ID}
}

func (s *session) play(t *testing.T, file string) {
	var sc scene
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	decode(t, text, &sc)
	if sc.Before != nil {
		s.happen(t, *sc.Before)
	}
	a := s.sendScene(t, sc)
	if *update {
		sc.record(t, file, a)
	}
	sc.compare(t, a)
	s.remember(t, file, a)
	s.parse(t, exchange{sc.Sent.Path[strings.LastIndexByte(sc.Sent.Path, '/')+1:], a})
}

func (s *session) happen(t *testing.T, b before) {
	t.Helper()
	if b.Wait != "" {
		d, err := time.ParseDuration(b.Wait)
		if err != nil {
			t.Fatal(err)
		}
		s.clock.advance(d)
	}
	for _, op := range []struct {
		wanted bool
		do     func()
	}{
		{b.Started, func() { s.act(t, "start", s.alice, s.room).want(t, 200) }},
		{b.Published, func() { s.stream(t, s.room, true) }},
		{b.Unpublished, func() { s.stream(t, s.room, false) }},
		{b.Muted, func() { s.mute(t, "muteChatroom", s.alice, s.room).want(t, 200) }},
		{b.Stopped, func() { s.act(t, "stop", s.alice, s.room).want(t, 200) }},
		{b.Viewers != nil, func() { s.addPlays(t, s.room, b.Viewers...) }},
		{b.Recording > 0, func() { s.addRecording(t, s.room, "/rec/first.flv", b.Recording) }},
	} {
		if op.wanted {
			op.do()
		}
	}
}

// sendScene fills in what earlier replies said, and writes the body as compact
// as the clients do.
func (s *session) sendScene(t *testing.T, sc scene) dialecttest.Answer {
	t.Helper()
	r := dialecttest.Request{Method: sc.Sent.Method, Path: sc.Sent.Path, Header: maps.Clone(sc.Sent.Headers)}
	for name, value := range r.Header {
		r.Header[name] = s.fill(t, value)
	}
	if sc.Sent.Body != nil {
		var compact bytes.Buffer
		if err := json.Compact(&compact, sc.Sent.Body); err != nil {
			t.Fatal(err)
		}
		r.Body = s.fill(t, compact.String())
	}
	ctx := t.Context()
	if sc.Got.Status == http.StatusBadRequest {
		ctx = spectest.BadRequest(ctx)
	}
	return s.do(t, ctx, r).Answer
}

var placeholder = regexp.MustCompile(`\$\{([a-z-]+)\.([a-z_.]+)\}`)

// fill replaces ${scene.key} by what the reply of a scene said.
func (s *session) fill(t *testing.T, text string) string {
	t.Helper()
	return placeholder.ReplaceAllStringFunc(text, func(match string) string {
		parts := placeholder.FindStringSubmatch(match)
		value := s.said[parts[1]]
		for key := range strings.SplitSeq(parts[2], ".") {
			object, _ := value.(map[string]any)
			value = object[key]
		}
		if value == nil {
			t.Fatalf("nobody has said %s", match)
		}
		return fmt.Sprint(value)
	})
}

func (s *session) remember(t *testing.T, file string, a dialecttest.Answer) {
	t.Helper()
	_, name, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".json"), "-")
	var value any
	decode(t, a.Body, &value)
	s.said[name] = value
	if object, ok := value.(map[string]any); ok && strings.HasPrefix(name, "create") && s.room == "" {
		s.room, _ = object["id"].(string)
	}
}

// different is what no two runs have in common: signatures with random ids.
var different = []string{"token", "loginToken", "login_token", "liveJumpUrl", "live_jump_url"}

const whatever = "${any}"

// record writes the reply into the file.
func (sc *scene) record(t *testing.T, file string, a dialecttest.Answer) {
	t.Helper()
	sc.Got.Status, sc.Got.Body, sc.Got.Header = a.Status, a.Body, nil
	if total := a.Header.Get("X-Total-Count"); total != "" {
		sc.Got.Header = map[string]string{"X-Total-Count": total}
	}
	var object map[string]any
	if json.Unmarshal(a.Body, &object) == nil {
		for _, key := range different {
			if value, ok := object[key].(string); ok {
				quoted := bytes.ReplaceAll([]byte(value), []byte("&"), []byte(`\u0026`))
				sc.Got.Body = bytes.ReplaceAll(sc.Got.Body, quoted, []byte(whatever))
			}
		}
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(sc); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (sc *scene) compare(t *testing.T, a dialecttest.Answer) {
	t.Helper()
	if a.Status != sc.Got.Status {
		t.Fatalf("status %d, want %d: %s", a.Status, sc.Got.Status, a.Body)
	}
	for name, want := range sc.Got.Header {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	var got, want any
	decode(t, a.Body, &got)
	decode(t, sc.Got.Body, &want)
	blank(got, want)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %s\nwant %s\nRun with -update and review the change.", a.Body, sc.Got.Body)
	}
}

// blank takes out of an object what is on record as whatever.
func blank(got, want any) {
	g, _ := got.(map[string]any)
	w, _ := want.(map[string]any)
	for key, value := range w {
		if text, ok := g[key].(string); ok && text != "" && value == whatever {
			g[key] = whatever
		}
	}
}
