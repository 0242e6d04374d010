package room

import (
	"context"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/im"
	"github.com/stagedoor-live/stagedoor/internal/vod"
)

// counter is a provider that counts and watches.
type counter struct {
	*groups
	mu    sync.Mutex
	asked map[string]int
	stats im.Statistics
	mute  im.MuteState
	fail  func(ctx context.Context, id string) error
}

func (c *counter) ask(ctx context.Context, what, id string) error {
	c.mu.Lock()
	if c.asked == nil {
		c.asked = map[string]int{}
	}
	c.asked[what+" "+id]++
	fail := c.fail
	c.mu.Unlock()
	if fail != nil {
		return fail(ctx, id)
	}
	return nil
}

func (c *counter) times(what, id string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked[what+" "+id]
}

func (c *counter) Statistics(ctx context.Context, id string) (im.Statistics, error) {
	return c.stats, c.ask(ctx, "statistics", id)
}

func (c *counter) MuteState(ctx context.Context, id, user string) (im.MuteState, error) {
	return c.mute, c.ask(ctx, "mute of "+user, id)
}

// failing makes questions about some groups fail at once.
func failing(ids ...string) func(context.Context, string) error {
	return func(_ context.Context, id string) error {
		if slices.Contains(ids, id) {
			return errBroken
		}
		return nil
	}
}

func hang(ctx context.Context, _ string) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestProvidersCountWhatSessionsDoNot(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := &counter{groups: b.groups, stats: im.Statistics{Likes: 3, Online: 2, PV: 50}}
	b.Groups.New = c
	r := b.create(t)
	for _, address := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"} {
		b.session(t, session{stream: r.ID, address: address, ended: true})
	}
	if _, err := b.Like(t.Context(), r.ChatID, 9); err != nil {
		t.Fatal(err)
	}
	want := Metrics{Likes: 9, Online: 2, PV: 50, UV: 3}
	if got := b.describe(t, b.get(t, r.ID))[0].Metrics; got != want {
		t.Errorf("metrics %+v, want %+v", got, want)
	}
	if got, err := b.Statistics(t.Context(), r.ChatID); err != nil || got != want {
		t.Errorf("statistics %+v, error %v", got, err)
	}
}

func TestBothServicesCountTogether(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Groups.Old = &counter{groups: b.groups, stats: im.Statistics{Likes: 4, Online: 1, PV: 10, UV: 5}}
	b.Groups.New = &counter{groups: b.groups, stats: im.Statistics{Online: 2, PV: 20}}
	both, old := b.create(t, both), b.create(t, func(in *Input) { in.IMServers = []string{im.ServerOld} })
	d := b.describe(t, both, old)
	if d[0].Metrics != (Metrics{Likes: 4, Online: 3, PV: 30, UV: 5}) || d[1].Metrics != (Metrics{Likes: 4, Online: 1, PV: 10, UV: 5}) {
		t.Errorf("metrics %+v and %+v", d[0].Metrics, d[1].Metrics)
	}
}

func TestFiguresAreAskedForOnceInAWhile(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := &counter{groups: b.groups}
	b.Groups.New = c
	live, ended := b.create(t), b.inState(t, Off)
	for _, step := range []struct {
		wait        time.Duration
		live, ended int
	}{{0, 1, 1}, {figuresTTL - 1, 1, 1}, {1, 2, 1}, {endedTTL, 3, 2}} {
		b.clock.advance(step.wait)
		b.describe(t, live, ended)
		if got := []int{c.times("statistics", live.ID), c.times("statistics", ended.ID)}; got[0] != step.live || got[1] != step.ended {
			t.Errorf("after %v asked %v times, want %d and %d", step.wait, got, step.live, step.ended)
		}
	}
}

func TestAFailureCostsItsOwnFiguresOnly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := &counter{groups: b.groups, stats: im.Statistics{Online: 2, PV: 50}, mute: im.MuteState{Muted: true, ByUser: true}}
	b.Groups.New = c
	good, bad := b.create(t), b.create(t)
	c.fail = failing(bad.ID)
	for range 3 {
		d := b.describe(t, bad, good)
		if d[0].Metrics != (Metrics{}) || d[1].Metrics != (Metrics{Online: 2, PV: 50}) {
			t.Errorf("metrics %+v and %+v", d[0].Metrics, d[1].Metrics)
		}
	}
	if n := c.times("statistics", bad.ID); n != 1 {
		t.Errorf("the failing one was asked %d times", n)
	}
	if _, err := b.SetMuted(t.Context(), "alice", bad.ChatID, true); err != nil {
		t.Fatal(err)
	}
	if got := b.describe(t, b.get(t, bad.ID))[0].Mute; got != (im.MuteState{Muted: true, ByGroup: true}) {
		t.Errorf("without an answer the state is %+v", got)
	}
}

