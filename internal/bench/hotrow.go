package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
)

const (
	startPath = "/api/v1/live/start"
	pausePath = "/api/v1/live/pause"
)

// hotRow measures one room that all clients start and pause in turn, beside the
// same requests to a plain server on the same PostgreSQL.
func (s *suite) hotRow(ctx context.Context, st *stage) ([]row, error) {
	ours := hotLoad(st.server.addr, s.plan.conns, st.room, st.token)
	base := hotLoad(st.bare.addr, s.plan.conns, st.room, st.token)
	closed := func(l load) func() (float64, error) {
		return func() (float64, error) {
			rate, err := l.closedLoop(ctx, s.plan.hotRound)
			if err == nil {
				err = st.settled(ctx, l)
			}
			return rate, err
		}
	}
	a, b, err := s.alternate("room_hot_row", s.plan.hotRounds, closed(ours), closed(base))
	if err != nil {
		return nil, err
	}
	return []row{figure("room_hot_row", a, "1/s").beside(b, "a transaction per request: read, update, commit").aim(ratioAtLeast(5))}, nil
}

// settled looks whether the last word on the room is on record: the loops have
// ended, so each of two more requests must be.
func (st *stage) settled(ctx context.Context, l load) error {
	c := &caller{load: l, shots: l.shots()}
	defer c.close()
	for want := range 2 {
		want = 1 - want // clients begin with a start
		if err := c.ask(ctx); err != nil {
			return err
		}
		n, err := st.count(ctx, "SELECT status FROM rooms WHERE id = $1", st.room)
		if err == nil && n != int64(want) {
			err = fmt.Errorf("the room has status %d on record, acknowledged was %d", n, want)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func hotLoad(addr string, clients int, room, token string) load {
	request := func(path string) []byte {
		body := `{"id":"` + room + `"}`
		return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n"+
			"Content-Type: application/json\r\n\r\n%s", path, addr, token, len(body), body)
	}
	requests := [2][]byte{request(pausePath), request(startPath)}
	return newLoad(addr, clients, func() shots { return &hotShots{requests: requests} })
}

// hotShots start and pause the room in turn.
type hotShots struct {
	requests [2][]byte // by the status that they ask for
	status   int       // that was asked for last
}

func (h *hotShots) next() []byte {
	h.status = 1 - h.status
	return h.requests[h.status]
}

// check wants the state that was asked for, whatever others have asked since.
func (h *hotShots) check(status int, body []byte) error {
	if status != http.StatusOK || !bytes.Contains(body, []byte(`"status":`+strconv.Itoa(h.status))) {
		return fmt.Errorf("the room did not get status %d: %d %.300q", h.status, status, body)
	}
	return nil
}
