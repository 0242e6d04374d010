package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/route"
)

// Each of these clients would be there for as long as the usual time-out, or for
// ever, if its setting did not bite: longer than the test waits.
func TestSlowClientsAreLeftAfterTheTimeoutThatIsSet(t *testing.T) {
	t.Parallel()
	const soon = "200ms"
	const post = "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
	for _, c := range []struct {
		name  string
		flags []string
		does  func(*testing.T, keptOpen)
	}{
		{"half a header", []string{"--header-timeout", soon, "--read-timeout", "1h"}, func(t *testing.T, c keptOpen) { c.says(t, "GET / HTTP/1.1\r\nHost: ") }},
		{"half a body", []string{"--read-timeout", soon}, func(t *testing.T, c keptOpen) { c.says(t, post) }},
		{"no next request", []string{"--idle-timeout", soon}, func(t *testing.T, c keptOpen) {
			if code, _ := c.get("/openapi.json"); code != http.StatusOK {
				t.Errorf("status %d", code)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn := install(t).serve(t, c.flags...).dial(t, "127.0.0.1")
			c.does(t, conn)
			if _, err := io.Copy(io.Discard, conn.r); err != nil && os.IsTimeout(err) {
				t.Error("it stays")
			}
		})
	}
}

func (c keptOpen) says(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(c.Conn, text); err != nil {
		t.Fatal(err)
	}
}

func TestAClientThatDoesNotReadIsLeftAfterTheWriteTimeout(t *testing.T) {
	t.Parallel()
	s := install(t).serve(t, "--write-timeout", "1s", "--ops-listen", "127.0.0.1:0")
	conn := s.dial(t, "127.0.0.1")
	// It asks for far more than the kernel keeps for somebody who does not read.
	go func() {
		_, _ = io.WriteString(conn.Conn, strings.Repeat("GET /openapi.yaml HTTP/1.1\r\nHost: x\r\n\r\n", 200)) // until it is cut off
	}()
	waitFor(t, func() bool { return strings.Contains(s.stderr.String(), "/openapi.yaml") })
	waitFor(t, func() bool { // it bounds this answer too, which a busy machine may not give in time
		resp, err := http.Get(s.ops + "/metrics")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body) // of half of it too little is known
		return strings.Contains(string(text), "stagedoor_connections_open 0\n")
	})
}

// A request and a callback meet a lock that is held for longer than the test
// waits. Each is refused when its own time is over.
func TestWhoWaitsForTheDatabaseIsRefusedInTime(t *testing.T) {
	t.Parallel()
	i := install(t)
	door := i.serve(t, "--callback-timeout", "200ms", "--admin-password", housePassword)
	desk := i.serve(t, "--request-timeout", "200ms")
	h := &house{serving: door, client: &http.Client{Timeout: patience / 2}}
	pair := h.done(t, h.logIn(t, visitor{username: "admin"}), http.MethodPost, "/live/create_token?stream=s", "")
	pool, err := pg.Open(t.Context(), i.databaseURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback(t.Context()) })
	if _, err := tx.Exec(t.Context(), "LOCK TABLE accounts, open_sessions IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	for url, body := range map[string]string{
		desk.url + "/login": `{"username":"admin","password":"` + housePassword + `"}`,
		door.url + "/callback/on_publish": `{"action":"on_publish","client_id":"c1","server_id":"vid-1","service_id":"one","ip":"192.0.2.7","vhost":"__defaultVhost__",
			"app":"live","tcUrl":"rtmp://x/live","stream":"s","param":"?token=` + pair.text("token") + `","stream_url":"/live/s","stream_id":"vid-2"}`,
	} {
		resp, err := h.client.Post(url, "application/json", strings.NewReader(body))
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		text, _ := io.ReadAll(resp.Body) // the status says enough
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%s: %d %s", url, resp.StatusCode, text)
		}
	}
}

// silent takes connections and never says anything.
func silent(t *testing.T) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
		}
	}()
	_, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// inTime fails where something goes on for as long as the test waits.
func inTime(t *testing.T, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s waits on", what)
	}
}

// The URL itself would wait for an hour.
func TestADatabaseThatSaysNothingIsLeftAfterTheConnectTimeout(t *testing.T) {
	t.Parallel()
	url := "postgres://stagedoor@127.0.0.1:" + silent(t) + "/stagedoor?sslmode=disable&connect_timeout=3600"
	for _, args := range [][]string{{"serve", "--listen", "127.0.0.1:0"}, {"user", "list"}, {"migrate", "up"}, {"migrate", "status"}, {"migrate", "down", "--yes"}} {
		var got ran
		inTime(t, strings.Join(args, " "), func() {
			got = command(t, "", append(args, "--database-url", url, "--data-dir", t.TempDir(), "--database-connect-timeout", "200ms")...)
		})
		if got.code != exitUnreachable || !strings.Contains(got.stderr, "the database cannot be reached") {
			t.Errorf("%v: code %d, %s", args, got.code, got.stderr)
		}
	}
}

// The name server would be waited for until the test ends.
func TestANameThatIsNotFoundIsLeftAfterTheLookupTimeout(t *testing.T) {
	t.Parallel()
	a := appOf(t, "--lookup-timeout", "100ms")
	var looked atomic.Bool
	a.routes.Guard.Lookup = func(ctx context.Context, _ string) ([]netip.Addr, error) {
		looked.Store(true)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	inTime(t, "saving a route", func() {
		if _, err := a.routes.Save(t.Context(), route.Route{Pattern: "/hr/", URL: "rtsp://camera.example/1"}); err == nil {
			t.Error("saved")
		}
	})
	if !looked.Load() {
		t.Error("the name is not looked up")
	}
}

// The usual time-out of a node is two seconds, and it hangs for a minute.
func TestAMediaServerThatHangsIsLeftAfterTheNodeTimeout(t *testing.T) {
	t.Parallel()
	hole, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hole.Close() })
	left := make(chan error, 1)
	go func() {
		conn, err := hole.Accept()
		if err == nil {
			_ = conn.SetDeadline(time.Now().Add(time.Minute))
			_, err = io.Copy(io.Discard, conn) // until the caller has enough
			_ = conn.Close()
		}
		left <- err
	}()
	s := install(t).serve(t, "--node-timeout", "100ms", "--reconcile-period", "1s", "--admin-password", housePassword)
	h := &house{serving: s, client: http.DefaultClient}
	admin := h.logIn(t, visitor{username: "admin"})
	h.done(t, admin, http.MethodPost, "/api/v1/nodes", fmt.Sprintf(`{"name":"hangs","kind":"srs","control_url":"http://%s"}`, hole.Addr()))
	select {
	case err := <-left:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("it waits on")
	}
}
