package finding

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSentencesAreFilledForPeopleAndForPrograms(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 1, 12, 30, 0, 0, time.UTC)
	f := New("expired", "sign_new_url", Args{"until": at, "ago": 90 * time.Minute})
	if f.Code != "expired" || f.Text != "The signature is right, and was good until 2026-05-01 12:30:00 UTC, 1h30m ago." || !strings.HasPrefix(f.Change, "Sign a new URL") {
		t.Errorf("%+v", f)
	}
	if g := f.WithoutChange(); g.Change != "" || g.ChangeCode != "" || g.Text != f.Text {
		t.Errorf("%+v", g)
	}
	if f = New("bound_to_an_address", "", nil); f.Code != "bound_to_another_address" || f.Change != "" {
		t.Errorf("another way to say it: %+v", f)
	}
	for _, c := range []struct {
		value      any
		text, wire string
	}{
		{"live/x", "live/x", "live/x"}, {"a\x1b[2J{until}", "a\ufffd[2J{until}", "a\ufffd[2J{until}"}, {3, "3", "3"}, {at, "2026-05-01 12:30:00 UTC", "2026-05-01T12:30:00Z"},
		{-4 * 24 * time.Hour, "4 days", "345600"}, {42 * time.Second, "42s", "42"},
		{Rule{5, "rule 5 (publish, anything)"}, "rule 5 (publish, anything)", "5"}, {Guess("whip"), "it is a WHIP address", "whip"}, {nil, "", ""},
	} {
		if text, wire := words(c.value), Wire(c.value); text != c.text || wire != c.wire {
			t.Errorf("%v: %q and %q, want %q and %q", c.value, text, wire, c.text, c.wire)
		}
	}
}

// Who translates reads the sentences in the API reference.
func TestTheReferenceListsEverySentence(t *testing.T) {
	t.Parallel()
	spec, err := os.ReadFile("../../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, sentences := range []map[string]string{maps.Collect(Texts()), maps.Collect(Changes()), maps.Collect(Guesses())} {
		for code, text := range sentences {
			all["- `"+code+"`: "+text+"\n"] = code
		}
	}
	for _, line := range slices.Sorted(maps.Keys(all)) {
		if !strings.Contains(string(spec), line) {
			t.Errorf("openapi.yaml has no line %s", line)
		}
	}
}

// A code in quotes in those who notice things is one of ours, and each is used.
func TestEverySentenceIsSaid(t *testing.T) {
	t.Parallel()
	said := map[string]bool{"signed_to_publish": true, "signed_to_play": true} // which are put together
	for _, name := range []string{"access/explain.go", "access/explain_near.go", "access/explain_query.go", "access/explain_signature.go", "access/explain_token.go",
		"explain/explain.go", "mediaurl/mediaurl.go", "mediaurl/srt.go", "mediaurl/web.go"} {
		source, err := os.ReadFile("../" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`"(\w+)"`).FindAllSubmatch(source, -1) {
			said[string(m[1])] = true
		}
		for _, m := range regexp.MustCompile(`(?:find|note|findMade|finding\.New|add)\("(\w+)", "(\w*)"`).FindAllSubmatch(source, -1) {
			if _, ok := texts[string(m[1])]; !ok {
				t.Errorf("%s says %s, which has no text", name, m[1])
			}
			if change := string(m[2]); change != "" && changes[change] == "" {
				t.Errorf("%s advises %s, which has no text", name, change)
			}
		}
	}
	for _, codes := range [][]string{slices.Collect(maps.Keys(texts)), slices.Collect(maps.Keys(changes)), slices.Collect(maps.Keys(guesses))} {
		for _, code := range codes {
			if !said[code] {
				t.Errorf("nobody says %s", code)
			}
		}
	}
}
