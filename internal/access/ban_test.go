package access

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

func (b *bundle) forbid(t testing.TB, ban Ban) {
	t.Helper()
	if err := b.Forbid(t.Context(), ban); err != nil {
		t.Fatal(err)
	}
}

func (b *bundle) resume(t testing.TB, ban Ban) {
	t.Helper()
	if err := b.Resume(t.Context(), ban.Vhost, ban.Domain, ban.App, ban.Stream); err != nil {
		t.Fatal(err)
	}
}

func (b *bundle) bans(t testing.TB, f BanFilter) ([]Ban, int64) {
	t.Helper()
	bans, total, err := b.Bans(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return bans, total
}

// ofX is a ban of live/x where most media servers have it.
func ofX() Ban { return Ban{Vhost: media.DefaultVhost, App: "live", Stream: "x"} }

func TestABannedStreamIsRefusedWhateverTheCredential(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, scene := range []media.Scene{media.Publish, media.Play} {
		b.rule(t, NewRule{Scene: scene})
	}
	lt := b.token(t, b.account(t, "alice", 0), "x")
	signed := publish("x", b.SignQuery(media.Publish, "push.example", stream("x"), "/live/x", start.Add(time.Hour)))
	events := []media.Event{signed, play("x", b.signed(t)), publish("x", "token="+lt.Token), play("x", "token="+lt.PlayToken)}
	for _, e := range events {
		b.reason(t, e, media.Allowed)
	}
	b.forbid(t, ofX())
	for _, e := range append(events, publish("x", ""), play("x", "token=nonsense")) {
		b.reason(t, e, media.StreamForbidden)
		if d := b.Recheck(start, e); d.Allow || d.Reason != media.StreamForbidden {
			t.Errorf("a running session goes on: %+v", d)
		}
	}
	b.reason(t, play("y", b.SignQuery(media.Play, "", stream("y"), "/live/y", start.Add(time.Hour))), media.Allowed)
	b.RoomClosed("x")
	b.reason(t, signed, media.StreamForbidden) // before the state of the room
	b.resume(t, ofX())
	b.reason(t, signed, media.RoomEnded)
	b.reason(t, events[1], media.Allowed)
	b.Policy = OpenByDefault
	b.forbid(t, ofX())
	b.reason(t, play("x", ""), media.StreamForbidden)
}

func TestWhereABanApplies(t *testing.T) {
	t.Parallel()
	const other = "other.example"
	for name, c := range map[string]struct {
		ban         Ban
		vhost, host string
		want        bool
	}{
		"the default vhost":                    {Ban{Vhost: media.DefaultVhost}, media.DefaultVhost, "", true},
		"the default vhost in lower case":      {Ban{Vhost: "__defaultvhost__"}, media.DefaultVhost, "", true},
		"no vhost is the default one":          {Ban{Vhost: media.DefaultVhost}, "", "", true},
		"the default vhost of a client's host": {Ban{Vhost: media.DefaultVhost}, media.DefaultVhost, other, true},
		"the default vhost, not another":       {Ban{Vhost: media.DefaultVhost}, other, "", false},
		"a vhost":                              {Ban{Vhost: other}, other, "", true},
		"a vhost in another case":              {Ban{Vhost: "OTHER.example"}, "Other.Example", "", true},
		"a vhost, whatever the host":           {Ban{Vhost: other}, other, "third.example", true},
		"a vhost as host, of the default one":  {Ban{Vhost: other}, media.DefaultVhost, other, true},
		"a vhost, not as host of another":      {Ban{Vhost: other}, "third.example", other, false},
		"a vhost, not the default one":         {Ban{Vhost: other}, media.DefaultVhost, "third.example", false},
		"a vhost that we hand out to push":     {Ban{Vhost: "push.example"}, media.DefaultVhost, "", true},
		"a vhost that we hand out to pull":     {Ban{Vhost: "pull.example"}, media.DefaultVhost, "10.0.0.1", true},
		"one that we hand out, not another":    {Ban{Vhost: "push.example"}, other, "", false},
		"a domain as host":                     {Ban{Domain: other}, media.DefaultVhost, other, true},
		"a domain as host in another case":     {Ban{Domain: "Other.example"}, media.DefaultVhost, "OTHER.EXAMPLE", true},
		"a domain as vhost":                    {Ban{Domain: other}, other, "", true},
		"a domain as vhost, another host":      {Ban{Domain: other}, other, "third.example", true},
		"a domain as host of another vhost":    {Ban{Domain: other}, "third.example", other, true},
		"a domain, not the default vhost":      {Ban{Domain: other}, media.DefaultVhost, "", false},
		"a domain, not another host":           {Ban{Domain: other}, media.DefaultVhost, "third.example", false},
		"the push domain":                      {Ban{Domain: "push.example"}, media.DefaultVhost, "", true},
		"the push domain, by an address":       {Ban{Domain: "push.example"}, media.DefaultVhost, "192.0.2.1", true},
		"the push domain, by another name":     {Ban{Domain: "push.example"}, media.DefaultVhost, other, true},
		"the pull domain":                      {Ban{Domain: "pull.example"}, media.DefaultVhost, "", true},
		"the push domain, not another vhost":   {Ban{Domain: "push.example"}, other, "", false},
		"an address that is a host":            {Ban{Domain: "192.0.2.1"}, media.DefaultVhost, "192.0.2.1", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := pure(t)
			c.ban.App, c.ban.Stream = "live", "x"
			if err := c.ban.normalize(); err != nil {
				t.Fatal(err)
			}
			b.view.bans.put(db.Ban{ID: 1, Vhost: c.ban.Vhost, Domain: c.ban.Domain, App: "live", Stream: "x", Until: start.Add(time.Hour)})
			st := media.Stream{Vhost: c.vhost, App: "live", Name: "x"}
			if got := b.Banned(start, c.host, st); got != c.want {
				t.Errorf("banned %v, want %v", got, c.want)
			}
			for _, e := range []media.Event{publish("x", ""), play("x", "")} {
				e.Stream.Vhost, e.Host = c.vhost, c.host
				if got := b.ask(t, e).Reason == media.StreamForbidden; got != c.want {
					t.Errorf("%s: forbidden %v, want %v", e.Action, got, c.want)
				}
			}
			for _, other := range []media.Stream{{Vhost: c.vhost, App: "live", Name: "X"}, {Vhost: c.vhost, App: "vod", Name: "x"}, {Vhost: c.vhost, App: "live/x", Name: "x"}} {
				if b.Banned(start, c.host, other) {
					t.Errorf("%s is banned too", other)
				}
			}
			b.view.bans.drop(1)
			if b.Banned(start, c.host, st) {
				t.Error("banned still")
			}
		})
	}
}

