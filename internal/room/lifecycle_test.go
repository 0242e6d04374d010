package room

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

// The table of the room's life: what each event makes of each state.
func TestEveryEventInEveryState(t *testing.T) {
	t.Parallel()
	const noop = "unchanged"
	for _, c := range []struct {
		from  Status
		event string
		to    Status
		note  string // noop, a reason of refusal, or nothing for a change
	}{
		{Prepare, "start", On, ""}, {Prepare, "publish", On, ""}, {Prepare, "pause", Prepare, noop}, {Prepare, "publish_done", Prepare, noop}, {Prepare, "stop", Off, ""},
		{On, "start", On, noop}, {On, "publish", On, noop}, {On, "pause", Prepare, ""}, {On, "publish_done", Prepare, ""}, {On, "stop", Off, ""},
		{Off, "start", Off, "room_ended"}, {Off, "publish", Off, noop}, {Off, "pause", Off, "room_ended"}, {Off, "publish_done", Off, noop}, {Off, "stop", Off, noop},
	} {
		t.Run(fmt.Sprintf("%s in %d", c.event, c.from), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			before := b.inState(t, c.from)
			b.clock.advance(time.Minute)
			var err error
			switch c.event {
			case "start":
				_, err = b.Start(t.Context(), "alice", before.ID)
			case "pause":
				_, err = b.Pause(t.Context(), "alice", before.ID)
			case "stop":
				_, err = b.Stop(t.Context(), "alice", before.ID)
			case "publish":
				if ended := b.published(t, before.own()); ended != (c.from == Off) {
					t.Errorf("told that it has ended: %v", ended)
				}
			case "publish_done":
				b.unpublished(t, before.own())
			}
			after := b.get(t, before.ID)
			if after.Status != c.to {
				t.Errorf("now in %d, want %d", after.Status, c.to)
			}
			switch c.note {
			case noop:
				if err != nil || !reflect.DeepEqual(after, before) {
					t.Errorf("error %v, changed from\n%+v to\n%+v", err, before, after)
				}
			case "":
				if err != nil || !after.UpdatedAt.Equal(b.clock.now()) {
					t.Errorf("error %v, updated %s", err, after.UpdatedAt)
				}
			default:
				wantErr(t, err, errs.Conflict, c.note)
			}
		})
	}
}

// inState returns a room of alice in this state.
func (b *bundle) inState(t testing.TB, st Status) Room {
	t.Helper()
	r := b.create(t)
	var err error
	if st >= On {
		_, err = b.Start(t.Context(), "alice", r.ID)
	}
	if st == Off && err == nil {
		_, err = b.Stop(t.Context(), "alice", r.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.get(t, r.ID)
}

func TestStartedAndStoppedAreTheFirstTimes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t)
	if r.StartedAt != nil || r.StoppedAt != nil {
		t.Errorf("a new room has started %v and stopped %v", r.StartedAt, r.StoppedAt)
	}
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	for minute, do := range []func() (Room, error){
		func() (Room, error) { return b.Pause(t.Context(), "alice", r.ID) },
		func() (Room, error) { return b.Start(t.Context(), "alice", r.ID) }, // minute 1
		func() (Room, error) { return b.Pause(t.Context(), "alice", r.ID) },
		func() (Room, error) { b.published(t, r.own()); return b.Get(t.Context(), r.ID) },
		func() (Room, error) { return b.Stop(t.Context(), "alice", r.ID) }, // minute 4
		func() (Room, error) { return b.Stop(t.Context(), "alice", r.ID) },
	} {
		got, err := do()
		if err != nil {
			t.Fatal(err)
		}
		if minute >= 1 && (got.StartedAt == nil || !got.StartedAt.Equal(at(1))) {
			t.Errorf("minute %d: started %v", minute, got.StartedAt)
		}
		if minute >= 4 && (got.StoppedAt == nil || !got.StoppedAt.Equal(at(4))) {
			t.Errorf("minute %d: stopped %v", minute, got.StoppedAt)
		}
		b.clock.advance(time.Minute)
	}
}

