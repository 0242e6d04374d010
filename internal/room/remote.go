package room

import (
	"cmp"
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/im"
	"github.com/stagedoor-live/stagedoor/internal/outage"
	"github.com/stagedoor-live/stagedoor/internal/vod"
)

// What providers know of rooms is asked for while somebody waits for a page, so
// the page is given up on after pageBudget and never fails: what is missing is
// zero. figuresTTL is how old figures may be, also the lack of them.
const (
	pageBudget    = 2500 * time.Millisecond
	remoteTimeout = 5 * time.Second // of one question, which may be two calls
	pageWorkers   = 16
	figuresTTL    = 3 * time.Second
	endedTTL      = time.Minute // of figures of a room that has ended
)

// library finds recordings that are kept elsewhere.
type library interface {
	Find(ctx context.Context, title string) (id string, err error)
	Files(ctx context.Context, id string) ([]vod.File, error)
}

// recorded is what the library has of a room.
type recorded struct {
	id    string
	files []vod.File
}

// remote is what providers said of one room.
type remote struct {
	stats im.Statistics
	mute  *im.MuteState // nil: not asked, or no answer
	vod   recorded
}

// page collects the answers about some rooms.
type page struct {
	mu      sync.Mutex
	answers []remote
	missing int
	first   error
}

func (p *page) put(err error, fill func([]remote)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		fill(p.answers)
		return
	}
	if p.missing++; p.first == nil {
		p.first = err
	}
}

// question is one thing to ask.
type question func(ctx context.Context, p *page)

// ask puts all questions about some rooms for a caller.
func (s *Service) ask(ctx context.Context, caller string, rooms []Room) []remote {
	var questions []question
	for i, r := range rooms {
		if r.gone { // and its groups with it
			continue
		}
		questions = append(questions, s.counterQuestions(i, r)...)
		questions = append(questions, s.libraryQuestions(i, r)...)
		if len(rooms) == 1 { // lists show what is on record
			questions = append(questions, s.muteQuestions(i, r, caller)...)
		}
	}
	return s.gather(ctx, len(rooms), questions)
}

var noFigures = outage.Words{Begins: "figures of rooms are missing", Ends: "figures of rooms are there again"}

// gather puts questions about n rooms at the same time. Rooms whose providers
// know nothing more than we do cost nothing.
func (s *Service) gather(ctx context.Context, n int, questions []question) []remote {
	p := page{answers: make([]remote, n)}
	if len(questions) == 0 {
		return p.answers
	}
	waiting, cancel := context.WithTimeout(ctx, cmp.Or(s.PageBudget, pageBudget))
	defer cancel()
	var workers errgroup.Group
	workers.SetLimit(pageWorkers)
	for _, q := range questions {
		workers.Go(func() error {
			q(waiting, &p)
			return nil
		})
	}
	_ = workers.Wait() // none of them fails
	s.outages.Note(ctx, noFigures, "", p.first, "missing", p.missing, "asked", len(questions))
	return p.answers
}

// counted returns a provider's figures of one room.
func (s *Service) counted(ctx context.Context, r Room) im.Statistics {
	return s.gather(ctx, 1, s.counterQuestions(0, r))[0].stats
}

func (s *Service) counterQuestions(i int, r Room) (out []question) {
	for _, server := range r.IMServers {
		if c, ok := s.Groups.Of(server).(im.Counter); ok {
			out = append(out, func(ctx context.Context, p *page) {
				st, err := s.statistics(ctx, server, c, r)
				p.put(err, func(a []remote) { a[i].stats = sum(a[i].stats, st) })
			})
		}
	}
	return out
}

func (s *Service) libraryQuestions(i int, r Room) []question {
	if r.Status != Off || s.Library == nil {
		return nil
	}
	return []question{func(ctx context.Context, p *page) {
		v, err := s.recorded(ctx, r)
		p.put(err, func(a []remote) { a[i].vod = v })
	}}
}

func (s *Service) muteQuestions(i int, r Room, caller string) (out []question) {
	for _, server := range r.IMServers {
		if w, ok := s.Groups.Of(server).(im.Watcher); ok {
			out = append(out, func(ctx context.Context, p *page) {
				m, err := w.MuteState(ctx, r.ChatID, caller)
				p.put(err, func(a []remote) { a[i].mute = either(a[i].mute, m) })
			})
		}
	}
	return out
}

// either is the state of a user of two groups.
func either(a *im.MuteState, b im.MuteState) *im.MuteState {
	if a == nil {
		return &b
	}
	return &im.MuteState{Muted: a.Muted || b.Muted, ByGroup: a.ByGroup || b.ByGroup, ByUser: a.ByUser || b.ByUser}
}

// sum adds the figures of two groups, which have different clients.
func sum(a, b im.Statistics) im.Statistics {
	return im.Statistics{Likes: a.Likes + b.Likes, Online: a.Online + b.Online, PV: a.PV + b.PV, UV: a.UV + b.UV}
}

func (s *Service) statistics(ctx context.Context, server string, c im.Counter, r Room) (im.Statistics, error) {
	ttl := figuresTTL
	if r.Status == Off {
		ttl = endedTTL
	}
	return s.figures.get(ctx, server+" "+r.ChatID, func(ctx context.Context) (im.Statistics, time.Duration, error) {
		st, err := c.Statistics(ctx, r.ChatID)
		if err != nil {
			return st, figuresTTL, err
		}
		return st, ttl, nil
	})
}

// recorded looks for the recording of a room that has ended. Once found, it is
// not searched for again.
func (s *Service) recorded(ctx context.Context, r Room) (recorded, error) {
	return s.recordedAt.get(ctx, r.ID, func(ctx context.Context) (recorded, time.Duration, error) {
		v, err := s.lookUp(ctx, r)
		switch {
		case err != nil:
			return v, figuresTTL, err
		case len(v.files) == 0:
			return v, s.patience(r), nil
		}
		return v, endedTTL, nil
	})
}

func (s *Service) lookUp(ctx context.Context, r Room) (v recorded, err error) {
	if v.id = r.VODID; v.id == "" {
		if v.id, err = s.Library.Find(ctx, s.recordedTitle(r)); v.id == "" || err != nil {
			return v, err
		}
		if err := s.q.RoomSetVOD(ctx, s.DB, db.RoomSetVODParams{ID: r.ID, VodID: v.id}); err != nil {
			return v, err
		}
	}
	v.files, err = s.Library.Files(ctx, v.id)
	return v, err
}

// recordedTitle is how the live service names a recording: after the stream.
func (s *Service) recordedTitle(r Room) string {
	if r.Mode == ModeLink {
		return s.linkStream(r)
	}
	return r.ID
}

// patience is how long to wait before looking for a recording again: it comes
// within minutes of the end or, most likely, never.
func (s *Service) patience(r Room) time.Duration {
	var age time.Duration
	if r.StoppedAt != nil {
		age = s.Now().Sub(*r.StoppedAt)
	}
	return min(max(age/10, 15*time.Second), 10*time.Minute)
}