func TestABanEndsWhenItSays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ban := ofX()
	ban.Until = start.Add(time.Minute)
	b.forbid(t, ban)
	b.clock.advance(time.Minute - time.Nanosecond)
	b.reason(t, play("x", ""), media.StreamForbidden)
	b.clock.advance(time.Nanosecond)
	b.reason(t, play("x", ""), media.NoCredential)
	if bans, total := b.bans(t, BanFilter{}); total != 1 || len(bans) != 1 || bans[0].Active || !bans[0].Until.Equal(ban.Until) {
		t.Errorf("listed %+v, %d", bans, total)
	}
	fresh := b.another(t)
	if err := fresh.Reload(t.Context(), fresh.pool); err != nil {
		t.Fatal(err)
	}
	fresh.clock.advance(time.Hour)
	fresh.reason(t, play("x", ""), media.NoCredential)
}

func TestABanLastsNinetyDaysAtMost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, c := range map[string]struct{ until, want time.Time }{
		"no end":              {time.Time{}, start.Add(longestBan)},
		"an hour":             {start.Add(time.Hour), start.Add(time.Hour)},
		"the longest":         {start.Add(longestBan), start.Add(longestBan)},
		"a clock that's fast": {start.Add(longestBan + 15*time.Minute), start.Add(longestBan)},
	} {
		ban := ofX()
		ban.Until = c.until
		b.forbid(t, ban)
		if bans, _ := b.bans(t, BanFilter{}); len(bans) != 1 || !bans[0].Until.Equal(c.want) || !bans[0].Active || !bans[0].CreatedAt.Equal(start) {
			t.Errorf("%s: %+v", name, bans)
		}
	}
	for _, until := range []time.Time{start, start.Add(-time.Hour), start.Add(longestBan + 16*time.Minute)} {
		ban := ofX()
		ban.Until = until
		wantErr(t, b.Forbid(t.Context(), ban), errs.Invalid, "invalid_until")
	}
}

