package webhook

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestEventsAreDeliveredAsTheyHappen(t *testing.T) {
	t.Parallel()
	b, r := setup(t, loopback), newReceiver(t)
	b.running(t)
	_, secret := b.endpoint(t, r.URL) // while it runs
	var want []string
	for range 20 {
		want = append(want, happen(t, b.pool, "room.started"))
	}
	eventually(t, "all arrive", func() bool { return len(r.messages()) >= len(want) })
	got := r.verified(t, secret)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

// One that never answers has no more than its own attempts wait.
func TestASlowEndpointDelaysNobody(t *testing.T) {
	t.Parallel()
	b, slow, quick := setup(t, loopback), newReceiver(t), newReceiver(t)
	b.Grace = 50 * time.Millisecond // the slow one's attempts wait until the end
	slow.answers(func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() })
	b.endpoint(t, slow.URL)
	b.endpoint(t, quick.URL)
	b.running(t)
	const n = 30
	for range n {
		happen(t, b.pool, "room.started")
	}
	eventually(t, "the quick one has all", func() bool { return len(quick.messages()) == n })
	if got := len(slow.messages()); got > perEndpoint {
		t.Errorf("%d attempts wait for the slow one", got)
	}
}

func TestTwoProcessesShareTheWork(t *testing.T) {
	t.Parallel()
	b, r := setup(t, loopback), newReceiver(t)
	shared := make(chan struct{}) // closed when there are more attempts at once than one process makes
	share := sync.OnceFunc(func() { close(shared) })
	r.answers(func(http.ResponseWriter, *http.Request) {
		if len(r.messages()) > perEndpoint {
			share()
		}
		<-shared
	})
	other, err := New(t.Context(), b.Config)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	by := map[string]int{}
	for name, s := range map[string]*Service{"one": b.Service, "other": other} {
		s.Observe = func(string, time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			by[name]++
		}
		run(t, s)
	}
	_, secret := b.endpoint(t, r.URL)
	const n = 100
	for range n {
		happen(t, b.pool, "room.started")
	}
	eventually(t, "all arrive", func() bool { return len(r.messages()) >= n })
	ids := r.verified(t, secret)
	slices.Sort(ids)
	if len(slices.Compact(ids)) != n || len(r.messages()) != n {
		t.Errorf("%d events in %d messages", len(slices.Compact(ids)), len(r.messages()))
	}
	eventually(t, "all is noted", func() bool { mu.Lock(); defer mu.Unlock(); return by["one"]+by["other"] == n })
	if by["one"] == 0 || by["other"] == 0 {
		t.Errorf("attempts: %v", by)
	}
}

// A stop waits for attempts under way for a while, and then gives them back: they
// do not count, and another process makes them.
func TestAStopGivesBackWhatDoesNotFinish(t *testing.T) {
	t.Parallel()
	b, r := setup(t, loopback), newReceiver(t)
	r.answers(func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() })
	b.Grace, b.Timeout = 50*time.Millisecond, time.Hour
	b.clients = newClients(loopback, time.Hour, nil)
	e, secret := b.endpoint(t, r.URL)
	stop := b.running(t)
	happen(t, b.pool, "room.started")
	eventually(t, "it is attempted", func() bool { return len(r.messages()) == 1 })
	stop()
	if d := b.list(t, e.ID)[0]; d.State != pending || len(d.Attempts) != 0 {
		t.Errorf("on record %+v", d)
	}
	if state := b.text(t, "SELECT state::text FROM river.river_job"); state == "running" {
		t.Error("the job counts as running")
	}
	r.says(http.StatusOK)
	if _, err := b.pool.Exec(t.Context(), "UPDATE river.river_job SET scheduled_at = now(), state = 'available'"); err != nil {
		t.Fatal(err)
	}
	b.running(t)
	eventually(t, "it arrives", func() bool { return b.list(t, e.ID)[0].State == delivered })
	if ids := r.verified(t, secret); len(ids) != 2 || ids[0] != ids[1] {
		t.Errorf("got %v", ids)
	}
}

func TestADisabledEndpointGetsWhatWaitedWhenItIsEnabled(t *testing.T) {
	t.Parallel()
	b, r := setup(t, loopback), newReceiver(t)
	e, _ := b.endpoint(t, r.URL)
	happen(t, b.pool, "room.started")
	b.dispatched(t)
	no, yes := false, true
	if _, err := b.Update(t.Context(), e.ID, Changes{Enabled: &no}); err != nil {
		t.Fatal(err)
	}
	happen(t, b.pool, "room.stopped") // is not for it
	b.running(t)
	if _, err := b.Update(t.Context(), e.ID, Changes{Enabled: &yes}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what waited arrives", func() bool { return len(r.messages()) == 1 })
	if list := b.list(t, e.ID); len(list) != 1 {
		t.Errorf("on record %+v", list)
	}
}

// Nothing runs where there is no endpoint, and it starts with the first.
func TestWithoutEndpointsThereIsNoQueue(t *testing.T) {
	t.Parallel()
	b := setup(t, loopback)
	if err := b.Reload(t.Context(), b.pool); err != nil {
		t.Fatal(err)
	}
	q := &queue{s: b.Service}
	for _, step := range []struct {
		ids []string
		run bool
	}{{nil, false}, {[]string{"wh_a", "wh_b"}, true}, {[]string{"wh_b", "wh_c"}, true}, {nil, false}, {[]string{"wh_a"}, true}} {
		if err := q.serve(t.Context(), step.ids); err != nil {
			t.Fatal(err)
		}
		if (q.client != nil) != step.run || len(q.serves) != len(step.ids) {
			t.Errorf("with %v it runs: %t, for %v", step.ids, q.client != nil, q.serves)
		}
	}
	q.stop(t.Context())
}

func TestAHeldEndpointIsLeftInPeaceAndServedAfterwards(t *testing.T) {
	t.Parallel()
	b := setup(t, loopback)
	e, _ := b.endpoint(t, "https://8.8.8.8/")
	until := b.now().Add(10 * time.Second)
	if _, err := b.pool.Exec(t.Context(), "UPDATE webhook_endpoints SET held_until = $1", until); err != nil {
		t.Fatal(err)
	}
	if err := b.Reload(context.Background(), b.pool); err != nil {
		t.Fatal(err)
	}
	if ids, next := b.served(b.now()); len(ids) != 0 || next != 10*time.Second {
		t.Errorf("served %v, for %v", ids, next)
	}
	if ids, _ := b.served(until); len(ids) != 1 || ids[0] != e.ID {
		t.Errorf("then served %v", ids)
	}
}

// Jobs of an endpoint that is gone, over which a process died, are taken away.
func TestJobsWithoutAnEndpointGo(t *testing.T) {
	t.Parallel()
	b := setup(t, loopback)
	e, _ := b.endpoint(t, "https://8.8.8.8/")
	happen(t, b.pool, "room.started")
	b.dispatched(t)
	for _, sql := range []string{"INSERT INTO river.river_queue (name, updated_at) SELECT id, now() FROM webhook_endpoints",
		"DELETE FROM webhook_endpoints"} {
		if _, err := b.pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := b.text(t, "SELECT count(*)::text FROM river.river_job WHERE queue = '"+e.ID+"'"); n != "0" {
		t.Errorf("%s jobs are left", n)
	}
}
