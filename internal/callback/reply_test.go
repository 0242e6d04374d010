package callback_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/spectest"
)

// split takes a raw answer apart without a parser that forgives anything.
func split(t *testing.T, answer string) (status string, header map[string]string, body string) {
	t.Helper()
	head, body, found := strings.Cut(answer, "\r\n\r\n")
	if !found {
		t.Fatalf("no end of the header in %q", answer)
	}
	lines := strings.Split(head, "\r\n")
	header = map[string]string{}
	for _, line := range lines[1:] {
		key, value, _ := strings.Cut(line, ": ")
		if _, twice := header[key]; twice {
			t.Errorf("%s comes twice", key)
		}
		header[key] = value
	}
	_, status, _ = strings.Cut(lines[0], " ")
	return status, header, body
}

// SRS takes one byte for a yes, and nothing else.
func TestSRSGetsOneByte(t *testing.T) {
	t.Parallel()
	b := setup(t)
	status, header, body := split(t, b.raw(t, rawRequest("1.1", "/callback/on_publish", "application/json", publishJSON, "Connection: close\r\n")))
	if status != "200 OK" || body != "0" || header["Content-Length"] != "1" || header["Transfer-Encoding"] != "" || header["Location"] != "" {
		t.Errorf("got %s %v %q", status, header, body)
	}
}

// SRS keeps the connection where it can: the next callback finds it in order.
func TestSRSMayKeepItsConnection(t *testing.T) {
	t.Parallel()
	b := setup(t)
	two := rawRequest("1.1", "/callback/on_publish", "application/json", publishJSON, "Connection: Keep-Alive\r\n") +
		rawRequest("1.1", "/callback/on_play", "application/json", strings.Replace(publishJSON, "on_publish", "on_play", 1), "Connection: close\r\n")
	answers := b.raw(t, two)
	_, _, rest := split(t, answers)
	status, _, body := split(t, strings.TrimPrefix(rest, "0"))
	if !strings.HasPrefix(rest, "0HTTP/1.1 200") || status != "200 OK" || body != "0" {
		t.Errorf("got %q", answers)
	}
}

// nginx-rtmp speaks HTTP/1.0 and waits for the close.
func TestNginxGetsAnEmptyAnswerAndAClose(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, version := range []string{"1.0", "1.1"} {
		for _, connection := range []string{"", "Connection: Close\r\n", "Connection: keep-alive\r\n"} {
			answer := b.raw(t, rawRequest(version, "/callback/nginx-rtmp", "application/x-www-form-urlencoded", publishForm, connection))
			status, header, body := split(t, answer)
			if status != "200 OK" || body != "" || header["Content-Length"] != "0" || header["Location"] != "" {
				t.Errorf("HTTP/%s %q: got %q", version, connection, answer)
			}
		}
	}
}

func TestARefusedCallerIsNotKeptWaiting(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, request := range []string{
		rawRequest("1.0", "/callback/nginx-rtmp?secret=wrong", "application/x-www-form-urlencoded", publishForm, "Connection: keep-alive\r\n"),
		rawRequest("1.1", "/callback/on_publish?secret=wrong", "application/json", publishJSON, ""),
	} {
		status, header, body := split(t, b.raw(t, request))
		if status != "403 Forbidden" || body != refusal || header["Content-Length"] != "37" {
			t.Errorf("got %s %v %q", status, header, body)
		}
	}
}

func TestVerdictsReachTheMediaServer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		verdict media.Verdict
		err     error
		status  int
		body    string
	}{
		"refused": {media.Verdict{Reason: media.SignatureExpired}, nil, http.StatusForbidden, `{"detail":"signature_expired"}`},
		"failed":  {media.Verdict{}, errs.New(errs.Unavailable, "temporarily_unavailable", "later"), http.StatusServiceUnavailable, `{"detail":"temporarily_unavailable"}`},
		"broken":  {media.Verdict{Allow: true}, errors.New("pq: password of stagedoor"), http.StatusServiceUnavailable, `{"detail":"temporarily_unavailable"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.ledger.Verdict, b.ledger.Err = test.verdict, test.err
			for _, c := range []call{srsCall(""), nginxCall(""), nmsCall("")} {
				resp, body := b.do(t, c)
				if resp.StatusCode != test.status || body != test.body {
					t.Errorf("%s: got %d %q", c.target, resp.StatusCode, body)
				}
			}
			if b.told() != 0 {
				t.Error("counted as unauthenticated")
			}
		})
	}
}

func TestEachServersCallbackReachesItsAdapterAsTheSpecSays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.spec = spectest.New(t)
	for path, want := range map[string]media.Action{
		"on_connect": media.Connecting, "on_close": media.Disconnected, "on_publish": media.Publishing, "on_unpublish": media.Unpublished,
		"on_play": media.Playing, "on_stop": media.Stopped, "on_dvr": media.Recorded, "on_hls": media.Informed,
	} {
		before := len(b.ledger.Heard())
		c := srsCall("")
		c.target, c.body = "/callback/"+path, strings.Replace(publishJSON, "on_publish", path, 1)
		if path == "on_dvr" || path == "on_hls" {
			c.body = strings.TrimSuffix(c.body, "}") + `,"cwd":"/srv","file":"rec/a.flv"}`
		}
		resp, body := b.do(t, c)
		heard := b.ledger.Heard()[before:]
		if resp.StatusCode != http.StatusOK || body != "0" || len(heard) != 1 || heard[0].Action != want || heard[0].ServerID != "vid-1/p1" {
			t.Errorf("%s: got %d %q, heard %+v", path, resp.StatusCode, body, heard)
		}
	}
	before := len(b.ledger.Heard())
	b.do(t, nginxCall(""))
	if heard := b.ledger.Heard()[before:]; len(heard) != 1 || heard[0].Serial != 5 || heard[0].Query != "token=client-secret" {
		t.Errorf("nginx: heard %+v", heard)
	}
	before = len(b.ledger.Heard())
	b.do(t, nmsCall(""))
	if heard := b.ledger.Heard()[before:]; len(heard) != 1 || !heard[0].Fact || heard[0].Query != "token=client-secret" {
		t.Errorf("Node-Media-Server: heard %+v", heard)
	}
}

func TestABodyThatIsTooLargeIsRefusedUnheard(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, c := range []call{srsCall(""), nginxCall(""), nmsCall("")} {
		c.body += strings.Repeat(" ", 200<<10)
		resp, body := b.do(t, c)
		if resp.StatusCode != http.StatusRequestEntityTooLarge || !strings.HasPrefix(body, `{"detail":`) {
			t.Errorf("%s: got %d %.80q", c.target, resp.StatusCode, body)
		}
	}
	if len(b.ledger.Heard()) != 0 {
		t.Errorf("heard %+v", b.ledger.Heard())
	}
}
