package refusal

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

var start = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

type bundle struct {
	*Log
	pool    *pgxpool.Pool
	db      *flakyDB
	now     time.Time
	dropped atomic.Int64
}

func setup(t testing.TB) *bundle {
	t.Helper()
	b := &bundle{pool: dbtest.Pool(t), now: start}
	b.db = &flakyDB{DB: b.pool}
	b.Log = New(Config{DB: b.db, Now: func() time.Time { return b.now }, Log: dbtest.Log(t), Keep: 72 * time.Hour,
		Dropped: func(n int64) { b.dropped.Add(n) }})
	return b
}

// flakyDB can be away.
type flakyDB struct {
	pg.DB
	down atomic.Bool
}

func (d *flakyDB) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if d.down.Load() {
		return pgconn.CommandTag{}, &pgconn.ConnectError{}
	}
	return d.DB.Exec(ctx, sql, args...)
}

func refused(name string, n int) Refusal {
	return Refusal{At: start.Add(time.Duration(n) * time.Microsecond), RequestID: fmt.Sprintf("%s-%d", name, n), Node: "edge-1", Action: media.Playing,
		Scene: media.Play, Stream: media.Stream{Vhost: media.DefaultVhost, App: "live", Name: name}, ClientID: fmt.Sprintf("c%d", n),
		Address: "192.0.2.7", Protocol: "rtmp", Reason: media.SignatureExpired, RuleID: 7, KeyID: "k1", Subject: "alice"}
}

