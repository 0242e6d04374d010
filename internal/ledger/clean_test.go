package ledger

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

func TestHostileTextIsStorable(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, text := range map[string]string{
		"NUL":            "a\x00b",
		"not UTF-8":      "a\xc3\x28b",
		"half a rune":    strings.Repeat("é", maxText),
		"surrogate":      "\xed\xa0\x80",
		"huge":           strings.Repeat("x", 1<<20),
		"statement":      `'"; DROP TABLE sessions; --`,
		"array":          `{a,"b\\"}`,
		"right to left":  "\u202egnp.exe",
		"only a NUL":     "\x00",
		"control":        "\x01\x1b[31m",
		"backslashes":    `\\\'\x00`,
		"percent escape": "%00%ff",
	} {
		t.Run(name, func(t *testing.T) {
			c := onSRS(stream(strings.ReplaceAll(name, " ", "-"))).process(text).called(text)
			publish, play, end := c.publish(), c.play(), c.close()
			for _, e := range []*media.Event{&publish, &play, &end} {
				e.Address, e.Protocol, e.Host, e.PageURL, e.Query = text, text, text, text, text
			}
			b.allow(t, publish, play, c.recorded(text, text), end)
		})
	}
	b.wantOpen(t)
}

func TestCleanBoundsWhatItKeeps(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat("é", 1<<16)
	e := clean(media.Event{ServerID: huge, ClientID: huge, Address: huge, Protocol: huge, Host: huge, File: huge, Dir: huge,
		Query: huge, Stream: media.Stream{Vhost: huge, App: huge, Name: huge}})
	for _, s := range []string{e.ServerID, e.ClientID, e.Address, e.Protocol, e.Host, e.File, e.Dir, e.Stream.Vhost, e.Stream.App, e.Stream.Name} {
		if len(s) > maxText+utf8.UTFMax || !utf8.ValidString(s) {
			t.Errorf("%d bytes, valid %v", len(s), utf8.ValidString(s))
		}
	}
	if len(e.Query) > maxQuery {
		t.Errorf("query of %d bytes", len(e.Query))
	}
}

func TestCleanLeavesAnOrdinaryEventAlone(t *testing.T) {
	t.Parallel()
	e := onSRS(stream("räum-1")).publish()
	e.Query, e.Host, e.PageURL = "token=abc&x=%20", "push.example.com", "https://example.com/?a=b"
	if got := clean(e); !reflect.DeepEqual(got, e) {
		t.Errorf("got %+v, want %+v", got, e)
	}
	e.Stream.Vhost = ""
	if got := clean(e); got.Stream.Vhost != media.DefaultVhost {
		t.Errorf("vhost %q", got.Stream.Vhost)
	}
}

func FuzzClean(f *testing.F) {
	f.Add("client", "stream", "query")
	f.Add("\x00", "a\xff", strings.Repeat("é", 600))
	f.Fuzz(func(t *testing.T, id, name, query string) {
		e := clean(media.Event{ClientID: id, Query: query, Stream: media.Stream{Name: name}})
		for _, s := range []string{e.ClientID, e.Stream.Name} {
			if !utf8.ValidString(s) || strings.ContainsRune(s, 0) || len(s) > maxText+utf8.UTFMax {
				t.Errorf("%q is not storable", s)
			}
		}
		again := clean(e)
		if again.ClientID != e.ClientID && len(e.ClientID) <= maxText {
			t.Errorf("cleaning twice gives %q after %q", again.ClientID, e.ClientID)
		}
	})
}
