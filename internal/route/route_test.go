package route

import (
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/outbound"
)

func service(t *testing.T, pool *pgxpool.Pool) *Service {
	t.Helper()
	var seconds atomic.Int64
	clock := func() time.Time { return time.Unix(1_700_000_000+seconds.Add(1), 0).UTC() }
	// Cameras of the tests: names under .test never resolve, these are dialled.
	guard := outbound.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("192.168.7.0/24")}}
	return New(Config{DB: pool, Box: dbtest.Box(), Now: clock, Log: dbtest.Log(t), Guard: guard})
}

func save(t *testing.T, s *Service, pattern, url string) Route {
	t.Helper()
	r, err := s.Save(t.Context(), Route{Pattern: pattern, URL: url})
	if err != nil {
		t.Fatalf("save %s: %v", pattern, err)
	}
	return r
}

func TestARouteIsSavedReadReplacedAndDeleted(t *testing.T) {
	t.Parallel()
	s := service(t, dbtest.Pool(t))
	made, err := s.Save(t.Context(), Route{Pattern: " HR//Door ", URL: "rtsp://192.168.7.2/one", KeepAlive: true})
	if err != nil || made.Pattern != "/hr/door" || made.URL != "rtsp://192.168.7.2/one" || !made.KeepAlive {
		t.Fatalf("%+v, %v", made, err)
	}
	got, err := s.Get(t.Context(), "/HR/./door")
	if err != nil || got != made {
		t.Errorf("%+v, %v", got, err)
	}
	again := save(t, s, "/hr/door", "rtsp://192.168.7.2/two")
	if again.KeepAlive || again.URL != "rtsp://192.168.7.2/two" || !again.CreatedAt.Equal(made.CreatedAt) || !again.UpdatedAt.After(made.UpdatedAt) {
		t.Errorf("%+v", again)
	}
	if _, err := s.Get(t.Context(), "/hr/door/"); errs.KindOf(err) != errs.NotFound {
		t.Errorf("with a slash it is another route: %v", err)
	}
	if err := s.Delete(t.Context(), "/hr/DOOR"); err != nil {
		t.Error(err)
	}
	if _, _, ok := s.Match("/hr/door"); ok {
		t.Error("a deleted route matches")
	}
	if err := s.Delete(t.Context(), "/hr/door"); errs.KindOf(err) != errs.NotFound {
		t.Errorf("got %v", err)
	}
}

func TestTheRootIsARouteLikeAnyOther(t *testing.T) {
	t.Parallel()
	s := service(t, dbtest.Pool(t))
	save(t, s, "/", "rtsp://root.test")
	if r, err := s.Get(t.Context(), "/"); err != nil || r.Pattern != "/" {
		t.Errorf("%+v, %v", r, err)
	}
	if remote, _, _ := s.Match("/none"); remote != "rtsp://root.test/none" {
		t.Errorf("got %q", remote)
	}
	if err := s.Delete(t.Context(), "/"); err != nil {
		t.Error(err)
	}
}

func TestRoutesAreListedInTheOrderOfBytes(t *testing.T) {
	t.Parallel()
	s := service(t, dbtest.Pool(t))
	for _, p := range []string{"/b", "/a/", "/é", "/a", "/_", "/a-b", "/房间/"} {
		save(t, s, p, "rtsp://h.test")
	}
	want := []string{"/_", "/a", "/a-b", "/a/", "/b", "/é", "/房间/"}
	var got []string
	for after := ""; ; {
		page, err := s.List(t.Context(), after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			got = append(got, r.Pattern)
		}
		after = page[len(page)-1].Pattern
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v", got)
	}
	if n, err := s.Count(t.Context()); n != int64(len(want)) || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	for _, limit := range []int{-1, 0} {
		if page, err := s.List(t.Context(), "", limit); len(page) != 0 || err != nil {
			t.Errorf("%d: %v, %v", limit, page, err)
		}
	}
	if page, err := s.List(t.Context(), "/a\x00\xff", 1); err != nil || len(page) != 1 {
		t.Errorf("%v, %v", page, err)
	}
}

func TestSecretsAreStoredSealedAndShownStruckOut(t *testing.T) {
	t.Parallel()
	pool := dbtest.Pool(t)
	s := service(t, pool)
	shown := save(t, s, "/cam", "rtsp://us%3Aer:S3cret%2F@192.168.7.2:554/live?channel=1&Token=abcdef&x").URL
	if want := "rtsp://us%3Aer:***@192.168.7.2:554/live?channel=1&Token=***&x"; shown != want {
		t.Errorf("shown as %q", shown)
	}
	var raw []byte
	if err := pool.QueryRow(t.Context(), "SELECT url_sealed FROM routes").Scan(&raw); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), "S3cret") || strings.Contains(string(raw), "192.168") {
		t.Error("the URL is readable in the database")
	}
	if remote, _, _ := s.Match("/cam"); remote != "rtsp://us%3Aer:S3cret%2F@192.168.7.2:554/live?channel=1&Token=abcdef&x" {
		t.Errorf("pulled from %q", remote)
	}
}

