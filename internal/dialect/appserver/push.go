package appserver

import (
	"context"
	"net/http"
	"time"

	api "github.com/stagedoor-live/stagedoor/gen/appserver"
	"github.com/stagedoor-live/stagedoor/internal/dialect/bearer"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

// HandlePushStreamEvent takes what the vendor's CDN reports of a pushed stream.
func (s *Server) HandlePushStreamEvent(ctx context.Context, req api.HandlePushStreamEventRequestObject) (api.HandlePushStreamEventResponseObject, error) {
	if err := s.reportPush(ctx, req.Params); err != nil {
		return nil, err
	}
	return api.HandlePushStreamEvent200JSONResponse{Code: http.StatusOK}, nil
}

// HandlePushStreamEventPost is the same for CDNs that are told to use POST.
func (s *Server) HandlePushStreamEventPost(ctx context.Context, req api.HandlePushStreamEventPostRequestObject) (api.HandlePushStreamEventPostResponseObject, error) {
	p := api.HandlePushStreamEventParams{Action: req.Params.Action, App: req.Params.App, Appname: req.Params.Appname, ID: req.Params.ID, Time: req.Params.Time}
	if err := s.reportPush(ctx, p); err != nil {
		return nil, err
	}
	return api.HandlePushStreamEventPost200JSONResponse{Code: http.StatusOK}, nil
}

// lastTime is the last second of the year 9999.
const lastTime = 253402300799

func (s *Server) reportPush(ctx context.Context, p api.HandlePushStreamEventParams) error {
	if !p.Action.Valid() {
		return errs.InvalidField("action", "action is publish or publish_done")
	}
	if p.Time < 0 || p.Time > lastTime {
		return errs.InvalidField("time", "time is seconds since 1970")
	}
	return s.Rooms.ReportPush(ctx, room.PushReport{Domain: p.App, App: p.Appname, Stream: p.ID,
		Live: p.Action == api.PushActionPublish, At: time.Unix(p.Time, 0)})
}

func isPushReport(ctx context.Context) bool { return ctx.Value(api.PushCallbackSignatureScopes) != nil }

// checkPushSignature refuses reports that the CDN did not sign.
func (s *Server) checkPushSignature(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.pushSignature(r); err != nil {
			s.writeError(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) pushSignature(r *http.Request) error {
	if !isPushReport(r.Context()) {
		return nil
	}
	return s.Rooms.CheckPushSignature(r.Header.Get("ALI-LIVE-TIMESTAMP"), r.Header.Get("ALI-LIVE-SIGNATURE"))
}

// writeParamError answers a parameter that does not parse. The generated code
// parses parameters before any middleware runs, but whoever is not the CDN is
// told that first.
func (s *Server) writeParamError(w http.ResponseWriter, r *http.Request, err error) {
	if refused := s.pushSignature(r); refused != nil {
		s.writeError(w, r, refused)
		return
	}
	bearer.ParamErrors(s.Accounts, api.BearerAuthScopes, s.writeBodyError)(w, r, err)
}

// wholeObject checks the bodies of all operations that read one.
func (s *Server) wholeObject(next http.Handler) http.Handler {
	checked := httpx.WholeObject(s.writeError)(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isPushReport(r.Context()) {
			next.ServeHTTP(w, r)
			return
		}
		checked.ServeHTTP(w, r)
	})
}
