package stagedoor

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/dialect/bearer"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/event"
)

// ListEvents returns one page of the log.
func (s *Server) ListEvents(ctx context.Context, req gen.ListEventsRequestObject) (gen.ListEventsResponseObject, error) {
	p := req.Params
	limit, _, err := page(p.Limit, "")
	if err != nil {
		return nil, err
	}
	order := gen.ListEventsParamsOrderNewest
	if p.Order != nil {
		order = *p.Order
	}
	if order != gen.ListEventsParamsOrderNewest && order != gen.ListEventsParamsOrderOldest {
		return nil, errs.InvalidField("order", "order is newest or oldest")
	}
	asked := event.Page{Filter: event.Filter{Types: p.Type, Subject: p.Subject}, OldestFirst: order == gen.ListEventsParamsOrderOldest,
		After: p.Cursor, Limit: limit}
	if p.Since != nil {
		asked.Since = *p.Since
	}
	if p.Until != nil {
		asked.Until = *p.Until
	}
	events, next, err := s.Events.List(ctx, asked)
	if err != nil {
		return nil, err
	}
	out := gen.ListEvents200JSONResponse{Events: make([]gen.Event, len(events)), NextCursor: next}
	for i, e := range events {
		out.Events[i] = gen.Event{Type: gen.EventType(e.Type), Timestamp: e.At, ID: e.ID, Subject: e.Subject, Sequence: e.Sequence, Number: e.Number, Data: e.Data}
	}
	return out, nil
}

const (
	// beat is how often a stream says that it is there, and looks whether its
	// client still may listen.
	beat = 15 * time.Second
	// writePatience is how long a client may take for a message.
	writePatience = 20 * time.Second
	// comeBack is after how long a client should connect again.
	comeBack = 2 * time.Second
)

var errLastEventID = errs.New(errs.Invalid, "invalid_last_event_id", "Last-Event-ID is the id of a message")

// opFollow takes as long as its client likes; see Register.
const opFollow = "GET /api/v1/events/live"

// FollowEvents streams events. What was missed for good is told in the stream,
// where clients of this kind can see it.
func (s *Server) FollowEvents(ctx context.Context, req gen.FollowEventsRequestObject) (gen.FollowEventsResponseObject, error) {
	after := int64(-1)
	if id := req.Params.LastEventID; id != "" {
		number, err := strconv.ParseUint(id, 10, 63)
		if err != nil {
			return nil, errLastEventID
		}
		after = int64(number)
	}
	f, err := s.Live.Follow(ctx, event.Filter{Types: req.Params.Type, Subject: req.Params.Subject}, after)
	if err != nil && !errors.Is(err, event.ErrGone) {
		return nil, err
	}
	return &eventStream{ctx: ctx, follower: f, gone: err, may: s.mayFollow(ctx), expires: bearer.Principal(ctx).ExpiresAt, beat: cmp.Or(s.Beat, beat)}, nil
}

// mayFollow says whether the token of a request still opens its stream.
func (s *Server) mayFollow(ctx context.Context) func() bool {
	token := bearer.Token(ctx)
	return func() bool {
		p, err := s.Accounts.Authenticate(ctx, token)
		return err == nil && p.Admin || errs.KindOf(err) == errs.Unavailable // who cannot be looked up is not refused
	}
}

// eventStream is the answer of FollowEvents.
type eventStream struct {
	ctx      context.Context
	follower *event.Follower
	gone     error // why there is none
	may      func() bool
	expires  time.Time
	beat     time.Duration

	w  http.ResponseWriter
	rc *http.ResponseController
}

var _ gen.FollowEventsResponseObject = (*eventStream)(nil)

// VisitFollowEventsResponse writes until the client leaves or may not stay. It
// never fails: the answer has begun.
func (s *eventStream) VisitFollowEventsResponse(w http.ResponseWriter) error {
	s.w, s.rc = w, http.NewResponseController(w)
	if s.follower != nil {
		defer s.follower.Close()
	}
	_ = s.rc.SetReadDeadline(time.Time{}) // it would end the request; where there is none, there is no need
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would collect messages
	w.WriteHeader(http.StatusOK)
	err := s.write("retry: " + strconv.FormatInt(comeBack.Milliseconds(), 10) + "\n\n")
	switch {
	case err != nil:
	case s.gone != nil:
		s.tell("reload", s.gone)
	default:
		if s.write("id: "+strconv.FormatInt(s.follower.After(), 10)+"\nevent: ready\ndata: {\"reason\":\"connected\"}\n\n") == nil {
			s.follow()
		}
	}
	return nil
}

var errUnauthorized = errs.New(errs.Unauthorized, "unauthorized", "the token has ended")

// follow writes events and heartbeats.
func (s *eventStream) follow() {
	for {
		e, err := s.next()
		switch {
		case err == nil:
			err = s.event(e)
		case s.ctx.Err() != nil: // the client has left
			return
		case errors.Is(err, event.ErrDraining):
			s.tell("end", err)
			return
		case errors.Is(err, event.ErrSlow), errors.Is(err, event.ErrTooMany):
			s.tell("reload", err)
			return
		case !s.may():
			s.tell("end", errUnauthorized)
			return
		default:
			err = s.write(":\n\n")
		}
		if err != nil {
			return
		}
	}
}

// next waits for an event, but not beyond the next heartbeat or the end of the
// token. A database that is away is waited for in silence.
func (s *eventStream) next() (event.Event, error) {
	until := time.Now().Add(s.beat)
	if !s.expires.IsZero() && s.expires.Before(until) {
		until = s.expires
	}
	ctx, cancel := context.WithDeadline(s.ctx, until)
	defer cancel()
	e, err := s.follower.Next(ctx)
	if errs.KindOf(err) == errs.Unavailable && !errors.Is(err, event.ErrDraining) {
		<-ctx.Done()
	}
	return e, err
}

func (s *eventStream) event(e event.Event) error {
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return s.write("id: " + strconv.FormatInt(e.Number, 10) + "\nevent: " + string(e.Type) + "\ndata: " + string(data) + "\n\n")
}

// tell ends the stream with a message about it. A client that does not hear it
// finds out when it comes again.
func (s *eventStream) tell(kind string, why error) {
	_ = s.write("event: " + kind + "\ndata: {\"reason\":\"" + errs.As(why).Reason + "\"}\n\n")
}

func (s *eventStream) write(text string) error {
	if err := s.rc.SetWriteDeadline(time.Now().Add(writePatience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.rc.Flush()
}