func (b *bundle) flushed(t testing.TB) {
	t.Helper()
	if err := b.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (b *bundle) list(t testing.TB, f Filter) []Refusal {
	t.Helper()
	if f.Limit == 0 {
		f.Limit = maxPage
	}
	list, next, err := b.List(t.Context(), f)
	if err != nil || next != "" {
		t.Fatalf("next %q, %v", next, err)
	}
	for i := range list {
		list[i].At = list[i].At.UTC()
	}
	return list
}

func TestARefusalIsFoundByRequestStreamAndClient(t *testing.T) {
	t.Parallel()
	b := setup(t)
	x, y := refused("x", 1), refused("y", 2)
	y.Address, y.Reason, y.Stream.App, y.Stream.Vhost = "2001:db8::1", media.NoCredential, "other/sub", "demo.example"
	b.Note(x)
	b.Note(y)
	if got := b.list(t, Filter{}); len(got) != 0 {
		t.Fatalf("written before it was asked for: %+v", got)
	}
	b.flushed(t)
	for name, c := range map[string]struct {
		filter Filter
		want   []Refusal
	}{
		"all, the newest first":   {Filter{}, []Refusal{y, x}},
		"request":                 {Filter{RequestID: "x-1"}, []Refusal{x}},
		"name":                    {Filter{Stream: "x"}, []Refusal{x}},
		"app and name":            {Filter{Stream: "live/x"}, []Refusal{x}},
		"path":                    {Filter{Stream: "/live/x"}, []Refusal{x}},
		"an app of several parts": {Filter{Stream: "other/sub/y"}, []Refusal{y}},
		"vhost":                   {Filter{Stream: "demo.example/other/sub/y"}, []Refusal{y}},
		"default vhost":           {Filter{Stream: media.DefaultVhost + "/live/x"}, []Refusal{x}},
		"another vhost":           {Filter{Stream: "demo.example/live/x"}, nil},
		"client id":               {Filter{Client: "c2"}, []Refusal{y}},
		"client address":          {Filter{Client: "2001:db8::1"}, []Refusal{y}},
		"reason":                  {Filter{Reason: media.SignatureExpired}, []Refusal{x}},
		"since":                   {Filter{Since: y.At}, []Refusal{y}},
		"until":                   {Filter{Until: x.At}, []Refusal{x}},
		"both":                    {Filter{Since: x.At, Until: y.At}, []Refusal{y, x}},
		"nothing matches":         {Filter{RequestID: "x-2"}, nil},
		"text that is no text":    {Filter{Stream: "\xff\x00", Client: "\x00", RequestID: "\xff"}, nil},
	} {
		got := b.list(t, c.filter)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

func TestPagesFollowEachOther(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var want []string
	for i := range 23 {
		r := refused(fmt.Sprintf("s%d", i), i/5) // several at the same instant
		b.Note(r)
		want = append(want, r.RequestID)
	}
	b.flushed(t)
	slices.Reverse(want)
	var got []string
	for after, pages := "", 0; ; pages++ {
		page, next, err := b.List(t.Context(), Filter{After: after, Limit: 5})
		if err != nil || pages > 5 {
			t.Fatalf("page %d: %v", pages, err)
		}
		for _, r := range page {
			got = append(got, r.RequestID)
		}
		if after = next; next == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAForeignCursorIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, after := range []string{"x", "YWRtaW4", strings.Repeat("_", 22), strings.Repeat("A", 400), "!"} {
		if _, _, err := b.List(t.Context(), Filter{After: after, Limit: 5}); errs.KindOf(err) != errs.Invalid {
			t.Errorf("cursor %q: %v", after, err)
		}
	}
}

func TestAStormIsCountedAndNotKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 1000 {
		b.Note(refused("x", i))
	}
	b.Note(refused("y", 1))
	b.flushed(t)
	list := b.list(t, Filter{Stream: "x"})
	if len(list) != perStream || list[0].Repeats != 1000-perStream || list[1].Repeats != 0 {
		t.Fatalf("%d rows, the newest of them %+v", len(list), list[0])
	}
	if len(b.list(t, Filter{Stream: "y"})) != 1 || b.dropped.Load() != 0 {
		t.Error("one stream's storm touched another stream")
	}
	b.Note(refused("x", 2000))
	b.flushed(t)
	if list := b.list(t, Filter{Stream: "x"}); len(list) != perStream+1 || list[0].Repeats != 0 {
		t.Errorf("the next second is not a fresh one: %+v", list[0])
	}
}

func TestNobodyKnowsWhomIsCountedByAddress(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 50 {
		for _, address := range []string{"192.0.2.1", "192.0.2.2"} {
			b.Note(Refusal{At: start, Action: media.Connecting, Address: address, Reason: media.Unauthenticated, RequestID: fmt.Sprint(i)})
		}
	}
	b.flushed(t)
	if list := b.list(t, Filter{}); len(list) != 2*perStream {
		t.Errorf("%d rows", len(list))
	}
	if list := b.list(t, Filter{Client: "192.0.2.2"}); len(list) != perStream || list[0].Repeats != 50-perStream {
		t.Errorf("%+v", list)
	}
}

func TestAFloodOfStreamsDropsTheNewestAndCountsThem(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range maxPending + 40 {
		b.Note(refused(fmt.Sprintf("s%d", i), i))
	}
	b.flushed(t)
	if list := b.list(t, Filter{}); len(list) != maxPending || list[0].Stream.Name != fmt.Sprintf("s%d", maxPending-1) {
		t.Errorf("%d rows, the newest %s", len(list), list[0].Stream.Name)
	}
	if b.dropped.Load() != 40 {
		t.Errorf("%d dropped", b.dropped.Load())
	}
}

func TestAnOutageLosesNothingThatFits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.db.down.Store(true)
	total := int64(0)
	for second := range 3 {
		for i := range 20 {
			b.Note(refused("x", second*100+i))
			total++
		}
		if err := b.Flush(t.Context()); errs.KindOf(err) != errs.Unavailable {
			t.Fatalf("flushed into nothing: %v", err)
		}
	}
	b.db.down.Store(false)
	b.flushed(t)
	list := b.list(t, Filter{})
	for _, r := range list {
		total -= 1 + r.Repeats
	}
	if len(list) != perStream || total != 0 || b.dropped.Load() != 0 {
		t.Errorf("%d rows, %d refusals not counted, %d dropped", len(list), total, b.dropped.Load())
	}
}

func TestRunWritesWhatIsLeftWhenItEnds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { b.Run(ctx); close(ended) }()
	b.Note(refused("x", 1))
	stop()
	<-ended
	if len(b.list(t, Filter{Stream: "x"})) != 1 {
		t.Error("the last refusal is lost")
	}
}

func TestNotingFromManySidesLosesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	done := make(chan struct{})
	for w := range 8 {
		go func() {
			for i := range 200 {
				b.Note(refused(fmt.Sprintf("s%d", w), i))
			}
			done <- struct{}{}
		}()
	}
	for finished := 0; finished < 8; {
		select {
		case <-done:
			finished++
		default:
			b.flushed(t)
		}
	}
	b.flushed(t)
	var total int64
	for _, r := range b.list(t, Filter{}) {
		total += 1 + r.Repeats
	}
	if total+b.dropped.Load() != 8*200 {
		t.Errorf("%d kept or counted, %d dropped", total, b.dropped.Load())
	}
}

