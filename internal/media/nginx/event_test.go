package nginx

import (
	"strings"
	"testing"
)

func TestWhatAPathNames(t *testing.T) {
	t.Parallel()
	at := layout{app: "live"}
	for uri, want := range map[string]struct {
		layout layout
		part   part
		stream string // app/name; "" for none
		base   string
		query  string
	}{
		"/live/room1.flv?token=a":               {part: whole, stream: "live/room1", base: "/live/room1", query: "token=a"},
		"/live/room1.m3u8":                      {part: playlist, stream: "live/room1", base: "/live/room1"},
		"/live/room1.mpd":                       {part: playlist, stream: "live/room1", base: "/live/room1"},
		"/live/room1-17.ts":                     {part: segment, stream: "live/room1", base: "/live/room1"},
		"/live/room1-b-17.ts":                   {part: segment, stream: "live/room1-b", base: "/live/room1-b"},
		"/live/room1/index.m3u8":                {part: playlist, stream: "live/room1", base: "/live/room1/"},
		"/live/room1/17.ts":                     {part: segment, stream: "live/room1", base: "/live/room1/"},
		"/live/room1/init.mp4":                  {part: segment, stream: "live/room1", base: "/live/room1/"},
		"/live/index.m3u8":                      {part: playlist, stream: "live/index", base: "/live/index"},
		"/a/b/room1.m3u8":                       {part: playlist, stream: "a/b/room1", base: "/a/b/room1"},
		"/live/%72oom1.m3u8":                    {part: playlist, stream: "live/room1", base: "/live/room1"},
		"/live/%E7%9B%B4%E6%92%AD.m3u8":         {part: playlist, stream: "live/直播", base: "/live/直播"},
		"/~token=a/live/room1.m3u8":             {part: playlist, stream: "live/room1", base: "/live/room1", query: "token=a"},
		"/~a%3Db/live/room1-3.ts?c=d":           {part: segment, stream: "live/room1", base: "/live/room1", query: "a=b&c=d"},
		"/room1.m3u8":                           {},
		"/hls/room1.m3u8":                       {layout: at, part: playlist, stream: "live/room1", base: "live/hls/room1"},
		"/hls/room1/index.m3u8":                 {layout: at, part: playlist, stream: "live/room1", base: "live/hls/room1/"},
		"/x.m3u8":                               {layout: at, part: playlist, stream: "live/x", base: "live/x"},
		"/room1_mid.m3u8":                       {layout: layout{app: "live", variants: []string{"_low", "_mid"}}, part: playlist, stream: "live/room1", base: "live/room1"},
		"/live/room1_low-4.ts":                  {layout: layout{variants: []string{"_low"}}, part: segment, stream: "live/room1", base: "/live/room1"},
		"/live/_low.m3u8":                       {layout: layout{variants: []string{"_low"}}, part: playlist, stream: "live/_low", base: "/live/_low"},
		"/stamp/hash/live/room1.m3u8":           {layout: layout{skip: 2}, part: playlist, stream: "live/room1", base: "/live/room1"},
		"/live/room1.m3u8?":                     {part: playlist, stream: "live/room1", base: "/live/room1"},
		"/live/../live/room1.m3u8":              {},
		"/live//room1.m3u8":                     {},
		"//live/room1.m3u8":                     {},
		"/live/%2e%2e/room1.m3u8":               {},
		"/live/a%2F..%2Froom1.m3u8":             {},
		`/live\room1.m3u8`:                      {},
		"/live/room1%00.m3u8":                   {},
		"/live/room1%3f.m3u8":                   {},
		"/live/room1%zz.m3u8":                   {},
		"/live/room1%ff.m3u8":                   {},
		"/live/room1":                           {},
		"/live/room1.php":                       {},
		"/live/.m3u8":                           {},
		"/live/room1-.ts":                       {},
		"live/room1.m3u8":                       {},
		"http://h/live/room1.m3u8":              {},
		"":                                      {},
		"/~/live/room1.m3u8":                    {part: playlist, stream: "live/room1", base: "/live/room1"},
		"/~%zz/live/room1.m3u8":                 {},
		"/~token=a":                             {},
		"/17.ts":                                {layout: at},
		"/" + strings.Repeat("a/", 20) + "b.ts": {},
	} {
		t.Run(uri, func(t *testing.T) {
			t.Parallel()
			a, err := parse(uri, want.layout)
			if want.stream == "" {
				if err == nil {
					t.Fatalf("understood as %+v", a)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := a.stream.App + "/" + a.stream.Name; got != want.stream || a.part != want.part || a.base != want.base || a.query != want.query {
				t.Errorf("got %s, %+v", got, a)
			}
		})
	}
}

func TestASessionOpensItsStreamAndNoOther(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		base, uri string
		want      bool
	}{
		{"/live/room1", "/live/room1.m3u8", true},
		{"/live/room1", "/live/room1-0.ts", true},
		{"/live/room1", "/~x=y/live/room1-0.ts", true},
		{"/live/room1", "/live/room1.flv", false},
		{"/live/room1", "/live/room10-0.ts", false},
		{"/live/room1", "/live/room1-b-0.ts", false},
		{"/live/room1", "/live/room1/0.ts", false},
		{"/live/room1", "/live2/room1-0.ts", false},
		{"/live/room1/", "/live/room1/index.m3u8", true},
		{"/live/room1/", "/live/room1/0.ts", true},
		{"/live/room1/", "/live/room1/hd/0.ts", true},
		{"/live/room1/", "/live/room1/chunklist_0_video_llhls.m3u8", true},
		{"/live/room1/", "/live/room1-0.ts", false},
		{"/live/room1/", "/live/room10/0.ts", false},
	} {
		a, err := parse(c.uri, layout{})
		if err != nil {
			t.Errorf("%s: %v", c.uri, err)
		} else if got := a.within(c.base); got != c.want {
			t.Errorf("%s within %s: %v", c.uri, c.base, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("/live/room1-17.ts?token=a", "live", "_low", 2)
	f.Add("/~a%3Db/live/room1/index.m3u8", "", "", 0)
	f.Fuzz(func(t *testing.T, uri, app, variant string, skip int) {
		a, err := parse(uri, layout{app: app, skip: max(skip, 0), variants: []string{variant}})
		if err != nil {
			return
		}
		if a.stream.App == "" || a.stream.Name == "" || strings.Contains(a.plain[len(app):], "/../") || strings.Contains(a.plain[len(app):], "//") || !strings.HasPrefix(a.plain, app+"/") {
			t.Errorf("%q became %+v", uri, a)
		}
		if a.part != whole && !a.within(a.base) {
			t.Errorf("%q is not within itself: %+v", uri, a)
		}
	})
}
