package srs

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

var _ media.Kicker = Client{}

// kicked serves one answer and returns a node of it, and what was asked.
func kicked(t *testing.T, status int, body string) (media.Node, *string) {
	t.Helper()
	asked := new(string)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		*asked = r.Method + " " + r.URL.EscapedPath() + " " + user + ":" + password
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	return media.Node{Name: "edge-1", Kind: "srs", ControlURL: server.URL + "/", Username: "u", Password: "p"}, asked
}

// The answers are those of SRS 7.
func TestKickSaysWhetherTheClientWasThere(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]bool{
		`{"code":0,"server":"vid-7272250","service":"zh4a6x53","pid":"7137"}`: true,
		`{"code":2049}`: false,
	} {
		n, asked := kicked(t, http.StatusOK, body)
		got, err := client().Kick(t.Context(), n, media.Client{ID: "2g131e61"})
		if got != want || err != nil {
			t.Errorf("%s: %v, %v", body, got, err)
		}
		if *asked != "DELETE /api/v1/clients/2g131e61 u:p" {
			t.Errorf("asked %q", *asked)
		}
	}
}

func TestKickSaysWhyNot(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string
		want   errs.Kind
	}{
		{http.StatusOK, `{"code":400}`, errs.Conflict},
		{http.StatusOK, `{"code":1061}`, errs.BadGateway},
		{http.StatusOK, `{}`, errs.BadGateway},
		{http.StatusOK, `no JSON`, errs.BadGateway},
		{http.StatusOK, strings.Repeat(" ", maxReply+1), errs.BadGateway},
		{http.StatusUnauthorized, `{"code":0}`, errs.BadGateway},
		{http.StatusInternalServerError, ``, errs.BadGateway},
	} {
		n, _ := kicked(t, c.status, c.body)
		if found, err := client().Kick(t.Context(), n, media.Client{ID: "x"}); found || errs.KindOf(err) != c.want {
			t.Errorf("%d %.20q: %v, %v", c.status, c.body, found, err)
		}
	}
	if _, err := client().Kick(t.Context(), media.Node{}, media.Client{ID: "x"}); errs.As(err).Reason != "cannot_kick" {
		t.Errorf("without a control URL: %v", err)
	}
}

// The id was once said by a server, but what is in a path must stay in it.
func TestKickNeverAsksForMoreThanOneClient(t *testing.T) {
	t.Parallel()
	n, asked := kicked(t, http.StatusOK, `{"code":0}`)
	if _, err := client().Kick(t.Context(), n, media.Client{}); err == nil || *asked != "" {
		t.Errorf("without an id: %v, asked %q", err, *asked)
	}
	if _, err := client().Kick(t.Context(), n, media.Client{ID: "../streams/x?y"}); err != nil || !strings.HasPrefix(*asked, "DELETE /api/v1/clients/..%2Fstreams%2Fx%3Fy ") {
		t.Errorf("%v, asked %q", err, *asked)
	}
}
