package nginxrtmp

import (
	"net/http"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

var _ media.Kicker = Client{}

func someone(id string) media.Client {
	return media.Client{ID: id, Stream: media.Stream{App: "live", Name: "room 1"}}
}

func TestKickDropsOneClientOfOneApplication(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]bool{"1": true, "1\n": true, "0": false} {
		var asked string
		n := served(t, func(w http.ResponseWriter, r *http.Request) {
			asked = r.Method + " " + r.URL.String()
			_, _ = w.Write([]byte(body))
		})
		got, err := testClient().Kick(t.Context(), n, someone("540"))
		if got != want || err != nil {
			t.Errorf("%q: %v, %v", body, got, err)
		}
		if asked != "GET /control/drop/client?app=live&clientid=540" {
			t.Errorf("asked %q", asked)
		}
	}
}

// The module compares what it is sent without decoding it.
func TestKickNamesTheClientAsTheModuleDoes(t *testing.T) {
	t.Parallel()
	for want, who := range map[string]media.Client{
		"app=live&clientid=7&addr=192.0.2.7":          {ID: "7", Stream: media.Stream{App: "live"}, Address: "192.0.2.7"},
		"app=live/sub&clientid=7&addr=2001:db8::7":    {ID: "7", Stream: media.Stream{App: "live/sub"}, Address: "2001:db8::7"},
		"app=a%26clientid%3D1%23&clientid=7&addr=x+y": {ID: "7", Stream: media.Stream{App: "a&clientid=1#"}, Address: "x y"},
	} {
		n := served(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.RawQuery != want {
				t.Errorf("asked %s, want %s", r.URL.RawQuery, want)
			}
			_, _ = w.Write([]byte("1"))
		})
		if found, err := testClient().Kick(t.Context(), n, who); !found || err != nil {
			t.Errorf("%+v: %v, %v", who, found, err)
		}
	}
}

// A filter that the module cannot read matches everybody.
func TestKickNeverDropsEverybody(t *testing.T) {
	t.Parallel()
	n := served(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("asked %s", r.URL) })
	for _, c := range []media.Client{someone(""), someone("0"), someone("x"), someone("-1"), someone("1x"), someone("99999999999"), {ID: "5"}} {
		if found, err := testClient().Kick(t.Context(), n, c); found || errs.KindOf(err) != errs.BadGateway {
			t.Errorf("%+v: %v, %v", c, found, err)
		}
	}
}

func TestKickSaysWhyNot(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]errs.Kind{http.StatusNotFound: errs.Conflict, http.StatusForbidden: errs.Conflict,
		http.StatusInternalServerError: errs.BadGateway, http.StatusOK: errs.BadGateway} {
		n := served(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte("<html>no number</html>"))
		})
		if found, err := testClient().Kick(t.Context(), n, someone("5")); found || errs.KindOf(err) != want {
			t.Errorf("%d: %v, %v", status, found, err)
		}
	}
	if _, err := testClient().Kick(t.Context(), media.Node{}, someone("5")); errs.As(err).Reason != "cannot_kick" {
		t.Errorf("without a control URL: %v", err)
	}
}