func TestABanThatIsRepeatedKeepsItsBeginning(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ban := ofX()
	ban.Until = start.Add(time.Hour)
	b.forbid(t, ban)
	b.clock.advance(time.Minute)
	b.forbid(t, ofX())
	bans, _ := b.bans(t, BanFilter{})
	if len(bans) != 1 || !bans[0].CreatedAt.Equal(start) || !bans[0].Until.Equal(start.Add(longestBan+time.Minute)) {
		t.Errorf("repeated: %+v", bans)
	}
	b.clock.advance(longestBan)
	b.forbid(t, ofX())
	if bans, _ = b.bans(t, BanFilter{}); len(bans) != 1 || !bans[0].CreatedAt.Equal(b.clock.now()) {
		t.Errorf("anew: %+v", bans)
	}
	b.resume(t, ofX())
	b.resume(t, ofX()) // nothing to end
	if bans, total := b.bans(t, BanFilter{}); len(bans) != 0 || total != 0 {
		t.Errorf("left: %+v", bans)
	}
}

func TestBansAreChecked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, c := range map[string]struct {
		ban    Ban
		reason string
	}{
		"nowhere":            {Ban{App: "live", Stream: "x"}, "invalid_vhost"},
		"twice":              {Ban{Vhost: "v", Domain: "d", App: "live", Stream: "x"}, "invalid_vhost"},
		"vhost with a path":  {Ban{Vhost: "v/w", App: "live", Stream: "x"}, "invalid_vhost"},
		"domain with a port": {Ban{Domain: "d:80", App: "live", Stream: "x"}, "invalid_domain"},
		"domain with blank":  {Ban{Domain: "d d", App: "live", Stream: "x"}, "invalid_domain"},
		"no app":             {Ban{Vhost: "v", Stream: "x"}, "invalid_app"},
		"app with a query":   {Ban{Vhost: "v", App: "a?b", Stream: "x"}, "invalid_app"},
		"no stream":          {Ban{Vhost: "v", App: "live"}, "invalid_stream"},
		"stream with a path": {Ban{Vhost: "v", App: "live", Stream: "a/b"}, "invalid_stream"},
		"a long stream":      {Ban{Vhost: "v", App: "live", Stream: strings.Repeat("x", 257)}, "invalid_stream"},
		"stream of no text":  {Ban{Vhost: "v", App: "live", Stream: "x\xff"}, "invalid_stream"},
		"vhost of no text":   {Ban{Vhost: "\xff", App: "live", Stream: "x"}, "invalid_vhost"},
		"stream with NUL":    {Ban{Vhost: "v", App: "live", Stream: "x\x00"}, "invalid_stream"},
	} {
		t.Run(name, func(t *testing.T) {
			wantErr(t, b.Forbid(t.Context(), c.ban), errs.Invalid, c.reason)
			wantErr(t, b.Resume(t.Context(), c.ban.Vhost, c.ban.Domain, c.ban.App, c.ban.Stream), errs.Invalid, c.reason)
		})
	}
	if _, total := b.bans(t, BanFilter{}); total != 0 {
		t.Errorf("%d bans were made", total)
	}
}

