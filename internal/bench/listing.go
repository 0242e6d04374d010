package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"
)

// listPage is how many rooms a page holds.
const listPage = 20

// listing measures pages of rooms with signed URLs: the first one in a small and
// in a large world, and, walking through the large one in order, the last ones
// beside the first one.
func (s *suite) listing(ctx context.Context, small, large *world) ([]row, error) {
	a, b, err := s.alternate("list_page", s.plan.listRounds, s.firstPage(ctx, large), s.firstPage(ctx, small))
	if err != nil {
		return nil, err
	}
	page := figure("list_page", a, "ms").beside(b, fmt.Sprintf("%d rooms instead of %d", small.n, large.n))
	walk, err := s.walk(ctx, large)
	if err != nil {
		return nil, err
	}
	worst := page
	if *walk[0].Ratio > *page.Ratio {
		worst = walk[0]
	}
	worst.Name = "list_flat"
	return append([]row{worst.aim(ratioAtMost(1.2)), page}, walk...), nil
}

// firstPage returns the milliseconds that it takes.
func (s *suite) firstPage(ctx context.Context, w *world) func() (float64, error) {
	l := newLoad(w.server.addr, s.plan.listClients, func() shots { return newPages(w, 1, 0) })
	return func() (float64, error) {
		rate, err := l.closedLoop(ctx, s.plan.listRound)
		return 1000 * float64(s.plan.listClients) / rate, err
	}
}

// walk reads pages in order over one connection, from the first on for as long as
// the plan says, and from one far behind to the last. These are measured beside the
// first one, which is asked for over another connection.
func (s *suite) walk(ctx context.Context, w *world) ([]row, error) {
	end := w.n / listPage
	deep := newPages(w, 1, 1)
	l := newLoad(w.server.addr, 1, nil)
	walker, other := &caller{load: l, shots: deep}, &caller{load: l, shots: newPages(w, 1, 0)}
	defer walker.close()
	defer other.close()
	for began := time.Now(); deep.page < end-s.plan.lastPages && time.Since(began) < s.plan.walk; {
		if err := walker.ask(ctx); err != nil {
			return nil, err
		}
	}
	walked := deep.page - 1
	deep.page = max(end-s.plan.lastPages, deep.page)
	jump, err := walker.timed(ctx)
	if err != nil {
		return nil, err
	}
	s.say("%-20s %d of %d pages, then page %d in %s ms", "list_walk", walked, end, deep.asked, number(jump))
	var last, first []float64
	for began := time.Now(); deep.page <= end && time.Since(began) < s.plan.walk; {
		for side, took := range map[*caller]*[]float64{walker: &last, other: &first} {
			ms, err := side.timed(ctx)
			if err != nil {
				return nil, err
			}
			*took = append(*took, ms)
		}
	}
	s.say("%-20s p50 %s, p99 %s ms; page 1 p50 %s, p99 %s ms", "list_walk", number(median(last)), number(quantile(last, 0.99)),
		number(median(first)), number(quantile(first, 0.99)))
	return []row{
		figure("list_walk", median(last), "ms").beside(median(first), fmt.Sprintf("page 1 instead of %d to %d in order", end-len(last)+1, end)),
		figure("list_jump", jump, "ms").beside(median(first), fmt.Sprintf("page 1 instead of %d after %d", end-s.plan.lastPages, walked)),
	}, nil
}

// timed asks and returns the milliseconds that it took.
func (c *caller) timed(ctx context.Context) (float64, error) {
	began := time.Now()
	err := c.ask(ctx)
	return time.Since(began).Seconds() * 1000, err
}

// pages ask for one page after the other.
type pages struct {
	w      *world
	page   int // of the next request
	step   int
	asked  int
	buffer []byte
}

func newPages(w *world, page, step int) *pages { return &pages{w: w, page: page, step: step} }

func (p *pages) next() []byte {
	p.asked = p.page
	p.page += p.step
	body := fmt.Sprintf(`{"user_id":%q,"page_num":%d,"page_size":%d,"im_server":["aliyun_new"]}`, adminName, p.asked, listPage)
	p.buffer = fmt.Appendf(p.buffer[:0], "POST /api/v1/live/list HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n"+
		"Content-Type: application/json\r\n\r\n%s", p.w.server.addr, p.w.token, len(body), body)
	return p.buffer
}

// check wants exactly the rooms of this page: as many as there should be, from
// the first to the last one.
func (p *pages) check(status int, body []byte) error {
	newest := (p.asked-1)*listPage + 1
	rooms := bytes.Count(body, []byte(`"pull_url_info"`))
	if status != http.StatusOK || rooms != listPage || !bytes.Contains(body, []byte(roomID(newest))) || !bytes.Contains(body, []byte(roomID(newest+listPage-1))) {
		return fmt.Errorf("page %d is not that of rooms %d on: %d, %d rooms, %.200q", p.asked, newest, status, rooms, body)
	}
	return nil
}