func TestRoomThatNeverStartedCanStop(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r, err := b.Stop(t.Context(), "alice", b.create(t).ID)
	if err != nil || r.StartedAt != nil || r.StoppedAt == nil {
		t.Errorf("%+v, error %v", r, err)
	}
}

func TestOnlyTheAnchorChangesARoom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t, linked)
	for name, do := range map[string]func(caller, id string) error{
		"start":  func(caller, id string) error { _, err := b.Start(t.Context(), caller, id); return err },
		"pause":  func(caller, id string) error { _, err := b.Pause(t.Context(), caller, id); return err },
		"stop":   func(caller, id string) error { _, err := b.Stop(t.Context(), caller, id); return err },
		"delete": func(caller, id string) error { _, err := b.Delete(t.Context(), caller, id); return err },
		"update": func(caller, id string) error {
			_, err := b.Update(t.Context(), caller, id, Changes{Title: "x"})
			return err
		},
		"set meeting": func(caller, id string) error { _, err := b.SetMeeting(t.Context(), caller, id, nil); return err },
	} {
		t.Run(name, func(t *testing.T) {
			for _, caller := range []string{"bob", "", "Alice", "alice ", "admin"} {
				wantErr(t, do(caller, r.ID), errs.Forbidden, "not_owner")
			}
			for _, caller := range []string{"alice", "bob"} { // who asks makes no difference
				wantErr(t, do(caller, "nobody"), errs.NotFound, "room_not_found")
			}
		})
	}
	if got := b.get(t, r.ID); !reflect.DeepEqual(got, r) || len(b.signer.closed) != 0 || len(b.groups.deleted) != 0 {
		t.Errorf("changed to %+v, closed %v, groups deleted %v", got, b.signer.closed, b.groups.deleted)
	}
}

func TestEndOfARoomReachesTheDecisionAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stopped, deleted, paused := b.create(t), b.create(t), b.create(t)
	if _, err := b.Stop(t.Context(), "alice", stopped.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Delete(t.Context(), "alice", deleted.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Pause(t.Context(), "alice", paused.ID); err != nil {
		t.Fatal(err)
	}
	if want := []string{stopped.ID, deleted.ID}; !slices.Equal(b.signer.closed, want) {
		t.Errorf("closed %v, want %v", b.signer.closed, want)
	}
}

func TestDeleteRemovesRoomAndGroupInEveryState(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, st := range []Status{Prepare, On, Off} {
		r := b.inState(t, st)
		got, err := b.Delete(t.Context(), "alice", r.ID)
		if err != nil || got.ID != r.ID || got.Status != Off || got.StoppedAt == nil {
			t.Errorf("in %d: %+v, error %v", st, got, err)
		}
		if st == Off && !got.StoppedAt.Equal(*r.StoppedAt) {
			t.Errorf("it stopped at %s and not at its deletion", r.StoppedAt)
		}
		if slices.Contains(b.groups.left(), r.ID) {
			t.Errorf("in %d: the group is left", st)
		}
		_, err = b.Get(t.Context(), r.ID)
		wantErr(t, err, errs.NotFound, "room_not_found")
		_, err = b.Delete(t.Context(), "alice", r.ID)
		wantErr(t, err, errs.NotFound, "room_not_found")
		_, err = b.Statistics(t.Context(), r.ChatID)
		wantErr(t, err, errs.NotFound, "room_not_found")
		_, err = b.Like(t.Context(), r.ChatID, 1)
		wantErr(t, err, errs.NotFound, "room_not_found")
		if !b.published(t, r.own()) {
			t.Errorf("in %d: the deleted room takes a publisher", st)
		}
	}
}

func TestDeleteSucceedsWithoutTheMessageService(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.groups.onDelete = func(context.Context) error { return errBroken }
	r := b.create(t)
	if _, err := b.Delete(t.Context(), "alice", r.ID); err != nil {
		t.Error(err)
	}
	_, err := b.Get(t.Context(), r.ID)
	wantErr(t, err, errs.NotFound, "room_not_found")
}

func TestConcurrentDeletesHaveOneWinner(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t)
	won := make(chan bool, 8)
	var wg sync.WaitGroup
	for range cap(won) {
		wg.Go(func() {
			_, err := b.Delete(t.Context(), "alice", r.ID)
			if err != nil {
				wantErr(t, err, errs.NotFound, "room_not_found")
				return
			}
			won <- true
		})
	}
	wg.Wait()
	if len(won) != 1 || len(b.groups.deleted) != 1 {
		t.Errorf("%d deleted it, the group was removed %d times", len(won), len(b.groups.deleted))
	}
}

