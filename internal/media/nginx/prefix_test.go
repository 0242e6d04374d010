package nginx

import "testing"

func TestACredentialInFrontIsReadAgain(t *testing.T) {
	t.Parallel()
	for from, to := range map[string]string{
		"https://h:8443/live/room1.m3u8?token=a&b=c": "https://h:8443/~token=a&b=c/live/room1.m3u8",
		"https://h/live/%E7%9B%B4.m3u8?sd=a":         "https://h/~sd=a/live/%E7%9B%B4.m3u8",
		"https://h/live/room1.m3u8":                  "",
		"https://h/live/room1.m3u8?a=b/c":            "",
		"https://h/live/room1.m3u8?a=b%2Fc":          "",
		"https://h/%zz?a=b":                          "",
	} {
		if got := Prefixed(from); got != to {
			t.Errorf("%s became %q", from, got)
		}
	}
	a, err := parse("/~token=a&b=c/live/room1.m3u8", layout{})
	if err != nil || a.query != "token=a&b=c" || a.stream.Name != "room1" {
		t.Errorf("read as %+v, %v", a, err)
	}
}
