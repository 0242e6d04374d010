package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"
)

// lateMember admits until it hears of a revocation, some questions later.
func lateMember(t *testing.T, asked *players, revoked *atomic.Bool, late int64) *member {
	t.Helper()
	var since atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if revoked.Load() && since.Add(1) > late {
			w.WriteHeader(http.StatusForbidden)
		}
		_, _ = w.Write([]byte("0"))
	}))
	t.Cleanup(srv.Close)
	to, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = to.Close() })
	return &member{server: &server{addr: srv.Listener.Addr().String()}, conn: newConn(to), asked: asked}
}

func TestARevocationIsVisibleWhenTheLastProcessRefuses(t *testing.T) {
	t.Parallel()
	var asked players
	var revoked atomic.Bool
	c := &crowd{members: []*member{lateMember(t, &asked, &revoked, 0), lateMember(t, &asked, &revoked, 20), lateMember(t, &asked, &revoked, 5)}}
	obtain := func(context.Context, int) (revocable, error) {
		return revocable{"x", "abc", func(context.Context, *member) error { revoked.Store(true); return nil }}, nil
	}
	if took, err := c.measure(t.Context(), 0, obtain); err != nil || took <= 0 {
		t.Errorf("%v, %v", took, err)
	}
	// One who admits before each process, and what each asked until it refused.
	if n := asked.asked.Load(); n != 3+1+21+6 {
		t.Errorf("%d questions", n)
	}
}

func TestWhoIsNotAdmittedHasNothingToRevoke(t *testing.T) {
	t.Parallel()
	var revoked atomic.Bool
	revoked.Store(true)
	c := &crowd{members: []*member{lateMember(t, &players{}, &revoked, 0)}}
	_, err := c.measure(t.Context(), 0, func(context.Context, int) (revocable, error) { return revocable{stream: "x", token: "abc"}, nil })
	if err == nil {
		t.Error("it was measured")
	}
}

func TestAProcessThatNeverRefusesIsNotWaitedForForever(t *testing.T) {
	t.Parallel()
	var revoked atomic.Bool
	m := lateMember(t, &players{}, &revoked, 0)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	<-ctx.Done()
	play := &url.URL{Scheme: "rtmp", Host: "live.example.com", Path: "/live/x"}
	if _, err := m.ask(ctx, play); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
