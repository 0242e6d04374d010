package e2e

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// What the program signs, Node-Media-Server itself takes, without asking
// anybody; and what has been changed it does not.
func TestNodeMediaServersOwnCheckTakesOurSignaturesAndNoOthers(t *testing.T) {
	t.Parallel()
	const secret = "shared between two"
	m := newNodeMediaServer(t)
	s := newServer(t, map[string]string{"PUSH_DOMAIN": m.rtmp, "HTTP_PULL_DOMAIN": m.web, "PULL_SCHEME": "http"})
	m.start(t, "", map[string]any{"publish": true, "play": true, "secret": secret})
	for _, scene := range []string{"publish", "play"} {
		s.cliReading(t, secret+"\n", "rule", "create", "--scene", scene, "--application", "live", "--scheme", "nms_sign", "--key-stdin")
	}
	var signed struct {
		Push struct{ RTMP string }
		Play struct{ RTMP, FLV string }
	}
	if err := json.Unmarshal([]byte(s.cli(t, "sign", "stage", "--json")), &signed); err != nil {
		t.Fatal(err)
	}
	encoder := publish(t, signed.Push.RTMP)
	eventually(t, "it publishes", func() bool { return m.publishes(t, "stage") })
	for _, url := range []string{signed.Play.RTMP, signed.Play.FLV} {
		player := play(t, url)
		player.watch(t, 2)
		player.drop(t)
	}

	var refused []*client
	for _, change := range changedSignatures {
		refused = append(refused, play(t, change(signed.Play.RTMP)), publish(t, strings.Replace(change(signed.Push.RTMP), "/stage", "/other", 1)))
	}
	for _, c := range refused {
		c.mustBeRefused(t)
	}
	if m.publishes(t, "other") || encoder.ended() {
		t.Error("somebody else publishes")
	}
	encoder.quit(t)
}

// changedSignatures are signed URLs that are none any more.
var changedSignatures = []func(url string) string{
	withoutQuery,
	func(url string) string { return strings.Replace(url, "/stage", "/other", 1) },
	func(url string) string { return url[:len(url)-1] + string("10"[url[len(url)-1]&1]) },
	func(url string) string { return regexp.MustCompile(`sign=\d`).ReplaceAllString(url, "sign=9") },
	func(url string) string { return regexp.MustCompile(`sign=\d+`).ReplaceAllString(url, "sign=1") },
}
