package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// door lets in who has the password, and every tenth not even ask.
type door struct {
	mu      sync.Mutex
	asked   int
	sources map[string]int
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct{ Username, Password string }
	err := json.NewDecoder(r.Body).Decode(&in)
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	d.mu.Lock()
	d.asked++
	d.sources[host]++
	full := d.asked%10 == 0
	d.mu.Unlock()
	switch {
	case err != nil || r.URL.Path != "/login":
		w.WriteHeader(http.StatusBadRequest)
	case full:
		w.WriteHeader(http.StatusTooManyRequests)
	case in.Password != adminPassword || !strings.HasPrefix(in.Username, "flood"):
		w.WriteHeader(http.StatusUnauthorized)
	}
}

func TestEachLoginOfAFloodComesFromAnAddressOfItsOwn(t *testing.T) {
	t.Parallel()
	d := &door{sources: map[string]int{}}
	srv := httptest.NewServer(d)
	t.Cleanup(srv.Close)
	var met logins
	if _, err := floodLoad(srv.Listener.Addr().String(), 4, &met).openLoop(t.Context(), 3000, 100*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if met.asked.Load() != 300 || met.turnedAway.Load() != 30 || met.admitted.Load() < 80 || met.refused.Load() < 160 {
		t.Errorf("of %d: %s", met.asked.Load(), &met)
	}
	if len(d.sources) != 300 {
		t.Errorf("%d addresses", len(d.sources))
	}
}

func TestLoginWithAnotherAnswerThanItDeservesFailsTheRun(t *testing.T) {
	t.Parallel()
	var met logins
	l := &loginShots{logins: &met, addr: "127.0.0.1:8080"}
	for range 3 {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(l.next())))
		if err != nil || r.Method != http.MethodPost {
			t.Fatal(r, err)
		}
		for _, status := range []int{200, 401, 403, 500} {
			if err := l.check(status, nil); (err == nil) != (status == l.want) {
				t.Errorf("one that deserves %d and got %d: %v", l.want, status, err)
			}
		}
	}
	if met.admitted.Load() != 1 || met.refused.Load() != 2 {
		t.Error(&met)
	}
}