func TestBansAreListedByPage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 7 {
		b.forbid(t, Ban{Vhost: "v.example", App: "live", Stream: fmt.Sprintf("cam%d", i)})
		b.clock.advance(time.Second)
	}
	b.forbid(t, Ban{Domain: "d.example", App: "vod", Stream: "cam1"})
	names := func(f BanFilter) (string, int64) {
		bans, total := b.bans(t, f)
		var out []string
		for _, ban := range bans {
			out = append(out, ban.Stream)
		}
		return strings.Join(out, " "), total
	}
	for name, c := range map[string]struct {
		f     BanFilter
		want  string
		total int64
	}{
		"all":                {BanFilter{}, "cam0 cam1 cam2 cam3 cam4 cam5 cam6 cam1", 8},
		"newest first":       {BanFilter{Descending: true}, "cam1 cam6 cam5 cam4 cam3 cam2 cam1 cam0", 8},
		"a page":             {BanFilter{Offset: 2, Limit: 3}, "cam2 cam3 cam4", 8},
		"the last page":      {BanFilter{Descending: true, Offset: 6, Limit: 3}, "cam1 cam0", 8},
		"behind the last":    {BanFilter{Offset: 100, Limit: 3}, "", 8},
		"before the first":   {BanFilter{Offset: -1, Limit: 1}, "cam0", 8},
		"of a vhost":         {BanFilter{Vhost: "V.example", Stream: "cam1"}, "cam1", 1},
		"of a domain":        {BanFilter{Domain: "D.Example"}, "cam1", 1},
		"of an app":          {BanFilter{App: "vod"}, "cam1", 1},
		"of a stream":        {BanFilter{Stream: "cam1"}, "cam1 cam1", 2},
		"of a part":          {BanFilter{Stream: "am1"}, "", 0},
		"fuzzy":              {BanFilter{Stream: "am1", Fuzzy: true}, "cam1 cam1", 2},
		"fuzzy, no patterns": {BanFilter{Stream: "c%1", Fuzzy: true}, "", 0},
		"of no text":         {BanFilter{Stream: "\xff"}, "", 0},
		"with NUL":           {BanFilter{App: "vod\x00"}, "", 0},
		"a huge page":        {BanFilter{Offset: 1 << 40, Limit: 1 << 40}, "", 8},
	} {
		if got, total := names(c.f); got != c.want || total != c.total {
			t.Errorf("%s: %q of %d, want %q of %d", name, got, total, c.want, c.total)
		}
	}
}

// Who reads page after page sees every ban once, although new ones push the others
// down.
func TestAPageOfBansGoesOnWhereTheOneBeforeEnded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	forbid := func(names ...string) {
		for _, name := range names {
			b.forbid(t, Ban{Vhost: "v.example", App: "live", Stream: name})
		}
	}
	forbid("a", "b", "c", "d", "e") // in one instant
	var got []string
	for offset := 0; offset < 6; offset += 2 {
		bans, _ := b.bans(t, BanFilter{Descending: true, Offset: offset, Limit: 2})
		for _, ban := range bans {
			got = append(got, ban.Stream)
		}
		b.clock.advance(time.Second)
		forbid(fmt.Sprint("newer", offset))
	}
	if fmt.Sprint(got) != "[e d c b a]" {
		t.Errorf("got %v", got)
	}
	b.clock.advance(time.Minute)
	if bans, _ := b.bans(t, BanFilter{Descending: true, Offset: 2, Limit: 1}); bans[0].Stream != "newer0" {
		t.Errorf("a minute later %v", bans)
	}
}

func TestOneListOfBansIsBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(t, `INSERT INTO bans (vhost, app, stream, created_at, until) SELECT 'v', 'live', 's' || i, now(), now() FROM generate_series(1, $1) i`, maxBansListed+5)
	for _, limit := range []int{0, -1, maxBansListed + 1} {
		if bans, total := b.bans(t, BanFilter{Limit: limit}); len(bans) != maxBansListed || total != maxBansListed+5 {
			t.Errorf("limit %d: %d of %d", limit, len(bans), total)
		}
	}
}

