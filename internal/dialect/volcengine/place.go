package volcengine

import (
	"context"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/ledger"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// vhostMemory is how long a vhost counts as one of the media servers' own after
// its last stream.
const vhostMemory = 24 * time.Hour

// vhostOf is the vhost under which media servers file the streams of a name.
// Servers without a vhost of that name put them under the default one, so that
// is what a name stands for under which nobody has reported a stream lately. ""
// stays "", which means any.
func (s *Server) vhostOf(ctx context.Context, c *call, name string) (string, error) {
	if name == "" || name == media.DefaultVhost {
		return name, nil
	}
	_, running, err := s.Streams.Live(ctx, ledger.LiveFilter{Vhost: name})
	if err != nil || running > 0 {
		return name, err
	}
	_, ended, err := s.Streams.Closed(ctx, ledger.ClosedFilter{Vhost: name, From: c.now.Add(-vhostMemory)})
	if err != nil || ended > 0 {
		return name, err
	}
	return media.DefaultVhost, nil
}

// shown is how a stream's place is told: by the names of the request where it
// has any, since the one who asks thinks in them.
func (s *Server) shown(asked place, st media.Stream) place {
	own := st.Vhost
	if own == "" || own == media.DefaultVhost {
		own = media.HostOf(s.Links.PushDomain)
	}
	return place{vhost: or(asked.name(), or(st.Vhost, media.DefaultVhost)), domain: or(asked.name(), own)}
}
