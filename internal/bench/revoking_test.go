package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestQuantilesAreOfTheSortedValues(t *testing.T) {
	t.Parallel()
	v := []float64{5, 1, 4, 2, 3}
	for q, want := range map[float64]float64{0: 1, 0.5: 3, 0.99: 5, 1: 5} {
		if got := quantile(v, q); got != want {
			t.Errorf("%v is %v, want %v", q, got, want)
		}
	}
	if v[0] != 5 {
		t.Error("the values were sorted in place")
	}
}

func TestAChildIsWaitedForAndKilled(t *testing.T) {
	t.Parallel()
	short, err := spawn(exec.Command("true"))
	if err != nil {
		t.Fatal(err)
	}
	if at, err := short.await(t.Context()); err != nil || at.IsZero() {
		t.Errorf("ended at %v, %v", at, err)
	}
	long, err := spawn(exec.Command("sleep", "600"))
	if err != nil {
		t.Fatal(err)
	}
	impatient, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := long.await(impatient); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	long.kill()
	if _, err := long.await(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := spawn(exec.Command("/nowhere/at/all")); err == nil || !strings.Contains(err.Error(), "make bench") {
		t.Errorf("got %v", err)
	}
}

func TestMediaServersHaveAddressesAndDirectoriesOfTheirOwn(t *testing.T) {
	t.Parallel()
	s := &suite{dir: t.TempDir()}
	servers, err := s.mediaServers()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, m := range servers {
		for _, own := range []string{m.short, m.kind, m.rtmp, m.web, m.dir} {
			if seen[own] {
				t.Errorf("%s comes twice", own)
			}
			seen[own] = true
		}
		args, stdin := m.node(m)
		if !strings.Contains(strings.Join(args, " "), "--control-url http://"+m.web) || (stdin == "") == strings.Contains(strings.Join(args, " "), "--password") {
			t.Errorf("%s is introduced with %v and %q", m.kind, args, stdin)
		}
		if info, err := os.Stat(m.dir); err != nil || !info.IsDir() {
			t.Errorf("%s: %v", m.dir, err)
		}
	}
}

func TestAPlayerRemembersItsLastByte(t *testing.T) {
	t.Parallel()
	var p pair
	if n, err := p.Write([]byte("abc")); n != 3 || err != nil || p.received.Load() == 0 {
		t.Errorf("got %d, %v, %d", n, err, p.received.Load())
	}
}

func TestWorstMediaServerIsTheRow(t *testing.T) {
	t.Parallel()
	var worst stopping
	for short, seconds := range map[string]float64{"a": 1.5, "b": 2.5, "c": 0.5} {
		worst.add(&mediaServer{short: short, kind: short}, []row{figure("revoke_stopped_p50_"+short, 9, "s"), figure("revoke_stopped_p99_"+short, seconds, "s")})
	}
	if r := worst.row(); r.Name != "revoke_stopped_p99" || r.Figure != 2.5 || *r.Reached || r.why != "" {
		t.Errorf("%+v", r)
	}
	none := stopping{why: errors.New("there is no nginx")}
	if r := none.row(); r.why != "there is no nginx" || *r.Reached {
		t.Errorf("%+v", r)
	}
}

func TestWhatAMediaServerNeedsIsLookedFor(t *testing.T) {
	t.Parallel()
	for _, needs := range [][]string{{"no-such-program"}, {"/no/such/file"}} {
		if err := (&mediaServer{needs: needs}).missing(); err == nil || !strings.Contains(err.Error(), "make bench") {
			t.Errorf("%v: %v", needs, err)
		}
	}
}
