package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// serving is the program as it serves, in this process.
type serving struct {
	url, ops string // http://host:port of the listeners; ops is empty without one
	stdout   *output
	stderr   *output
	stop     func() int
}

// output may be read while it is written.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// serve starts the server on a port that the system chooses and returns when
// it serves. It is stopped at the end of the test at the latest.
func (i installation) serve(t *testing.T, flags ...string) *serving {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &serving{stdout: &output{}, stderr: &output{}}
	args := append(append([]string{"serve", "--listen", "127.0.0.1:0", "--log-format", "json"}, i.flags...), flags...)
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, args, strings.NewReader(""), s.stdout, s.stderr) }()
	s.stop = sync.OnceValue(func() int {
		cancel()
		return <-ended
	})
	t.Cleanup(func() {
		if code := s.stop(); code != exitOK {
			t.Errorf("code %d\n%s", code, s.stderr)
		}
	})
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for s.url == "" {
		select {
		case <-tick.C:
			s.learnAddresses()
		case code := <-ended:
			ended <- code
			t.Fatalf("code %d\n%s", code, s.stderr)
		case <-deadline:
			t.Fatalf("it does not serve\n%s", s.stderr)
		}
	}
	return s
}

func (s *serving) learnAddresses() {
	for line := range strings.Lines(s.stderr.String()) {
		var r struct {
			Msg, Address string
			Ops          string `json:"ops_address"`
		}
		if json.Unmarshal([]byte(line), &r) != nil || r.Msg != "serving" {
			continue
		}
		s.url = "http://" + r.Address
		if r.Ops != "" {
			s.ops = "http://" + r.Ops
		}
	}
}

// request returns status, headers and body.
func request(t *testing.T, method, url string, headers map[string]string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range headers {
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
	return resp.StatusCode, resp.Header, string(text)
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	code, _, text := request(t, http.MethodGet, url, nil)
	return code, text
}

var passwordLine = regexp.MustCompile(`(?m)^  password +(\S+)`)

func TestTheFirstStartTellsThePasswordOnce(t *testing.T) {
	t.Parallel()
	i := install(t)
	first := i.serve(t)
	block := first.stdout.String()
	match := passwordLine.FindStringSubmatch(block)
	if match == nil {
		t.Fatalf("no password in:\n%s", block)
	}
	for _, part := range []string{"Stagedoor is at " + first.url + "\n", "administrator  admin\n", first.url + "/auth/token\n",
		"on_publish      " + first.url + "/callback/nginx-rtmp;", "on_dvr       " + first.url + "/callback/on_dvr;"} {
		if !strings.Contains(block, part) {
			t.Errorf("%q is not in:\n%s", part, block)
		}
	}
	// The curl line, as it is printed.
	resp, err := http.PostForm(first.url+"/auth/token", url.Values{"username": {"admin"}, "password": {match[1]}})
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close() // only the status counts
	if resp.StatusCode != http.StatusOK {
		t.Errorf("log in: %s", resp.Status)
	}
	if code := first.stop(); code != exitOK {
		t.Errorf("code %d", code)
	}
	second := i.serve(t)
	if text := second.stdout.String(); text != "" {
		t.Errorf("the second start prints:\n%s", text)
	}
	for _, s := range []*serving{first, second} {
		if strings.Contains(s.stderr.String(), match[1]) {
			t.Error("the password is in the log")
		}
	}
}

func TestAPasswordThatIsSetIsNotPrinted(t *testing.T) {
	t.Parallel()
	s := install(t).serve(t, "--admin-username", "root", "--admin-password", "hunter2 hunter2")
	if text := s.stdout.String() + s.stderr.String(); strings.Contains(text, "hunter2") || !strings.Contains(text, "administrator  root\n") {
		t.Errorf("printed:\n%s", text)
	}
}

func TestOperationsShareTheListenerUnlessTheyHaveTheirOwn(t *testing.T) {
	t.Parallel()
	paths := []string{"/metrics", "/healthz", "/readyz"}
	shared := install(t).serve(t)
	for _, p := range paths {
		if code, text := get(t, shared.url+p); code != http.StatusOK || text == "" {
			t.Errorf("%s: %d\n%s", p, code, text)
		}
	}
	_, metrics := get(t, shared.url+"/metrics")
	for _, line := range []string{`stagedoor_view_reloads_total{cause="start"} 1`, `stagedoor_view_reloads_total{cause="gap"} 0`, "stagedoor_view_staleness_seconds "} {
		if !strings.Contains(metrics, "\n"+line) {
			t.Errorf("no %s in the metrics:\n%s", line, metrics)
		}
	}
	if code, _ := get(t, shared.url+"/debug/pprof/"); code != http.StatusNotFound {
		t.Errorf("profiles for everybody: %d", code)
	}

	split := install(t).serve(t, "--ops-listen", "127.0.0.1:0")
	for _, p := range append(paths, "/debug/pprof/", "/debug/pprof/goroutine?debug=1", "/debug/pprof/block?debug=1", "/debug/pprof/mutex?debug=1") {
		if code, _ := get(t, split.url+p); code != http.StatusNotFound {
			t.Errorf("%s on the main listener: %d", p, code)
		}
		if code, text := get(t, split.ops+p); code != http.StatusOK || text == "" {
			t.Errorf("%s on its own listener: %d\n%s", p, code, text)
		}
	}
	if code, _ := get(t, split.url+"/openapi.yaml"); code != http.StatusOK {
		t.Errorf("the description of the API: %d", code)
	}
	if code, _ := get(t, split.ops+"/auth/token"); code != http.StatusNotFound {
		t.Errorf("the API on the listener of operations: %d", code)
	}
}

func TestAPortThatIsTakenIsSaidPlainly(t *testing.T) {
	t.Parallel()
	i := install(t)
	taken := strings.TrimPrefix(i.serve(t).url, "http://")
	got := i.command(t, "", "serve", "--listen", taken)
	if got.code != exitFailed || !strings.Contains(got.stderr, taken) {
		t.Errorf("code %d\n%s", got.code, got.stderr)
	}
}
