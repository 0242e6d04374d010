package media

import (
	"encoding/json"
	"testing"
)

func TestEachProtocolHasItsTemplate(t *testing.T) {
	t.Parallel()
	var u URLs
	for _, p := range Protocols {
		*u.At(p) = p
	}
	text, err := json.Marshal(u)
	var byName map[string]string
	if err == nil {
		err = json.Unmarshal(text, &byName)
	}
	if err != nil || len(byName) != len(Protocols) {
		t.Fatalf("%s, %v", text, err)
	}
	for _, p := range Protocols {
		if byName[p] != p {
			t.Errorf("%s is stored in %s", p, text)
		}
	}
	if u.At("gopher") != nil {
		t.Error("a protocol that is none has a place")
	}
}

func TestBrowsersAreServedFirst(t *testing.T) {
	t.Parallel()
	for want, u := range map[string]URLs{
		"a": {HTTPFLV: "a", HLS: "b", RTMP: "c"}, "b": {HLS: "b", RTMP: "c", Push: "d"}, "c": {RTMP: "c", SRT: "e", Push: "d"}, "": {Push: "d"},
	} {
		if got := u.Play(); got != want {
			t.Errorf("%+v plays by %q, not %q", u, got, want)
		}
	}
}

func TestTemplatesAreFilledOnce(t *testing.T) {
	t.Parallel()
	if got := FillURL("x://{vhost}/{app}/{stream}/{stream}{other}", Stream{"v", "{stream}", "{app}"}); got != "x://v/{stream}/{app}/{app}{other}" {
		t.Errorf("got %s", got)
	}
}
