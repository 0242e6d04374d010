package e2e

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

func (s *story) refusesBadCredentials(t *testing.T) {
	pull, other := s.room.PullURLInfo.RTMPURL, s.admin.createRoom(t, "another room")
	s.refusesAll(t, []entry{
		{"a play URL whose expiry was moved", "play", s.path(), "signature_mismatch", laterExpiry(pull)},
		{"a push URL whose expiry was moved", "publish", s.path(), "signature_mismatch", laterExpiry(s.pushURL())},
		{"a play URL that expired", "play", s.path(), "signature_expired", s.expired(t, "play")},
		{"a push URL that expired", "publish", "live/" + other.ID, "signature_expired", s.expiredFor(t, other.ID, "publish")},
		{"the signature of another stream", "play", "live/" + other.ID, "signature_mismatch", strings.Replace(pull, s.room.ID, other.ID, 1)},
		{"a play URL at the publish door", "publish", s.path(), "signature_mismatch", pull},
		{"half a signature", "play", s.path(), "signature_malformed", pull[:len(pull)-5]},
		{"a play URL without credential", "play", s.path(), "no_credential", withoutQuery(pull)},
		{"a push URL without credential", "publish", "live/" + other.ID, "no_credential", withoutQuery(other.PushURLInfo.RTMPURL)},
	})
	if got := s.admin.room(t, other.ID); got.Status != 0 {
		t.Errorf("the other room has status %d", got.Status)
	}
}

// entry is somebody at a door who must be refused.
type entry struct{ what, scene, stream, reason, url string }

func (s *story) refusesAll(t *testing.T, entries []entry) {
	t.Helper()
	for _, e := range entries {
		enter := play
		if e.scene == "publish" {
			enter = publish
		}
		s.refuses(t, e.scene, e.stream, e.reason, func() *client { return enter(t, e.url) })
		say(t, "%-36s %s", e.what+":", e.reason)
	}
}

func withoutQuery(url string) string {
	before, _, _ := strings.Cut(url, "?")
	return before
}

var expiryPattern = regexp.MustCompile(`-(\d{10})-`)

func expiryOf(t *testing.T, url string) time.Time {
	t.Helper()
	seconds, err := strconv.ParseInt(firstMatch(url, expiryPattern.String()), 10, 64)
	if err != nil {
		t.Fatalf("no expiry in %s: %v", url, err)
	}
	return time.Unix(seconds, 0)
}

// laterExpiry is what somebody tries whose URL has run out.
func laterExpiry(url string) string {
	return expiryPattern.ReplaceAllStringFunc(url, func(old string) string { return "-9" + old[2:] })
}

func (s *story) expired(t *testing.T, verb string) string { return s.expiredFor(t, s.room.ID, verb) }

// expiredFor signs a URL for one second and waits until that is over.
func (s *story) expiredFor(t *testing.T, stream, verb string) string {
	t.Helper()
	var signed struct{ Push, Play map[string]string }
	decode(t, s.cli(t, "sign", stream, "--ttl", "1s", "--json"), &signed)
	url := signed.Play["rtmp"]
	if verb == "publish" {
		url = signed.Push["rtmp"]
	}
	end := expiryOf(t, url).Add(time.Second) // it is valid through its last second
	eventually(t, "the URL has expired", func() bool { return time.Now().After(end) })
	return url
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

func (s *story) takesLiveTokens(t *testing.T) {
	pair, other := s.admin.createToken(t, "studio"), s.admin.createToken(t, "elsewhere")
	base := "rtmp://" + s.nginx.rtmp + "/live/studio?token="
	encoder := publish(t, base+pair.Token)
	eventually(t, "the stream is listed", func() bool { return s.admin.stream(t, "studio") != nil })
	player := play(t, base+pair.PlayToken)
	player.watch(t, 3)
	say(t, "published with token, %d pictures played with play_token", player.frames())
	player.quit(t)
	encoder.quit(t)
	eventually(t, "the stream is gone", func() bool { return s.admin.stream(t, "studio") == nil })

	s.refusesAll(t, []entry{
		{"publishing with play_token", "publish", "live/studio", "wrong_scene", base + pair.PlayToken},
		{"the token of another stream", "publish", "live/studio", "wrong_stream", base + other.Token},
		{"a guess", "play", "live/studio", "token_unknown", base + "guess"},
	})
	s.admin.destroyToken(t, pair.Token)
	s.refusesAll(t, []entry{
		{"publishing after it was destroyed", "publish", "live/studio", "token_revoked", base + pair.Token},
		{"playing after it was destroyed", "play", "live/studio", "token_revoked", base + pair.PlayToken},
	})
}

func (s *story) revokesKey(t *testing.T) {
	rule, old := s.publishRule(t)
	s.cli(t, "rule", "key", "add", rule, "--activate")
	before := s.pushURL()
	eventually(t, "the room's push URL is signed with the new key", func() bool {
		s.room = s.admin.room(t, s.room.ID)
		return !strings.Contains(s.pushURL(), "-"+old+"-")
	})
	say(t, "key %s retires; the room's push URL is signed with the new one", old)
	s.refuses(t, "publish", s.path(), "already_publishing", func() *client { return publish(t, before) })
	say(t, "the old URL is still good: already_publishing, not a signature error")
	s.cli(t, "rule", "key", "revoke", rule, old)
	logged := s.log.count(refusal(s.path(), "key_revoked"))
	eventually(t, "the old URL is refused", func() bool {
		publish(t, before).mustBeRefused(t)
		return s.log.count(refusal(s.path(), "key_revoked")) > logged
	})
	say(t, "key %s revoked, the old URL: key_revoked", old)
}

type ruleJSON struct {
	ID    string
	Scene string
	Keys  []struct{ ID, State string }
}

// publishRule returns the rule of push URLs and its active key.
func (s *story) publishRule(t *testing.T) (rule, key string) {
	t.Helper()
	var rules []ruleJSON
	decode(t, s.cli(t, "rule", "list", "--json"), &rules)
	for _, r := range rules {
		for _, k := range r.Keys {
			if r.Scene == "publish" && k.State == "active" {
				return r.ID, k.ID
			}
		}
	}
	t.Fatalf("no active publish key in %+v", rules)
	return "", ""
}
