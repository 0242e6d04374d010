package main

import (
	"bufio"
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

func TestEdgeAsksWithTheOriginalURI(t *testing.T) {
	t.Parallel()
	target, err := url.Parse("https://pull.example.com:8443/live/x.flv?sd=v2-1893456000-k1-abc")
	if err != nil {
		t.Fatal(err)
	}
	for cookie, request := range map[string][]byte{"": edgeRequest("127.0.0.1:8080", target, ""), "a=b": edgeRequest("127.0.0.1:8080", target, "a=b")} {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(request)))
		if err != nil {
			t.Fatal(err)
		}
		if r.Method != http.MethodGet || r.URL.Path != "/callback/nginx" || r.Header.Get("Cookie") != cookie || r.Header.Get("Content-Length") != "" {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		if uri, host := r.Header.Get("X-Original-Uri"), r.Header.Get("X-Original-Host"); uri != "/live/x.flv?sd=v2-1893456000-k1-abc" || host != "pull.example.com" {
			t.Errorf("asked for %s of %s", uri, host)
		}
	}
}

func TestPlayerThatAnEdgeMustRefuseFailsTheRun(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string
	}{{403, ""}, {503, ""}, {200, "0"}, {204, ""}} {
		if err := (edgeShots{}).check(c.status, []byte(c.body)); err == nil {
			t.Errorf("%v passed", c)
		}
	}
}

func TestBareHandlerReadsTheHeaderOfAnEdge(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]int{"/live/x.flv": 200, "": 403} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/callback/nginx", nil)
		r.Header.Set("X-Original-URI", uri)
		if answerBare(w, r); w.Code != want || want == 200 && w.Body.Len() > 0 {
			t.Errorf("%q: %d %q", uri, w.Code, w.Body)
		}
	}
}
