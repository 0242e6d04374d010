package room

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/im"
)

// liker is a provider that tells groups about likes.
type liker struct {
	*groups
	mu    sync.Mutex
	heard []string // "id user +n =total"
	fail  error
}

func (l *liker) Like(_ context.Context, id, user string, n, total int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = append(l.heard, fmt.Sprintf("%s %s +%d =%d", id, user, n, total))
	return l.fail
}

func (l *liker) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(slices.Values(l.heard))
}

func TestProvidersHearOfLikesTogether(t *testing.T) {
	t.Parallel()
	b := setup(t)
	old, newer := &liker{groups: b.groups}, &liker{groups: b.groups, fail: errBroken}
	b.Groups = im.Families{Old: old, New: newer}
	r, other := b.create(t, both), b.create(t)
	for _, like := range []struct {
		id string
		n  int
	}{{r.ChatID, 3}, {other.ChatID, 5}, {r.ChatID, 4}} {
		if _, err := b.Like(t.Context(), like.id, like.n); err != nil {
			t.Fatal(err)
		}
	}
	if len(old.all()) != 0 {
		t.Error("somebody who likes waits for a provider")
	}
	b.FlushLikes(t.Context())
	b.FlushLikes(t.Context()) // nothing new, and failures are not repeated
	want := slices.Sorted(slices.Values([]string{r.ChatID + " alice +7 =7", other.ChatID + " alice +5 =5"}))
	if got := newer.all(); !slices.Equal(got, want) {
		t.Errorf("heard %q, want %q", got, want)
	}
	if got := old.all(); !slices.Equal(got, []string{r.ChatID + " alice +7 =7"}) {
		t.Errorf("the older service heard %q", got)
	}
	if _, err := b.Like(t.Context(), r.ChatID, 1); err != nil {
		t.Fatal(err)
	}
	b.FlushLikes(t.Context())
	if got := old.all(); len(got) != 2 || got[1] != r.ChatID+" alice +7 =7" || got[0] != r.ChatID+" alice +1 =8" {
		t.Errorf("the older service heard %q", got)
	}
}

func TestProvidersThatTellNobodyCostNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t, both)
	if _, err := b.Like(t.Context(), r.ChatID, 1); err != nil {
		t.Fatal(err)
	}
	if b.cheers.rooms != nil {
		t.Errorf("noted %v", b.cheers.rooms)
	}
}

func TestLikesAreToldEverySecondAndAtTheEnd(t *testing.T) {
	t.Parallel()
	log := dbtest.Log(t)
	synctest.Test(t, func(t *testing.T) {
		l := &liker{}
		s := New(Config{Now: time.Now, Log: log, Groups: im.Families{New: l}})
		row := db.RoomLikeRow{LikeCount: 10, AnchorID: "alice", IMServers: []string{im.ServerNew}}
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { s.Run(ctx) })
		s.cheer("group", row, 1)
		time.Sleep(likePause + 1)
		synctest.Wait()
		if got := l.all(); !slices.Equal(got, []string{"group alice +1 =10"}) {
			t.Errorf("after a second the provider has heard %q", got)
		}
		row.LikeCount = 12
		s.cheer("group", row, 2)
		stop()
		running.Wait()
		if got := l.all(); !slices.Equal(got, []string{"group alice +1 =10", "group alice +2 =12"}) {
			t.Errorf("at the end the provider has heard %q", got)
		}
	})
}