func TestStruckOutSecretsStayWhereTheyAre(t *testing.T) {
	t.Parallel()
	s := service(t, dbtest.Pool(t))
	shown := save(t, s, "/cam", "rtsp://u:S3cret@h.test/live?token=abc").URL
	for changed, want := range map[string]string{
		shown:                                    "rtsp://u:S3cret@h.test/live?token=abc",
		"rtsp://u:***@H.TEST/other?token=***":    "rtsp://u:S3cret@H.TEST/other?token=abc",
		"rtsp://u:new@h.test/live?token=***":     "rtsp://u:new@h.test/live?token=abc",
		"rtsp://u:***@h.test/live?token=changed": "rtsp://u:S3cret@h.test/live?token=changed",
		"rtsp://u:***@h.test":                    "rtsp://u:S3cret@h.test",
		"rtsp://h.test/open":                     "rtsp://h.test/open",
	} {
		save(t, s, "/cam", "rtsp://u:S3cret@h.test/live?token=abc")
		save(t, s, "/cam", changed)
		if remote, _, _ := s.Match("/cam"); remote != want {
			t.Errorf("%s: pulled from %q", changed, remote)
		}
	}
}

func TestNobodyTakesAStruckOutSecretElsewhere(t *testing.T) {
	t.Parallel()
	s := service(t, dbtest.Pool(t))
	save(t, s, "/cam", "rtsp://u:S3cret@h.test:554/live?token=abc")
	for _, elsewhere := range []string{
		"rtsp://u:***@evil.test:554/live", "rtsp://u:***@h.test/live", "rtsp://h.test:554.evil.test/?token=***", "rtsp://other:***@h.test:554/live",
		"http://u:***@h.test:554/live", "rtsp://u@evil.test/live?token=***", "rtsp://u:S3cret@h.test:554/live?key=***",
	} {
		if _, err := s.Save(t.Context(), Route{Pattern: "/cam", URL: elsewhere}); errs.KindOf(err) != errs.Invalid {
			t.Errorf("%s: %v", elsewhere, err)
		}
	}
	if _, err := s.Save(t.Context(), Route{Pattern: "/new", URL: "rtsp://u:***@h.test:554/live"}); errs.KindOf(err) != errs.Invalid {
		t.Errorf("under another pattern: %v", err)
	}
	if remote, _, _ := s.Match("/cam"); remote != "rtsp://u:S3cret@h.test:554/live?token=abc" {
		t.Errorf("the route is now %q", remote)
	}
}

func TestBadRoutesAreRefusedAndChangeNothing(t *testing.T) {
	t.Parallel()
	s := service(t, dbtest.Pool(t))
	for _, r := range []struct{ pattern, url, field string }{
		{"", "rtsp://h.test", "pattern"},
		{" \t", "rtsp://h.test", "pattern"},
		{"/" + strings.Repeat("x", maxPattern), "rtsp://h.test", "pattern"},
		{"/a\x00b", "rtsp://h.test", "pattern"},
		{"/a\xffb", "rtsp://h.test", "pattern"},
		{"/a", "", "url"},
		{"/a", "not a url", "url"},
		{"/a", "/local", "url"},
		{"/a", "file:///etc/passwd", "url"},
		{"/a", "gopher://h.test/", "url"},
		{"/a", "rtsp:h.test", "url"},
		{"/a", "rtsp://", "url"},
		{"/a", "rtsp://:554/x", "url"},
		{"/a", "rtsp://h.test:0/", "url"},
		{"/a", "rtsp://h.test:65536/", "url"},
		{"/a", "rtsp://h.test:x/", "url"},
		{"/a", "rtsp://h.test/%zz", "url"},
		{"/a", "rtsp://h.test/\nx", "url"},
		{"/a", "rtsp://h.test/#part", "url"},
		{"/a", "rtsp://h.test/" + strings.Repeat("x", maxURL), "url"},
		{"/a", "rtsp://127.0.0.1/", "url"},
		{"/a", "rtsp://2130706433/", "url"},
		{"/a", "rtsp://[::ffff:10.0.0.1]/", "url"},
		{"/a", "http://169.254.169.254/latest/meta-data", "url"},
		{"/a", "rtsp://192.168.8.1/", "url"},
		{"/a", "rtsp://localhost/", "url"},
	} {
		_, err := s.Save(t.Context(), Route{Pattern: r.pattern, URL: r.url})
		if e := errs.As(err); e == nil || e.Kind != errs.Invalid || e.Field != r.field {
			t.Errorf("%q -> %q: %v", r.pattern, r.url, err)
		} else if strings.Contains(e.Message, "passwd") {
			t.Errorf("the message repeats the URL: %s", e.Message)
		}
	}
	if n, _ := s.Count(t.Context()); n != 0 {
		t.Errorf("%d routes", n)
	}
}

func TestARouteSavedOnOneProcessMatchesOnAnother(t *testing.T) {
	t.Parallel()
	pool := dbtest.Pool(t)
	here, there := service(t, pool), service(t, pool)
	following := dbtest.Follow(t, pool, there)
	save(t, here, "/Shared/", "rtsp://h.test/v")
	following.CatchUp(t)
	if remote, _, _ := there.Match("/shared/A"); remote != "rtsp://h.test/v/A" {
		t.Errorf("saved elsewhere: %q", remote)
	}
	if err := here.Delete(t.Context(), "/shared/"); err != nil {
		t.Fatal(err)
	}
	following.CatchUp(t)
	if _, _, ok := there.Match("/shared/a"); ok {
		t.Error("deleted elsewhere, it still matches")
	}
}
