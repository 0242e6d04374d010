package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"
)

// get asks on a connection that is open, and returns the status and the header.
func (c keptOpen) get(path string) (int, http.Header) {
	if _, err := fmt.Fprintf(c.Conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path); err != nil {
		return 0, nil
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return 0, nil
	}
	_, _ = io.Copy(io.Discard, resp.Body) // only the header counts
	return resp.StatusCode, resp.Header
}

type keptOpen struct {
	net.Conn
	r *bufio.Reader
}

func (s *serving) dial(t *testing.T, from string) keptOpen {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return keptOpen{conn, bufio.NewReader(conn)}
}

func (c keptOpen) isClosed() bool {
	_, err := c.r.ReadByte()
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
}

func TestConnectionsAreLimitedInAllAndOfOneAddress(t *testing.T) {
	t.Parallel()
	s := install(t).serve(t, "--max-connections", "4", "--max-connections-per-address", "2", "--ops-listen", "127.0.0.1:0",
		"--header-timeout", "1m") // of connections that say nothing for as long as the test takes
	other, another := s.dial(t, "127.0.0.2"), s.dial(t, "127.0.0.3")
	// The oldest says nothing: of one that was just answered the server may not
	// know yet that it is idle. All are counted when the last one has an answer.
	crowd := []keptOpen{s.dial(t, "127.0.0.1"), s.dial(t, "127.0.0.1")}
	if code, _ := crowd[1].get("/openapi.json"); code != http.StatusOK {
		t.Fatalf("status %d", code)
	}
	// The fifth takes the place of the oldest of the address that has the most.
	third := s.dial(t, "127.0.0.1")
	if code, _ := third.get("/users/me"); code != http.StatusUnauthorized {
		t.Errorf("in the place of its own: %d", code)
	}
	if !crowd[0].isClosed() {
		t.Error("the oldest is open")
	}
	for _, c := range []keptOpen{other, another} {
		if code, _ := c.get("/users/me"); code != http.StatusUnauthorized {
			t.Errorf("other addresses: %d", code)
		}
	}
	_ = another.Close()
	waitFor(t, func() bool { return strings.Contains(metricsOf(t, s), "stagedoor_connections_open 3") })
	fourth := s.dial(t, "127.0.0.1")
	code, h := fourth.get("/users/me")
	if code != http.StatusTooManyRequests || h.Get("Retry-After") != "1" || h.Get("Connection") != "close" && !fourth.isClosed() {
		t.Errorf("one too many of an address: %d %v", code, h)
	}
	fifth := s.dial(t, "127.0.0.1")
	if code, _ := fifth.get("/callback/nginx-auth"); code == http.StatusTooManyRequests || code == 0 {
		t.Errorf("a callback of that address: %d", code)
	}
	text := metricsOf(t, s)
	for _, line := range []string{`stagedoor_limited_total{limit="max_connections"} 1`, `stagedoor_limited_total{limit="max_connections_per_address"} 1`} {
		if !strings.Contains(text, line) {
			t.Errorf("no %s", line)
		}
	}
}

func metricsOf(t *testing.T, s *serving) string {
	t.Helper()
	_, text := get(t, s.ops+"/metrics")
	return text
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not happen")
		}
	}
}

func TestNobodyIsAdmittedWhenAllConnectionsAreBusy(t *testing.T) {
	t.Parallel()
	limited := 0
	c := &connections{most: 1, limited: func(string) { limited++ }}
	l := newLastCall(t)
	l.conns = c
	dial(t, l, "")
	first, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	first.(*watched).active.Store(true)
	if second := dial(t, l, ""); c.admit(&watched{TCPConn: second.(*net.TCPConn)}) || limited != 1 || c.count() != 1 {
		t.Errorf("%d refused, %v open", limited, c.count())
	}
	_ = first.Close()
	_ = first.Close() // twice counts once
	if c.count() != 0 || len(c.crowd) != 0 {
		t.Errorf("%v open, %v", c.count(), c.crowd)
	}
}

func TestAProxyMayHoldAsManyConnectionsAsItLikes(t *testing.T) {
	t.Parallel()
	c := &connections{mostOfOne: 1, proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		crowd: map[netip.Prefix]int{netip.MustParsePrefix("10.0.0.1/32"): 5, netip.MustParsePrefix("192.0.2.1/32"): 5, netip.MustParsePrefix("192.0.2.2/32"): 1}}
	for peer, want := range map[string]bool{"10.0.0.1:1": false, "[::ffff:192.0.2.1]:1": true, "192.0.2.2:1": false, "nonsense": false} {
		if got := c.crowded(peer); got != want {
			t.Errorf("%s: %v", peer, got)
		}
	}
}

// A limit of each kind bites in a running server.
func TestLimitsAreSettings(t *testing.T) {
	t.Parallel()
	s := install(t).serve(t, "--max-body", "65536", "--max-header", "4096", "--header-timeout", "2s",
		"--account-rate-limit", "1", "--admin-password", "measured in private", "--login-attempts", "2", "--database-pool", "7")
	if code, _, _ := request(t, http.MethodGet, s.url+"/users/me", map[string]string{"X-Long": strings.Repeat("x", 16<<10)}); code != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a long header: %d", code)
	}
	if slow := s.dial(t, "127.0.0.1"); !slow.isClosed() {
		t.Error("who says nothing stays")
	}
	login := func(password string) (int, http.Header, string) {
		body, _ := json.Marshal(map[string]string{"username": "admin", "password": password})
		resp, err := http.Post(s.url+"/login", "application/json", strings.NewReader(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body) // the status says enough
		return resp.StatusCode, resp.Header, string(text)
	}
	if code, _, text := login(strings.Repeat("x", 70_000)); code != http.StatusRequestEntityTooLarge {
		t.Errorf("a long body: %d %s", code, text)
	}
	_, _, text := login("measured in private")
	var token struct{ Token string }
	if err := json.Unmarshal([]byte(text), &token); err != nil || token.Token == "" {
		t.Fatal(text, err)
	}
	bearer := map[string]string{"Authorization": "Bearer " + token.Token}
	if code, _, _ := request(t, http.MethodGet, s.url+"/users/me", bearer); code != http.StatusOK {
		t.Errorf("an account that asks once: %d", code)
	}
	code, h, text := request(t, http.MethodGet, s.url+"/users/me", bearer)
	for n := 0; n < 100 && code == http.StatusOK; n++ { // slowly, where the machine is slow
		code, h, text = request(t, http.MethodGet, s.url+"/users/me", bearer)
	}
	if code != http.StatusTooManyRequests || h.Get("Retry-After") != "1" || h.Get("RateLimit-Limit") != "2" || !strings.Contains(text, "detail") {
		t.Errorf("an account that asks too often: %d %v %s", code, h, text)
	}
	for range 2 {
		_, _, _ = login("wrong in public")
	}
	if code, h, _ := login("wrong in public"); code != http.StatusTooManyRequests || h.Get("Retry-After") == "" {
		t.Errorf("a third guess: %d %v", code, h)
	}
	_, text = get(t, s.url+"/metrics")
	for _, limit := range []string{"account_rate_limit", "login_attempts"} {
		if !strings.Contains(text, `stagedoor_limited_total{limit="`+limit+`"} `) || strings.Contains(text, `limit="`+limit+`"} 0`) {
			t.Errorf("%s is not counted", limit)
		}
	}
}