func TestALateAnswerCostsNoMoreThanAWhile(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := &counter{groups: b.groups, fail: hang}
	b.Groups.New = c
	var rooms []Room
	for range 3 * pageWorkers {
		rooms = append(rooms, b.create(t))
	}
	b.PageBudget = 50 * time.Millisecond
	began := time.Now()
	out := b.ask(t.Context(), "alice", rooms)
	if took := time.Since(began); took > remoteTimeout || len(out) != len(rooms) {
		t.Errorf("%d answers after %v", len(out), took)
	}
}

func TestAUserIsAskedAboutWhenOneRoomIsShown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	old := &counter{groups: b.groups, mute: im.MuteState{Muted: true, ByUser: true}}
	b.Groups = im.Families{Old: old, New: &counter{groups: b.groups, mute: im.MuteState{Muted: true, ByGroup: true}}}
	r, other := b.create(t, both), b.create(t)
	if d := b.describe(t, r, other); d[0].Mute != (im.MuteState{}) || old.times("mute of alice", r.ID) != 0 {
		t.Errorf("a list shows %+v", d[0].Mute)
	}
	if got := b.describe(t, r)[0].Mute; got != (im.MuteState{Muted: true, ByGroup: true, ByUser: true}) || old.times("mute of alice", r.ID) != 1 {
		t.Errorf("one room shows %+v", got)
	}
}

// shelf is a library of one recording for each title.
type shelf struct {
	mu      sync.Mutex
	ids     map[string]string
	files   map[string][]vod.File
	found   []string // titles
	fetched []string // ids
	fail    error
}

func (s *shelf) Find(_ context.Context, title string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found = append(s.found, title)
	return s.ids[title], s.fail
}

func (s *shelf) Files(_ context.Context, id string) ([]vod.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fetched = append(s.fetched, id)
	return s.files[id], s.fail
}

func (s *shelf) put(title, id string) []vod.File {
	s.mu.Lock()
	defer s.mu.Unlock()
	files := []vod.File{{PlayURL: "https://vod.example/" + id}}
	s.ids, s.files = map[string]string{title: id}, map[string][]vod.File{id: files}
	return files
}

func TestTheRecordingOfAnEndedRoomIsSearchedForOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	l := &shelf{}
	b.Library = l
	r := b.inState(t, Off)
	show := func(id string, files []vod.File) {
		t.Helper()
		d := b.describe(t, b.get(t, r.ID))[0]
		if d.VODID != id || !reflect.DeepEqual(d.VOD, files) {
			t.Errorf("shows %q %+v, want %q %+v", d.VODID, d.VOD, id, files)
		}
	}
	show("", nil)
	files := l.put(r.ID, "media-1")
	show("", nil) // not asked again so soon
	b.clock.advance(15 * time.Second)
	for range 3 {
		b.clock.advance(endedTTL)
		show("media-1", files)
	}
	if got := b.get(t, r.ID).VODID; got != "media-1" {
		t.Errorf("stored %q", got)
	}
	if !slices.Equal(l.found, []string{r.ID, r.ID}) || !slices.Equal(l.fetched, []string{"media-1", "media-1", "media-1"}) {
		t.Errorf("searched %q, fetched %q", l.found, l.fetched)
	}
	b.clock.advance(endedTTL)
	l.fail = errBroken
	show("media-1", nil) // what is on record stays
}

func TestOnlyEndedRoomsHaveARecording(t *testing.T) {
	t.Parallel()
	b := setup(t)
	l := &shelf{}
	b.Library = l
	for _, s := range []Status{Prepare, On} {
		r := b.inState(t, s)
		l.put(r.ID, "media-1")
		if d := b.describe(t, r)[0]; d.VOD != nil || len(l.found) != 0 {
			t.Errorf("status %d: %+v", s, d.VOD)
		}
	}
}

func TestTheRecordingOfACoStreamedRoomIsTheMixedOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	l := &shelf{}
	b.Library = l
	r := b.create(t, linked)
	if _, err := b.Stop(t.Context(), "alice", r.ID); err != nil {
		t.Fatal(err)
	}
	b.describe(t, b.get(t, r.ID))
	if want := []string{rtcAppID + "_" + r.MeetingID + "_alice_camera"}; !slices.Equal(l.found, want) {
		t.Errorf("searched %q, want %q", l.found, want)
	}
}

func TestPatienceGrowsWithTheAgeOfARoom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for age, want := range map[time.Duration]time.Duration{0: 15 * time.Second, 10 * time.Minute: time.Minute, 24 * time.Hour: 10 * time.Minute} {
		stopped := start.Add(-age)
		if got := b.patience(Room{StoppedAt: &stopped}); got != want {
			t.Errorf("after %v: %v, want %v", age, got, want)
		}
	}
}
