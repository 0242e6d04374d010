package room

import (
	"testing"
	"time"
)

// A lost report of an end must not leave a room on the air for ever.
func TestAReportThatNothingFollowsIsBelievedForALease(t *testing.T) {
	t.Parallel()
	b := setup(t)
	forgotten, fresh, ended := b.create(t), b.create(t), b.create(t)
	b.report(t, report{stream: forgotten.ID, live: true, at: -7200})
	b.report(t, report{stream: fresh.ID, live: true, at: -60})
	b.report(t, report{stream: ended.ID, live: true, at: -7200})
	b.report(t, report{stream: ended.ID, at: -3000})
	for range 2 {
		if err := b.ExpireReports(t.Context(), time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		room Room
		want Status
	}{"forgotten": {forgotten, Prepare}, "fresh": {fresh, On}, "ended": {ended, Prepare}} {
		if got := b.get(t, c.room.ID).Status; got != c.want {
			t.Errorf("%s: status %d, want %d", name, got, c.want)
		}
	}
	b.report(t, report{stream: forgotten.ID, live: true, at: -7200}) // the same again says nothing new
	if got := b.get(t, forgotten.ID).Status; got != Prepare {
		t.Errorf("status %d after a repetition", got)
	}
	b.report(t, report{stream: forgotten.ID, live: true, at: -30})
	if got := b.get(t, forgotten.ID).Status; got != On {
		t.Errorf("status %d after a new report", got)
	}
}
