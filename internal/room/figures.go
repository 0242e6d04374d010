package room

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/im"
	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/vod"
)

// Metrics are counted from the play sessions of a room's streams. Where the
// provider of its message groups counted more, that counts.
type Metrics struct {
	Likes  int64
	Online int64 // players connected now
	PV     int64 // play sessions so far
	UV     int64 // distinct players so far, by account or else by address
}

// Recording is a file of a room's stream that players can fetch.
type Recording struct {
	PlayURL   string
	Duration  time.Duration // zero when the media server did not say
	CreatedAt time.Time
}

// Detail is a room with everything that a caller gets to see of it.
type Detail struct {
	Room
	Metrics    Metrics
	Recordings []Recording  // newest first; only for rooms that have ended
	VOD        []vod.File   // the recording in the video-on-demand service, in its forms; only for rooms that have ended
	Mute       im.MuteState // of the caller
	Links      Links
}

// Describe adds figures, recordings and URLs to rooms, with one query for all of
// that, whatever their number and state. A provider that does not answer costs its
// figures and nothing else.
func (s *Service) Describe(ctx context.Context, caller string, rooms ...Room) ([]Detail, error) {
	known, err := s.onRecord(ctx, rooms)
	if err != nil {
		return nil, err
	}
	said := s.ask(ctx, caller, rooms)
	now := s.Now()
	out := make([]Detail, len(rooms))
	for i, r := range rooms {
		out[i] = Detail{Room: r, Metrics: known[i].metrics.atLeast(said[i].stats), Recordings: known[i].files, Mute: r.muteState(), Links: s.LinksFor(r, caller, now)}
		out[i].add(said[i])
	}
	return out, nil
}

// atLeast takes the larger of each figure.
func (m Metrics) atLeast(st im.Statistics) Metrics {
	return Metrics{Likes: max(m.Likes, st.Likes), Online: max(m.Online, st.Online), PV: max(m.PV, st.PV), UV: max(m.UV, st.UV)}
}

// add puts in what providers know better.
func (d *Detail) add(said remote) {
	if said.mute != nil {
		d.Mute = *said.mute
	}
	if d.VOD = said.vod.files; said.vod.id != "" {
		d.VODID = said.vod.id
	}
}

// Statistics returns the metrics of the room of a message group. Error:
// NotFound.
func (s *Service) Statistics(ctx context.Context, chatID string) (Metrics, error) {
	r, err := s.byChat(ctx, chatID)
	if err != nil {
		return Metrics{}, err
	}
	known, err := s.onRecord(ctx, []Room{r})
	if err != nil {
		return Metrics{}, err
	}
	return known[0].metrics.atLeast(s.counted(ctx, r)), nil
}

type streamKey struct{ app, name string }

// streamsOf lists the streams that make up a room: its own and, with
// co-streaming, the anchor's mixed one.
func (s *Service) streamsOf(r Room) []streamKey {
	keys := []streamKey{{r.App, r.ID}}
	if r.Mode == ModeLink {
		keys = append(keys, streamKey{linkApp, s.linkStream(r)})
	}
	return keys
}

// record is what we know of a room's streams ourselves.
type record struct {
	metrics Metrics
	files   []Recording // newest first; only of a room that has ended
}

// onRecord returns what is on record of rooms, with one query. Those who look at
// one room at the same time share it: a room that many look at costs no more.
func (s *Service) onRecord(ctx context.Context, rooms []Room) ([]record, error) {
	if len(rooms) != 1 {
		return s.read(ctx, rooms)
	}
	r := rooms[0]
	one, err := s.looks.ask(ctx, r.ID+" "+strconv.Itoa(int(r.Status)), r)
	one.metrics.Likes = r.Likes
	return []record{one}, err
}

// readOne answers all who look at one room.
func (s *Service) readOne(ctx context.Context, _ string, looks []Room) ([]record, error) {
	one, err := s.read(ctx, looks[:1])
	if err != nil {
		return nil, err
	}
	return slices.Repeat(one, len(looks)), nil
}

// maxRecordings bounds what is listed of one stream: its newest files.
const maxRecordings = 20

func (s *Service) read(ctx context.Context, rooms []Room) ([]record, error) {
	out := make([]record, len(rooms))
	index := map[streamKey]int{}
	p := db.StreamFiguresParams{RowLimit: maxRecordings}
	for i, r := range rooms {
		out[i].metrics.Likes = r.Likes
		for _, k := range s.streamsOf(r) {
			index[k] = i
			p.Apps, p.Streams = append(p.Apps, k.app), append(p.Streams, k.name)
			if r.Status == Off {
				p.RecordedApps, p.RecordedStreams = append(p.RecordedApps, k.app), append(p.RecordedStreams, k.name)
			}
		}
	}
	if len(rooms) == 0 {
		return out, nil
	}
	rows, err := s.q.StreamFigures(ctx, s.DB, p)
	if err != nil {
		return nil, pg.Err(err, nil)
	}
	for _, row := range rows {
		if i, ok := index[streamKey{row.App, row.Stream}]; ok {
			out[i].add(row, s.Nodes)
		}
	}
	return out, nil
}

func (r *record) add(row db.StreamFiguresRow, n nodes) {
	r.metrics.PV, r.metrics.UV, r.metrics.Online = r.metrics.PV+row.Pv, r.metrics.UV+row.Uv, r.metrics.Online+row.Online
	if row.Recording == 0 {
		return
	}
	if url := n.RecordURL(row.Node, row.File); url != "" { // else its node does not serve files
		r.files = append(r.files, Recording{PlayURL: url, Duration: time.Duration(row.Duration * float64(time.Second)), CreatedAt: row.StartedAt})
	}
}
