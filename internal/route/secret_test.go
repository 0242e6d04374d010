package route

import (
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/errs"
)

func TestPasswordsInAPathAreStruckOut(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"rtsp://h/user=admin_password=hunter2_channel=1_stream=0.sdp?real_stream": "rtsp://h/user=admin_password=***_channel=1_stream=0.sdp?real_stream",
		"rtsp://h/user=admin&password=hunter2&channel=1":                          "rtsp://h/user=admin&password=***&channel=1",
		"rtsp://h/live/token=hunter2/ch1":                                         "rtsp://h/live/token=***/ch1",
		"rtsp://h/live/Passwd=hunter2":                                            "rtsp://h/live/Passwd=***",
		"rtsp://h/a;pwd=hunter%202;b=1":                                           "rtsp://h/a;pwd=***;b=1",
		"rtsp://h/x?key=hunter2":                                                  "rtsp://h/x?key=***",
		"rtsp://u:hunter2@h/user=u_password=hunter2_x=1?token=hunter2":            "rtsp://u:***@h/user=u_password=***_x=1?token=***",
		"rtsp://h/stream=1/channel=2":                                             "rtsp://h/stream=1/channel=2",
		"rtsp://h/password=":                                                      "rtsp://h/password=***",
	} {
		u, err := parseTarget(url)
		if err != nil {
			t.Fatal(err)
		}
		if got := shown(u); got != want || strings.Contains(got, "hunter") {
			t.Errorf("%s is shown as\n%s, want\n%s", url, got, want)
		}
	}
}

func TestAStruckOutPasswordInAPathStaysTheStoredOne(t *testing.T) {
	t.Parallel()
	s := service(t, dbtest.Pool(t))
	save(t, s, "/cam", "rtsp://192.168.7.2/user=admin_password=hunter2_channel=1.sdp")
	got := save(t, s, "/cam", "rtsp://192.168.7.2/user=admin_password=***_channel=2.sdp")
	if remote, _, _ := s.Match("/cam"); remote != "rtsp://192.168.7.2/user=admin_password=hunter2_channel=2.sdp" || strings.Contains(got.URL, "hunter") {
		t.Errorf("pulled from %s, shown as %s", remote, got.URL)
	}
	for _, url := range []string{"rtsp://192.168.7.3/user=admin_password=***_channel=1.sdp", "rtsp://192.168.7.2/password=***/token=***"} {
		if _, err := s.Save(t.Context(), Route{Pattern: "/cam", URL: url}); errs.KindOf(err) != errs.Invalid {
			t.Errorf("%s: %v", url, err)
		}
	}
	if _, err := s.Save(t.Context(), Route{Pattern: "/new", URL: "rtsp://192.168.7.2/password=***"}); errs.KindOf(err) != errs.Invalid {
		t.Errorf("of a route that was not there: %v", err)
	}
}

func TestKnownRoutesAreListedByPattern(t *testing.T) {
	t.Parallel()
	s := service(t, dbtest.Pool(t))
	for _, p := range []string{"/b", "/a/", "/c"} {
		save(t, s, p, "rtsp://192.168.7.2/"+p)
	}
	if all := s.Known(); len(all) != 3 || all[0].Pattern != "/a/" || all[2].Pattern != "/c" {
		t.Errorf("known %+v", all)
	}
}
