package access

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// Ban forbids one stream to publishers and players for a while.
//
// One of Vhost and Domain says where. Both stand for streams whose vhost has the
// name. A Domain is also the host name that a client used, on any vhost; a Vhost
// is so on the default vhost only, since a server that has no other one cannot
// tell. A name that Stagedoor hands out in URLs stands for the default vhost,
// whatever name a client used: it cannot get around the ban by another one.
type Ban struct {
	Vhost, Domain, App, Stream string
	CreatedAt                  time.Time
	Until                      time.Time // the first instant at which it is over
	Active                     bool      // not over when it was listed
}

// The bounds of a ban. A caller whose clock is ahead may ask for a little more
// than the longest one, and gets that.
const (
	longestBan  = 90 * 24 * time.Hour
	clockMargin = 15 * time.Minute
	// bansKept is how long a ban that is over is still listed.
	bansKept = 7 * 24 * time.Hour
	// maxBansListed bounds one page.
	maxBansListed = 1000
)

// normalize brings names into the form in which they are stored and compared.
func (b *Ban) normalize() error {
	vhost, domain := b.Vhost, b.Domain
	b.Domain, b.Vhost = strings.ToLower(domain), banVhost(vhost) // text of any kind becomes UTF-8 here
	switch {
	case (b.Vhost == "") == (b.Domain == ""):
		return errs.InvalidField("vhost", "a ban has a vhost or a domain, and not both")
	case b.Vhost != "" && !validName(vhost, false):
		return errs.InvalidField("vhost", "not a name that a vhost can have")
	case b.Domain != "" && (!validName(domain, false) || hasPort(b.Domain)):
		return errs.InvalidField("domain", "a domain is a host name without port")
	case !validName(b.App, true):
		return errs.InvalidField("app", "not a name that an application can have")
	case !validName(b.Stream, false):
		return errs.InvalidField("stream", "not a name that a stream can have")
	}
	return nil
}

// banVhost ignores the case of a vhost, so that a ban cannot be missed for it.
func banVhost(vhost string) string {
	if strings.EqualFold(vhost, media.DefaultVhost) {
		return media.DefaultVhost
	}
	return strings.ToLower(vhost)
}

// Forbid bans a stream until b.Until, which is 90 days ahead at the most and
// when it is zero. A stream that is banned already is banned until then instead.
// Whoever runs it now is cut off in the background. Error: Invalid.
func (s *Service) Forbid(ctx context.Context, b Ban) error {
	if err := b.normalize(); err != nil {
		return err
	}
	now := s.Now()
	latest := now.Add(longestBan)
	switch {
	case b.Until.IsZero():
		b.Until = latest
	case !b.Until.After(now):
		return errs.InvalidField("until", "the end of a ban lies ahead")
	case b.Until.After(latest.Add(clockMargin)):
		return errs.InvalidField("until", "a ban ends at most 90 days ahead")
	case b.Until.After(latest):
		b.Until = latest
	}
	var row db.Ban
	err := pg.InTx(ctx, s.DB, func(tx pgx.Tx) (err error) {
		row, err = s.q.BanWrite(ctx, tx, db.BanWriteParams{Vhost: b.Vhost, Domain: b.Domain, App: b.App, Stream: b.Stream, Now: now, Until: b.Until})
		if err != nil {
			return err
		}
		return s.q.RevocationByBan(ctx, tx, db.RevocationByBanParams{App: b.App, Stream: b.Stream, Now: now})
	})
	if err != nil {
		return pg.Err(err, nil)
	}
	return pg.Err(s.applied(ctx, s.DB, bansTable, row.ID), nil)
}

// Resume ends the ban of a stream. Nothing happens where there is none, so that
// it can be repeated. Error: Invalid.
func (s *Service) Resume(ctx context.Context, vhost, domain, app, stream string) error {
	b := Ban{Vhost: vhost, Domain: domain, App: app, Stream: stream}
	if err := b.normalize(); err != nil {
		return err
	}
	id, err := s.q.BanDelete(ctx, s.DB, db.BanDeleteParams{Vhost: b.Vhost, Domain: b.Domain, App: b.App, Stream: b.Stream})
	if noRows(err) {
		return nil
	}
	if err != nil {
		return pg.Err(err, nil)
	}
	return pg.Err(s.applied(ctx, s.DB, bansTable, id), nil)
}

// BanFilter chooses bans. Empty fields choose any.
type BanFilter struct {
	Vhost, Domain, App, Stream string
	Fuzzy                      bool // Stream may stand anywhere in the name
	Descending                 bool // newest first
	Offset, Limit              int  // a Limit of 0 is 1000, which is also the most
}

