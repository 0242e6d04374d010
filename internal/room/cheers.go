package room

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/im"
	"github.com/stagedoor-live/stagedoor/internal/outage"
)

// likePause is how often a group is told about its likes: many arrive at once,
// and whoever likes does not wait for a provider.
const likePause = time.Second

// cheers collects the likes that providers have not heard of.
type cheers struct {
	mu    sync.Mutex
	rooms map[string]cheer // by message group
}

type cheer struct {
	anchor   string // in whose name the group is told
	likers   []im.Liker
	n, total int64
}

// cheer notes likes for the providers that want to know of them.
func (s *Service) cheer(chatID string, row db.RoomLikeRow, n int64) {
	var likers []im.Liker
	for _, server := range row.IMServers {
		if l, ok := s.Groups.Of(server).(im.Liker); ok {
			likers = append(likers, l)
		}
	}
	if len(likers) == 0 {
		return
	}
	s.cheers.mu.Lock()
	defer s.cheers.mu.Unlock()
	if s.cheers.rooms == nil {
		s.cheers.rooms = map[string]cheer{}
	}
	c := s.cheers.rooms[chatID]
	s.cheers.rooms[chatID] = cheer{anchor: row.AnchorID, likers: likers, n: c.n + n, total: max(c.total, row.LikeCount)}
}

var notCheered = outage.Words{Begins: "message group not told of likes", Ends: "message groups are told of likes again"}

// FlushLikes tells the groups about their new likes. What a provider does not
// take is not repeated: the next likes bring the next total.
func (s *Service) FlushLikes(ctx context.Context) {
	s.cheers.mu.Lock()
	rooms := s.cheers.rooms
	s.cheers.rooms = nil
	s.cheers.mu.Unlock()
	var workers errgroup.Group
	workers.SetLimit(pageWorkers)
	for chatID, c := range rooms {
		for _, l := range c.likers {
			workers.Go(func() error {
				s.outages.Note(ctx, notCheered, "", l.Like(ctx, chatID, c.anchor, c.n, c.total), "group", chatID)
				return nil
			})
		}
	}
	_ = workers.Wait() // none of them fails
}

// Run tells groups about likes, which nobody waits for, until the context ends.
func (s *Service) Run(ctx context.Context) {
	every(ctx, likePause, s.FlushLikes)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonTimeout)
	defer cancel()
	s.FlushLikes(ctx) // the last ones
}

func every(ctx context.Context, pause time.Duration, do func(context.Context)) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			do(ctx)
		}
	}
}