func (b *bundle) days(t testing.TB) (days []string) {
	t.Helper()
	rows, err := b.pool.Query(t.Context(), "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'refusals'::regclass ORDER BY 1")
	if err == nil {
		days, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if err != nil {
		t.Fatal(err)
	}
	return days
}

func (b *bundle) maintained(t testing.TB) {
	t.Helper()
	if err := b.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestOldRefusalsAreForgotten(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.maintained(t)
	b.Note(refused("x", 1))
	late := refused("y", 2)
	late.At = start.Add(time.Hour)
	b.Note(late)
	b.flushed(t)
	b.now = start.Add(72 * time.Hour)
	b.maintained(t)
	if list := b.list(t, Filter{}); len(list) != 2 {
		t.Fatalf("forgotten too early: %+v", list)
	}
	b.now = start.Add(72*time.Hour + time.Second)
	b.maintained(t)
	if list := b.list(t, Filter{}); len(list) != 1 || list[0].Stream.Name != "y" {
		t.Errorf("shown of a day that is half over: %+v", list)
	}
	if list := b.list(t, Filter{Since: start.Add(-time.Hour)}); len(list) != 1 {
		t.Errorf("shown to who asks for more: %+v", list)
	}
	b.now = start.Add(84 * time.Hour) // the day ended three days ago
	b.maintained(t)
	if days := b.days(t); slices.Contains(days, "refusals_p20260501") || !slices.Contains(days, "refusals_p20260502") {
		t.Errorf("days that are left: %v", days)
	}
}

// A page looks at the days that may have it, and there by an index.
func TestAPageReadsOnlyItsDays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 30 {
		b.maintained(t)
		b.now = b.now.AddDate(0, 0, 1)
	}
	b.now = b.now.AddDate(0, 0, -1)
	spy := &querySpy{DB: b.pool}
	b.DB = spy
	b.list(t, Filter{Stream: "live/x"})
	tx, err := b.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.WithoutCancel(t.Context()))
	if _, err := tx.Exec(t.Context(), "SET LOCAL enable_seqscan = off"); err != nil { // of tables without rows
		t.Fatal(err)
	}
	rows, err := tx.Query(t.Context(), "EXPLAIN "+spy.sql, spy.args...)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	plan := strings.Join(lines, "\n")
	if err != nil || strings.Contains(plan, "Seq Scan") || !strings.Contains(plan, "p20260530") || strings.Contains(plan, "p20260526") {
		t.Errorf("%v\n%s", err, plan)
	}
}

// querySpy notes the last statement.
type querySpy struct {
	pg.DB
	sql  string
	args []any
}

func (s *querySpy) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	s.sql, s.args = sql, args
	return s.DB.Query(ctx, sql, args...)
}

func TestTheOldestOfTooManyGo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.maintained(t)
	for i := range 5 {
		b.Note(refused(fmt.Sprintf("s%d", i), i))
	}
	b.flushed(t)
	_, err := b.pool.Exec(t.Context(), "SELECT setval(pg_get_serial_sequence('refusals', 'id'), $1)", maxKept+2)
	if err != nil {
		t.Fatal(err)
	}
	b.Note(refused("new", 9))
	b.flushed(t)
	if err := b.Trim(t.Context()); err != nil {
		t.Fatal(err)
	}
	if list := b.list(t, Filter{}); len(list) != 3 || list[0].Stream.Name != "new" || list[2].Stream.Name != "s3" {
		t.Errorf("left: %+v", list)
	}
}

// Names are what a stranger chooses: they must be storable and hold no secret.
func TestWhatIsKeptIsStorableAndWithoutQuery(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i, name := range []string{"x?token=s3cret", "x%3Ftoken=s3cret", "x%3ftoken=s3cret", "x&token=s3cret", "x%26token=s3cret"} {
		r := refused(name, i)
		r.RequestID = "r"
		r.ClientID, r.Address, r.Protocol = "\xff\x00"+strings.Repeat("y", 2000), "rtmp://h/live?s3cret", "\x00"
		b.Note(r)
	}
	b.flushed(t)
	list := b.list(t, Filter{Stream: "x"})
	if len(list) != 5 {
		t.Fatalf("%d rows: %+v", len(list), list)
	}
	for _, r := range list {
		if strings.Contains(fmt.Sprintf("%+v", r), "s3cret") || len(r.ClientID) > maxText+8 {
			t.Errorf("kept %+v", r)
		}
	}
}
