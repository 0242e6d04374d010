package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

func TestPlayRequestIsOneThatSRSWouldSend(t *testing.T) {
	t.Parallel()
	request, err := playRequest("127.0.0.1:8080", somePlayURL(t))
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(request)))
	if err != nil {
		t.Fatal(err)
	}
	var got playPayload
	if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	want := playPayload{
		ServerID: "vid-7272250", ServiceID: "zh4a6x53", Action: "on_play", ClientID: clientIDRoom, IP: "192.0.2.17", Vhost: "__defaultVhost__",
		App: "live/sub", Stream: "x", TCURL: "rtmp://pull.example.com:1935/live/sub",
		Param: "?sd=v2-1893456000-k1-i2L4CBgBouo2c5n9OxylBQ&a=<b>", StreamURL: "/live/sub/x", StreamID: "vid-y7n5t8y",
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if r.Method != http.MethodPost || r.URL.Path != "/callback/on_play" || r.Host != "127.0.0.1:8080" {
		t.Errorf("%s %s of %s", r.Method, r.URL.Path, r.Host)
	}
}

func TestPlayerThatIsNotLetInFailsTheRun(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string
	}{{403, "0"}, {200, "0\n"}, {200, ""}, {200, `{"code":0}`}, {503, ""}} {
		var p players
		if err := (&playShots{players: &p}).check(c.status, []byte(c.body)); err == nil || p.admitted.Load() > 0 {
			t.Errorf("%v: %v, %d let in", c, err, p.admitted.Load())
		}
	}
}

func TestBareHandlerDecodesBeforeItAnswers(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int{`{"action":"on_play","client_id":"x"}`: 200, `{"action":`: 400, `{"action":1}`: 400} {
		w := httptest.NewRecorder()
		answerBare(w, httptest.NewRequest(http.MethodPost, "/callback/on_play", strings.NewReader(body)))
		if w.Code != want || want == 200 && w.Body.String() != "0" {
			t.Errorf("%s: %d %q", body, w.Code, w.Body)
		}
	}
}

func TestBareServerEndsWithItsInput(t *testing.T) {
	t.Parallel()
	stdin, hold := io.Pipe()
	out, stdout := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(t.Context(), []string{bareArg}, stdin, stdout, io.Discard) }()
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	addr = strings.TrimSpace(addr)
	to, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	request, err := playRequest(addr, somePlayURL(t))
	if err != nil {
		t.Fatal(err)
	}
	c := newConn(to)
	defer c.Close()
	if status, body, err := c.roundTrip(request); err != nil || status != 200 || string(body) != "0" {
		t.Errorf("%d %q, %v", status, body, err)
	}
	if err := hold.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
	if c, err := net.Dial("tcp", addr); err == nil {
		_ = c.Close()
		t.Error("it still listens")
	}
}

func TestWorkDirectoryIsOnADisk(t *testing.T) {
	t.Parallel()
	dir, err := workDir()
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if inMemory(dir) {
		t.Errorf("%s is in memory", dir)
	}
	for dir, want := range map[string]bool{"/": true, dir: true, t.TempDir() + "/missing": false} {
		if got := openToAll(dir); got != want {
			t.Errorf("openToAll(%s) = %t", dir, got)
		}
	}
}

func TestUnknownArgumentsAreRefused(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-nonsense"}, {"extra"}, {"-json"}} {
		if err := run(t.Context(), args, strings.NewReader(""), io.Discard, io.Discard); err == nil {
			t.Errorf("%v was taken", args)
		}
	}
}