func TestBansThatWereOverLongAgoAreForgotten(t *testing.T) {
	t.Parallel()
	b := setup(t)
	there := b.follow(t)
	short := ofX()
	short.Until = start.Add(time.Hour)
	b.forbid(t, short)
	b.forbid(t, Ban{Vhost: "v", App: "live", Stream: "x"})
	b.clock.advance(time.Hour + bansKept)
	if err := b.PurgeBans(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, total := b.bans(t, BanFilter{}); total != 2 {
		t.Errorf("%d bans, want 2: the shorter one is a week old only now", total)
	}
	b.clock.advance(time.Second)
	if err := b.PurgeBans(t.Context()); err != nil {
		t.Fatal(err)
	}
	if bans, total := b.bans(t, BanFilter{}); total != 1 || bans[0].Vhost != "v" {
		t.Errorf("bans %+v", bans)
	}
	there.CatchUp(t)
	there.view.mu.RLock()
	defer there.view.mu.RUnlock()
	if len(there.view.bans.list) != 1 || len(there.view.bans.byID) != 1 {
		t.Errorf("memory holds %+v", there.view.bans.list)
	}
}

func TestABanIsKnownToEveryProcess(t *testing.T) {
	t.Parallel()
	here := setup(t)
	there := here.follow(t)
	began := time.Now()
	here.forbid(t, Ban{Domain: "push.example", App: "live", Stream: "x"})
	there.CatchUp(t)
	t.Logf("known to the other process after %v", time.Since(began))
	there.reason(t, publish("x", ""), media.StreamForbidden)
	fresh := here.another(t)
	if err := fresh.Reload(t.Context(), fresh.pool); err != nil {
		t.Fatal(err)
	}
	fresh.reason(t, publish("x", ""), media.StreamForbidden)
	here.resume(t, Ban{Domain: "push.example", App: "live", Stream: "x"})
	there.CatchUp(t)
	there.reason(t, publish("x", ""), media.NoCredential)
	if there.view.bans.any.Load() {
		t.Error("the last ban is over, but bans are looked for")
	}
}

// What the database tells late about an older row must not undo a newer one.
func TestANewerRowOfTheSamePlaceStays(t *testing.T) {
	t.Parallel()
	b := pure(t)
	b.view.bans.put(db.Ban{ID: 1, Vhost: media.DefaultVhost, App: "live", Stream: "x", Until: start.Add(time.Hour)})
	b.view.bans.put(db.Ban{ID: 2, Vhost: media.DefaultVhost, App: "live", Stream: "x", Until: start.Add(time.Hour)})
	b.view.bans.drop(1)
	b.reason(t, play("x", ""), media.StreamForbidden)
	b.view.bans.drop(2)
	b.reason(t, play("x", ""), media.NoCredential)

	b.putRule(t, db.AuthRule{ID: 1, Vhost: "v", Scene: "play", Enabled: true}, key(1, "k1", "older-secret", KeyActive))
	b.putRule(t, db.AuthRule{ID: 2, Vhost: "v", Scene: "play", Enabled: true}, key(2, "k1", "newer-secret", KeyActive))
	b.view.rules.drop(1)
	b.view.rules.drop(1)
	if r, ok := b.view.ruleFor(media.Play, "", media.Stream{Vhost: "v", App: "live"}); !ok || r.id != 2 || b.view.rules.vhosts != 1 {
		t.Errorf("%v, %d rules of vhosts", ok, b.view.rules.vhosts)
	}
	b.view.rules.drop(2)
	if b.view.rules.vhosts != 0 || len(b.view.rules.byID) != 0 {
		t.Errorf("%d rules of vhosts, %v", b.view.rules.vhosts, b.view.rules.byID)
	}
}

func TestWithoutADatabaseABanIsNeitherMadeNorForgotten(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.forbid(t, ofX())
	b.pool.Close()
	for name, err := range map[string]error{
		"resume": b.Resume(t.Context(), media.DefaultVhost, "", "live", "x"),
		"forbid": b.Forbid(t.Context(), Ban{Vhost: "v", App: "live", Stream: "y"}),
		"purge":  b.PurgeBans(t.Context()),
	} {
		if errs.KindOf(err) != errs.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	b.reason(t, play("x", ""), media.StreamForbidden) // memory knows it
}
