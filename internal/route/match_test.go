package route

import (
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
)

func TestPathsMatchTheirRoutes(t *testing.T) {
	t.Parallel()
	s := service(t, dbtest.Pool(t))
	for pattern, url := range map[string]string{
		"/entrance/a1":  "rtsp://admin:Sec@cam.test/Live2",
		"/hr/":          "rtsp://u:p@h.test:8540/video",
		"/hr/deep/":     "rtsp://deep.test",
		"/hr/slash/":    "rtsp://h.test/v/",
		"/q/":           "rtsp://h.test/x?ch=1",
		"/esc/":         "rtsp://h.test/a%2Fb",
		"/istanbul/İx/": "rtsp://h.test",
	} {
		save(t, s, pattern, url)
	}
	for path, want := range map[string]string{
		"/Entrance/A1":      "rtsp://admin:Sec@cam.test/Live2",
		" entrance//a1":     "rtsp://admin:Sec@cam.test/Live2",
		"/entrance/a1/x":    "",
		"/entrance/a1/":     "",
		"/hr/door":          "rtsp://u:p@h.test:8540/video/door",
		"/HR/Door/Cam1":     "rtsp://u:p@h.test:8540/video/Door/Cam1",
		"/hr":               "",
		"/hr/":              "",
		"/hr/deep/x":        "rtsp://deep.test/x",
		"/hr/deep":          "rtsp://u:p@h.test:8540/video/deep",
		"/hr/deeper/x":      "rtsp://u:p@h.test:8540/video/deeper/x",
		"/hr/slash/x/y":     "rtsp://h.test/v/x/y",
		"/hr/../hr/./door":  "rtsp://u:p@h.test:8540/video/door",
		"/hr/../../etc":     "",
		"/q/cam":            "rtsp://h.test/x/cam?ch=1",
		"/esc/c d?x":        "rtsp://h.test/a%2Fb/c%20d%3Fx",
		"/istanbul/İX/Cam1": "rtsp://h.test/Cam1",
		"/":                 "",
		"":                  "",
		"/other":            "",
	} {
		if remote, _, _ := s.Match(path); remote != want {
			t.Errorf("%q is pulled from %q, not %q", path, remote, want)
		}
	}
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"": "/", " ": "/", "/": "/", "//": "/", ".": "/", "..": "/", "../..": "/", "A": "/a", " /A/b ": "/a/b", "/a//b/./c/../d/": "/a/b/d/",
		"/a/": "/a/", "/a//": "/a/", "/房间/门": "/房间/门", "/a:b": "/a:b", "/a/..": "/", "/a/../": "/",
	} {
		if got := Canonical(path); got != want {
			t.Errorf("%q is %q", path, got)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{"/a/../b/", " //x/./", "İ/ı", "\x00/\xff", "a/b/c/d/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, p string) {
		c := Canonical(p)
		if !strings.HasPrefix(c, "/") || strings.Contains(c, "//") || strings.Contains(c+"/", "/../") || strings.Contains(c+"/", "/./") {
			t.Errorf("%q is %q", p, c)
		}
		if _, err := validPattern(p); err == nil && Canonical(c) != c {
			t.Errorf("%q is %q, and that is %q", p, c, Canonical(c))
		}
	})
}

func FuzzTarget(f *testing.F) {
	for _, s := range []string{"rtsp://u:p@h/x?token=a&b", "rtsp://u:***@h", "http://[::1]:80/?key=***&key=b", "srt://h:1?x=%", "rtmp://a:b:c@h//"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := parseTarget(text)
		if err != nil {
			return
		}
		if p, has := password(u); has && len(p) > 12 && strings.Contains(shown(u), ":"+p+"@") {
			t.Errorf("%q shows its password: %q", text, shown(u))
		}
		again, err := parseTarget(shown(u))
		if err != nil {
			t.Fatalf("%q is shown as %q, which is no target: %v", text, shown(u), err)
		}
		if back, err := restore(again, u); err == nil && back.String() != u.String() {
			t.Errorf("%q came back as %q", u, back)
		}
	})
}
