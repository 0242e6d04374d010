package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// A troupe is three processes with one database, behind a balancer.
type troupe struct {
	whole   *testing.T // for processes that outlive a step
	members []*server
	// front is what clients see: whichever member the balancer chooses.
	front *server
}

// newTroupe starts three processes at once. They share a directory, as a master
// key that is not set has to be somewhere.
func newTroupe(t *testing.T, settings map[string]string) *troupe {
	t.Helper()
	x := &troupe{whole: t}
	var starts []func() string
	for range 3 {
		s := prepareServer(t, settings)
		if len(x.members) > 0 {
			s.data, s.settings["DATA_DIR"] = x.members[0].data, x.members[0].data
		}
		x.members = append(x.members, s)
		starts = append(starts, s.begin(t))
	}
	var backends, passwords []string
	for i, await := range starts {
		if password := passwordIn(await()); password != "" {
			passwords = append(passwords, password)
		}
		backends = append(backends, x.members[i].settings["LISTEN"])
	}
	if len(passwords) != 1 {
		t.Fatalf("%d processes have made an administrator", len(passwords))
	}
	first := x.members[0]
	x.front = &server{spec: first.spec, data: first.data, log: first.log, settings: first.settings, url: "http://" + newBalancer(t, backends)}
	for _, s := range append(x.members, x.front) {
		s.password = passwords[0]
	}
	return x
}

// everywhere waits until something is true of every process.
func (x *troupe) everywhere(t *testing.T, what string, cond func(*server) bool) {
	t.Helper()
	eventually(t, what, func() bool {
		return !slices.ContainsFunc(x.members, func(s *server) bool { return !cond(s) })
	})
}

// newBalancer hands TCP connections to backends in turn, passing over those that
// take none, and returns its address.
func newBalancer(t *testing.T, backends []string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var next atomic.Uint64
	var work sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close() // connections end with their clients
		work.Wait()
	})
	work.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			turn := int(next.Add(1))
			work.Go(func() { relay(client, backends, turn) })
		}
	})
	return l.Addr().String()
}

// relay passes everything on until both sides have ended.
func relay(client net.Conn, backends []string, turn int) {
	defer client.Close()
	for i := range backends {
		backend, err := net.Dial("tcp", backends[(turn+i)%len(backends)])
		if err != nil {
			continue
		}
		defer backend.Close()
		var both sync.WaitGroup
		for _, way := range [][2]net.Conn{{client, backend}, {backend, client}} {
			both.Go(func() {
				_, _ = io.Copy(way[1], way[0]) // whatever ends it
				_ = way[1].(*net.TCPConn).CloseWrite()
			})
		}
		both.Wait()
		return
	}
}

// guest is a client of an SRS.
type guest struct{ secret, stream, id, param string }

// hook is SRS calling one process, which can tell, and reports whether it is told
// yes.
func (s *server) hook(t *testing.T, action string, g guest) bool {
	t.Helper()
	told := s.tells(t, action, g)
	if told == unavailable {
		t.Fatalf("%s: nobody can tell", action)
	}
	return told == yes
}

// tells is SRS calling one process.
func (s *server) tells(t *testing.T, action string, g guest) answer {
	t.Helper()
	body, err := json.Marshal(map[string]string{"server_id": "vid-troupe", "action": action, "client_id": g.id, "ip": "192.0.2.17",
		"vhost": "__defaultVhost__", "app": "live", "stream": g.stream, "tcUrl": "rtmp://127.0.0.1/live", "param": g.param, "stream_url": "/live/" + g.stream})
	if err != nil {
		t.Fatal(err)
	}
	address := s.url + "/callback/" + action
	if g.secret != "" {
		address += "?secret=" + g.secret
	}
	resp, err := http.Post(address, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	switch {
	case err == nil && resp.StatusCode == http.StatusOK && string(text) == "0":
		return yes
	case err == nil && resp.StatusCode == http.StatusServiceUnavailable:
		return unavailable
	case err != nil || resp.StatusCode >= http.StatusInternalServerError:
		t.Fatalf("%s: %d %s, %v", action, resp.StatusCode, text, err)
	}
	return no
}

// query is what stands behind a URL.
func query(link string) string { return link[len(withoutQuery(link)):] }