// Bans lists one page of bans, oldest first, and how many there are in all.
// Those that are over are among them for a week.
func (s *Service) Bans(ctx context.Context, f BanFilter) (bans []Ban, total int64, err error) {
	if !storable(f.Vhost, f.Domain, f.App, f.Stream) {
		return []Ban{}, 0, nil
	}
	f.Vhost, f.Domain = banVhost(f.Vhost), strings.ToLower(f.Domain)
	if f.Limit <= 0 || f.Limit > maxBansListed {
		f.Limit = maxBansListed
	}
	total, err = s.q.BanCount(ctx, s.DB, db.BanCountParams{Vhost: f.Vhost, Domain: f.Domain, App: f.App, Stream: f.Stream, Fuzzy: f.Fuzzy})
	if err != nil {
		return nil, 0, pg.Err(err, nil)
	}
	rows, err := s.banRows(ctx, f)
	if err != nil {
		return nil, 0, pg.Err(err, nil)
	}
	now := s.Now()
	bans = make([]Ban, len(rows))
	for i, r := range rows {
		bans[i] = banFromRow(r, now)
	}
	return bans, total, nil
}

func banFromRow(r db.Ban, now time.Time) Ban {
	return Ban{Vhost: r.Vhost, Domain: r.Domain, App: r.App, Stream: r.Stream, CreatedAt: r.CreatedAt, Until: r.Until, Active: r.Until.After(now)}
}

// banPlace is that of a ban in the list of them.
type banPlace struct {
	at time.Time
	id int64
}

// banRows goes on where the page before it ended, if that was read lately.
func (s *Service) banRows(ctx context.Context, f BanFilter) (rows []db.Ban, err error) {
	now, offset, list := s.Now(), max(f.Offset, 0), fmt.Sprintf("%q %q %q %q %t %t", f.Vhost, f.Domain, f.App, f.Stream, f.Fuzzy, f.Descending)
	p := db.BanListParams{Vhost: f.Vhost, Domain: f.Domain, App: f.App, Stream: f.Stream, Fuzzy: f.Fuzzy,
		RowLimit: int32(f.Limit), RowOffset: int32(min(offset, 1<<31-1))}
	if at, known := s.banPlaces.Get(list, offset, now); known {
		p.AfterAt, p.AfterID, p.RowOffset = at.at, at.id, 0
	} else if f.Descending {
		p.AfterAt = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if f.Descending {
		rows, err = s.q.BanListNewest(ctx, s.DB, db.BanListNewestParams(p))
	} else {
		rows, err = s.q.BanList(ctx, s.DB, p)
	}
	if n := len(rows); n > 0 {
		s.banPlaces.Put(list, offset+n, banPlace{rows[n-1].CreatedAt, rows[n-1].ID}, now)
	}
	return rows, err
}

// PurgeBans forgets bans that were over long ago.
func (s *Service) PurgeBans(ctx context.Context) error {
	_, err := s.q.BanPurge(ctx, s.DB, s.Now().Add(-bansKept))
	return pg.Err(err, nil)
}

// Banned says whether a stream is forbidden now. Host is the name that a client
// used, as its media server reports it, or "".
func (s *Service) Banned(now time.Time, host string, st media.Stream) bool {
	v := s.view
	if !v.bans.any.Load() {
		return false
	}
	vhost := banVhost(st.Vhost)
	if vhost == "" {
		vhost = media.DefaultVhost
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	host = hostName(host)
	if v.bans.hit(now, vhost, st) || v.bans.hitDomain(now, host, st) {
		return true
	}
	return vhost == media.DefaultVhost && (v.bans.hit(now, host, st) || v.bans.hit(now, s.PublishHost, st) || v.bans.hit(now, s.PlayHost, st))
}

// bans are those in force, in memory. The view's lock guards them, except that
// any can be read without it: nearly always there is no ban at all.
type bans struct {
	any  atomic.Bool
	list map[banKey]activeBan
	byID map[int64]banKey
}

type activeBan struct {
	id    int64
	until time.Time
}

type banKey struct {
	app, stream, name string
	domain            bool // name is that of a domain, else of a vhost
}

func (b *bans) clear() {
	b.list, b.byID = map[banKey]activeBan{}, map[int64]banKey{}
	b.any.Store(false)
}

func (b *bans) replace(by *bans) {
	b.list, b.byID = by.list, by.byID
	b.any.Store(len(b.list) > 0)
}

func (b *bans) put(row db.Ban) {
	k := banKey{app: row.App, stream: row.Stream, name: row.Vhost}
	if row.Domain != "" {
		k.name, k.domain = row.Domain, true
	}
	b.list[k], b.byID[row.ID] = activeBan{row.ID, row.Until}, k
	b.any.Store(true)
}

// drop leaves a newer ban of the same stream alone.
func (b *bans) drop(id int64) {
	if k, ok := b.byID[id]; ok && b.list[k].id == id {
		delete(b.list, k)
	}
	delete(b.byID, id)
	b.any.Store(len(b.list) > 0)
}

// hit says whether a ban of a vhost or a domain of this name is in force.
func (b *bans) hit(now time.Time, name string, st media.Stream) bool {
	return now.Before(b.list[banKey{app: st.App, stream: st.Name, name: name}].until) || b.hitDomain(now, name, st)
}

func (b *bans) hitDomain(now time.Time, name string, st media.Stream) bool {
	return now.Before(b.list[banKey{app: st.App, stream: st.Name, name: name, domain: true}].until)
}
