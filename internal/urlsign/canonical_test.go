package urlsign

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestCanonicalShowsWhatIsHashed(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		name    string
		options Options
		query   string
		want    string
	}{
		"ours":       {"stagedoor", Options{}, "a=b&sd=v2-1893456000-k1-AAAAAAAAAAAAAAAAAAAAAA", "stagedoor-url-1\nv2-1893456000-k1\n/live/cam1"},
		"ours, app":  {"stagedoor", Options{}, "sd=v1-1893456000-k1-AAAAAAAAAAAAAAAAAAAAAA", "stagedoor-url-1\nv1-1893456000-k1\n/live"},
		"type A":     {"aliyun_a", Options{}, "auth_key=1893456000-0-0-" + strings.Repeat("0", 32), "/live/cam1.flv-1893456000-0-0-{key}"},
		"volcengine": {"volcengine_b", Options{}, "volcTime=1893456000&volcSecret=" + strings.Repeat("0", 32), "/live/cam1{key}1893456000"},
		"custom": {"volcengine_custom", Options{Fields: []string{"key", "volcTime", "Domain"}},
			"volcTime=1893456000&volcSecret=" + strings.Repeat("0", 32), "{key}1893456000pull.example"},
	}
	target := Target{Scene: Play, App: "live", Stream: "cam1", Path: "/live/cam1.flv", Host: "pull.example"}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := New(c.name, c.options)
			if err != nil {
				t.Fatal(err)
			}
			got := s.Canonical(c.query, target, VerifyOptions{Validity: time.Minute})
			want := Canonical{Text: c.want, At: time.Unix(1893456000, 0), Expires: time.Unix(1893456060, 0)}
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
			if got := s.Canonical("x=y", target, VerifyOptions{}); got != (Canonical{}) {
				t.Errorf("without a signature: %+v", got)
			}
		})
	}
}

// What a client writes ends up on the terminal of whoever asks why.
func TestCanonicalIsPrintable(t *testing.T) {
	t.Parallel()
	got := newTypeA("aliyun_a").Canonical("auth_key=1-%1b[2J%ff-0-"+strings.Repeat("0", 32), Target{App: "live", Stream: "x\x00y"}, VerifyOptions{})
	if got.Text != "/live/x\ufffdy-1-\ufffd[2J\ufffd-0-{key}" || !utf8.ValidString(got.Text) {
		t.Errorf("%q", got.Text)
	}
}
