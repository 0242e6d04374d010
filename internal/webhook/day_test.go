package webhook

import (
	"net/http"
	"slices"
	"testing"
	"time"
)

// later moves our clock, and the queue's jobs by as much, which keep the time of
// the database.
func (b *bench) later(t *testing.T, d time.Duration) {
	t.Helper()
	b.advance(d)
	if _, err := b.pool.Exec(t.Context(), `UPDATE river.river_job SET scheduled_at = scheduled_at - $1::interval,
		state = CASE WHEN scheduled_at - $1::interval <= now() THEN 'available' ELSE state END WHERE state IN ('available', 'scheduled', 'retryable')`, d); err != nil {
		t.Fatal(err)
	}
}

// attempted waits until all that is due was attempted, and the queue knows when to
// look again.
func (b *bench) attempted(t *testing.T, endpoint string, events int) {
	t.Helper()
	eventually(t, "all that is due is attempted", func() bool {
		list := b.list(t, endpoint)
		return len(list) == events && !slices.ContainsFunc(list, func(d Delivery) bool {
			return d.State == pending && (len(d.Attempts) == 0 || !d.NextAt.After(b.now()))
		}) && b.text(t, "SELECT count(*)::text FROM river.river_job WHERE state = 'running'") == "0"
	})
}

// The queue runs, and is started anew once; only the clock is moved. Whoever comes
// back after a day is told all, each event once, with what puts them in order.
func TestAReceiverThatIsDownForADayMissesNothing(t *testing.T) {
	t.Parallel()
	b, r := setup(t, loopback), newReceiver(t)
	r.answers(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }) // hangs up
	stop := b.running(t)
	e, _ := b.endpoint(t, r.URL)
	var want []string
	began := b.now()
	for i, wait := range []time.Duration{0, 6 * time.Second, 6 * time.Minute, 35 * time.Minute, 3 * time.Hour, 6 * time.Hour, 15 * time.Hour} {
		if i == 4 {
			stop()
			b.running(t)
		}
		b.later(t, wait)
		want = append(want, happen(t, b.pool, "room.started")) // which has the queue look at what is due
		b.attempted(t, e.ID, len(want))
	}
	first := b.list(t, e.ID)[len(want)-1]
	if on := b.get(t, e.ID); len(first.Attempts) != 7 || first.Attempts[6].At.Sub(began) < 24*time.Hour || first.Attempts[0].Error != ErrConnection ||
		on.Disabled != nil || on.FailingSince == nil || !on.FailingSince.Equal(began) {
		t.Fatalf("after a day: %+v, %+v", first, on)
	}

	down := len(r.messages())
	r.says(http.StatusNoContent)
	b.later(t, 16*time.Hour)
	want = append(want, happen(t, b.pool, "room.stopped"))
	eventually(t, "all arrive", func() bool { return len(r.messages()) == down+len(want) })
	type message struct {
		ID               string
		Number, Sequence int64
	}
	var got []message
	for _, m := range r.messages()[down:] {
		got = append(got, decode[message](t, m.body))
	}
	slices.SortFunc(got, func(a, b message) int { return int(a.Sequence - b.Sequence) })
	for i, m := range got {
		if m.ID != want[i] || m.Sequence != int64(i+1) || i > 0 && m.Number <= got[i-1].Number {
			t.Errorf("message %d in order is %+v, want %s", i, m, want[i])
		}
	}
	eventually(t, "it is known to be well", func() bool { return b.get(t, e.ID).FailingSince == nil })

	// One that says it is gone is told no more, until it is enabled; what it missed
	// can be had again.
	r.says(http.StatusGone)
	missed := []string{happen(t, b.pool, "room.started")}
	eventually(t, "it is disabled", func() bool { return b.get(t, e.ID).Reason == Gone })
	missed = append(missed, happen(t, b.pool, "room.stopped"))
	b.dispatched(t)
	yes, before := true, len(r.messages())
	if _, err := b.Update(t.Context(), e.ID, Changes{Enabled: &yes}); err != nil {
		t.Fatal(err)
	}
	r.says(http.StatusOK)
	if n, _, err := b.Replay(t.Context(), e.ID, Range{Since: time.Now().Add(-time.Hour), Until: time.Now().Add(time.Hour), MissingOnly: true}); n != len(missed) || err != nil {
		t.Fatal(n, err)
	}
	eventually(t, "what it missed arrives", func() bool { return len(r.messages()) == before+len(missed) })
	for _, m := range r.messages()[before:] {
		if !slices.Contains(missed, m.header.Get("Webhook-Id")) {
			t.Errorf("it gets %s", m.body)
		}
	}
}
