package room

import (
	"context"
	"slices"
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

// Describe adds figures, recordings and URLs to rooms, with one query for all
// of each, whatever their number. A provider that does not answer costs its
// figures and nothing else.
func (s *Service) Describe(ctx context.Context, caller string, rooms ...Room) ([]Detail, error) {
	metrics, err := s.metrics(ctx, rooms)
	if err != nil {
		return nil, err
	}
	files, err := s.recordings(ctx, rooms)
	if err != nil {
		return nil, err
	}
	said := s.ask(ctx, caller, rooms)
	now := s.Now()
	out := make([]Detail, len(rooms))
	for i, r := range rooms {
		out[i] = Detail{Room: r, Metrics: metrics[i].atLeast(said[i].stats), Recordings: files[r.ID], Mute: r.muteState(), Links: s.LinksFor(r, caller, now)}
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
	m, err := s.metrics(ctx, []Room{r})
	if err != nil {
		return Metrics{}, err
	}
	return m[0].atLeast(s.counted(ctx, r)), nil
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

// metrics returns what is on record of rooms, with one query. Those who look at
// one room at the same time share it: a room that many look at costs no more.
func (s *Service) metrics(ctx context.Context, rooms []Room) ([]Metrics, error) {
	if len(rooms) != 1 {
		return s.count(ctx, rooms)
	}
	m, err := s.looks.ask(ctx, rooms[0].ID, rooms[0])
	m.Likes = rooms[0].Likes
	return []Metrics{m}, err
}

// countOne answers all who look at one room.
func (s *Service) countOne(ctx context.Context, _ string, looks []Room) ([]Metrics, error) {
	m, err := s.count(ctx, looks[:1])
	if err != nil {
		return nil, err
	}
	return slices.Repeat(m, len(looks)), nil
}

func (s *Service) count(ctx context.Context, rooms []Room) ([]Metrics, error) {
	out := make([]Metrics, len(rooms))
	index := map[streamKey]int{}
	var p db.SessionCountsParams
	for i, r := range rooms {
		out[i].Likes = r.Likes
		for _, k := range s.streamsOf(r) {
			index[k] = i
			p.Apps, p.Streams = append(p.Apps, k.app), append(p.Streams, k.name)
		}
	}
	if len(rooms) == 0 {
		return out, nil
	}
	rows, err := s.q.SessionCounts(ctx, s.DB, p)
	if err != nil {
		return nil, pg.Err(err, nil)
	}
	for _, row := range rows {
		i, ok := index[streamKey{row.App, row.Stream}]
		if !ok {
			continue
		}
		out[i].PV, out[i].UV, out[i].Online = out[i].PV+row.Pv, out[i].UV+row.Uv, out[i].Online+row.Online
	}
	return out, nil
}

// maxRecordings bounds what is listed of one stream: its newest files.
const maxRecordings = 20

func (s *Service) recordings(ctx context.Context, rooms []Room) (map[string][]Recording, error) {
	out, roomOf := map[string][]Recording{}, map[streamKey]string{}
	var p db.RecordingsByStreamsParams
	for _, r := range rooms {
		if r.Status != Off {
			continue
		}
		for _, k := range s.streamsOf(r) {
			roomOf[k] = r.ID
			p.Apps, p.Streams = append(p.Apps, k.app), append(p.Streams, k.name)
		}
	}
	if len(roomOf) == 0 {
		return out, nil
	}
	p.RowLimit = maxRecordings
	rows, err := s.q.RecordingsByStreams(ctx, s.DB, p)
	if err != nil {
		return nil, pg.Err(err, nil)
	}
	for _, row := range rows {
		url := s.Nodes.RecordURL(row.Node, row.File)
		id, ok := roomOf[streamKey{row.App, row.Stream}]
		if !ok || url == "" { // a node that does not serve its files
			continue
		}
		out[id] = append(out[id], Recording{PlayURL: url, Duration: time.Duration(row.Duration * float64(time.Second)), CreatedAt: row.StartedAt})
	}
	return out, nil
}