func TestUpdateChangesOnlyWhatIsGiven(t *testing.T) {
	t.Parallel()
	b := setup(t)
	full := func(in *Input) { in.Title, in.Notice, in.Extends = "title", "notice", "extends" }
	for name, c := range map[string]struct {
		changes                Changes
		title, notice, extends string
	}{
		"nothing": {Changes{}, "title", "notice", "extends"},
		"title":   {Changes{Title: "new"}, "new", "notice", "extends"},
		"notice":  {Changes{Notice: "new"}, "title", "new", "extends"},
		"extends": {Changes{Extends: " {} "}, "title", "notice", " {} "},
		"all":     {Changes{"a", "b", "c"}, "a", "b", "c"},
	} {
		r := b.create(t, full)
		b.clock.advance(time.Minute)
		got, err := b.Update(t.Context(), "alice", r.ID, c.changes)
		if err != nil || got.Title != c.title || got.Notice != c.notice || got.Extends != c.extends || !got.UpdatedAt.Equal(b.clock.now()) || got.Status != Prepare {
			t.Errorf("%s: %+v, error %v", name, got, err)
		}
		if kept := b.get(t, r.ID); !reflect.DeepEqual(kept, got) {
			t.Errorf("%s: kept %+v", name, kept)
		}
	}
}

func TestUpdatesAreChecked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t)
	for reason, c := range map[string]Changes{
		"invalid_title": {Title: strings.Repeat("字", 64)}, "invalid_notice": {Notice: strings.Repeat("字", 257)},
		"invalid_extends": {Extends: strings.Repeat("字", 512)}, "invalid_text": {Extends: "\x00"},
	} {
		_, err := b.Update(t.Context(), "alice", r.ID, c)
		wantErr(t, err, errs.Invalid, reason)
	}
	_, err := b.Update(t.Context(), "alice", r.ID, Changes{Title: " \t"})
	wantErr(t, err, errs.Invalid, "invalid_title")
	if got := b.get(t, r.ID); !reflect.DeepEqual(got, r) {
		t.Errorf("changed to %+v", got)
	}
}

func TestEndedRoomMayStillBeDescribedAnew(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.inState(t, Off)
	got, err := b.Update(t.Context(), "alice", r.ID, Changes{Title: "recording of today"})
	if err != nil || got.Status != Off || got.Title != "recording of today" {
		t.Errorf("%+v, error %v", got, err)
	}
}

func TestDatabaseTroubleIsSaidToBeTemporary(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t, linked)
	b.pool.Close()
	ctx := t.Context()
	for name, do := range map[string]func() error{
		"get":        func() error { _, err := b.Get(ctx, r.ID); return err },
		"list":       func() error { _, err := b.List(ctx, 1, 1, nil); return err },
		"start":      func() error { _, err := b.Start(ctx, "alice", r.ID); return err },
		"like":       func() error { _, err := b.Like(ctx, r.ChatID, 1); return err },
		"statistics": func() error { _, err := b.Statistics(ctx, r.ChatID); return err },
		"describe":   func() error { _, err := b.Describe(ctx, "alice", r); return err },
		"members":    func() error { _, err := b.SetMeeting(ctx, "alice", r.ID, nil); return err },
		"owner":      func() error { _, err := b.StreamOwner(ctx, "live", "x"); return err },
	} {
		if err := do(); errs.KindOf(err) != errs.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
}
