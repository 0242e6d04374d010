package room

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// PushReport is what the vendor's CDN tells of a stream that is pushed to it.
// Reports come late, twice and in any order.
type PushReport struct {
	Domain, App, Stream string
	Live                bool      // it is being published; otherwise it no longer is
	At                  time.Time // when that happened, in whole seconds of the CDN's clock
}

var errPushCallback = errs.New(errs.Forbidden, "callback_unauthenticated", "the callback is not authenticated")

// CheckPushSignature says whether a report comes from the CDN: timestamp is in
// unix seconds and signature is made for it, the push domain and the key. The
// report itself is not signed. Error: Forbidden, also while there is no key.
func (s *Service) CheckPushSignature(timestamp, signature string) error {
	if !urlsign.VerifyPushCallback(media.HostOf(s.Links.PushDomain), timestamp, signature, s.PushKey, s.Now()) {
		return errPushCallback
	}
	return nil
}

// ReportPush moves the room of a stream as a report says, unless something newer
// is known of that stream. Streams that are no room's, those of co-streaming
// members other than the anchor, and rooms that have ended change nothing.
// Errors: Forbidden for another domain, Invalid for a report from the future.
func (s *Service) ReportPush(ctx context.Context, r PushReport) error {
	if media.HostOf(r.Domain) != media.HostOf(s.Links.PushDomain) {
		return errPushCallback
	}
	now := s.Now()
	if r.At.Sub(now) > urlsign.PushCallbackWindow { // it would make every true report look old
		return errs.InvalidField("time", "time is in the future")
	}
	st := media.Stream{App: r.App, Name: r.Stream}
	if len(st.App) > maxStreamName || len(st.Name) > maxStreamName || validUTF8(st.App, st.Name) != nil {
		return nil
	}
	return pg.Err(pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		id, ended, err := s.Lock(ctx, tx, st)
		if err != nil || id == "" || ended {
			return err
		}
		return s.applyReport(ctx, tx, id, st, r, now)
	}), nil)
}

// maxStreamName is the longest name that a room's stream can have, co-streamed
// ones included, with room to spare.
const maxStreamName = 256

// applyReport works on a room that is locked, so reports of it follow one
// another.
func (s *Service) applyReport(ctx context.Context, tx pgx.Tx, id string, st media.Stream, r PushReport, now time.Time) error {
	fresh, err := s.q.PushReportNote(ctx, tx, db.PushReportNoteParams{RoomID: id, Stream: st.Name, ReportedAt: r.At.Unix(), Live: r.Live})
	if err != nil || fresh == 0 {
		return err
	}
	if r.Live {
		return s.WentLive(ctx, tx, id, now)
	}
	if live, err := s.q.SessionPublishing(ctx, tx, db.SessionPublishingParams{App: st.App, Stream: st.Name}); err != nil || live {
		return err
	}
	return s.LeftAir(ctx, tx, id, now)
}
