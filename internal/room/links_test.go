package room

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

func TestAnchorGetsPushURLsUntilTheRoomEnds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, st := range []Status{Prepare, On, Off} {
		r := b.inState(t, st)
		path := "/live/" + r.ID
		l := b.LinksFor(r, "alice", start)
		if st == Off {
			if l.Push != nil {
				t.Errorf("an ended room hands out %+v", l.Push)
			}
			continue
		}
		rest := "Push.Example:1935" + path + "?publish@push.example--60"
		if want := (PushURLs{RTMP: "rtmp://" + rest, RTS: "artc://" + rest, SRT: "srt://" + rest}); *l.Push != want {
			t.Errorf("in %d: %+v, want %+v", st, *l.Push, want)
		}
		for _, caller := range []string{"bob", "", "Alice", "admin"} {
			if l := b.LinksFor(r, caller, start); l.Push != nil {
				t.Errorf("%q gets %+v", caller, *l.Push)
			}
		}
	}
}

func TestEverybodyGetsPullURLsInEveryState(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, st := range []Status{Prepare, On, Off} {
		r := b.inState(t, st)
		path := "/live/" + r.ID
		want := PullURLs{
			RTMP: "rtmp://pull.example" + path + "?play@pull.example--60",
			RTS:  "artc://pull.example" + path + "?play@pull.example--60",
			FLV:  "https://web.example:8443" + path + ".flv?play@pull.example-.flv-60",
			HLS:  "https://web.example:8443" + path + ".m3u8?play@pull.example-.m3u8-60",
		}
		for _, caller := range []string{"alice", "bob", ""} {
			if l := b.LinksFor(r, caller, start); l.Pull != want || l.Link != nil {
				t.Errorf("%q in %d gets %+v, want %+v", caller, st, l, want)
			}
		}
	}
}

func TestRoomKeepsTheApplicationThatItWasMadeIn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t)
	b.Links.App = "moved"
	if l := b.LinksFor(b.get(t, r.ID), "alice", start); !strings.HasPrefix(l.Pull.RTMP, "rtmp://pull.example/live/"+r.ID) {
		t.Errorf("pull URL %s", l.Pull.RTMP)
	}
	if moved := b.create(t); moved.App != "moved" {
		t.Errorf("a new room is in %q", moved.App)
	}
}

func TestWithoutLowLatencyThereAreNoSuchURLs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Links.RTS = false
	l := b.LinksFor(b.create(t, linked), "alice", start)
	if l.Push.RTS != "" || l.Pull.RTS != "" || l.Link.CDN.RTS != "" {
		t.Errorf("links %+v %+v", l, *l.Link)
	}
	if l.Link.RTCPush == "" || l.Push.RTMP == "" || l.Pull.RTMP == "" {
		t.Errorf("the others are gone too: %+v", l)
	}
}

func TestWithoutASignatureURLsHaveNoQuery(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.signer.off = true
	r := b.create(t)
	l := b.LinksFor(r, "alice", start)
	if l.Push.RTMP != "rtmp://Push.Example:1935/live/"+r.ID || l.Pull.HLS != "https://web.example:8443/live/"+r.ID+".m3u8" {
		t.Errorf("links %+v %+v", *l.Push, l.Pull)
	}
}

func TestLinkURLsAreTheCallersOwnAndTheAnchorsMixedStream(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t, linked)
	name := rtcAppID + "_" + r.MeetingID + "_alice_camera"
	for _, caller := range []string{"alice", "bob"} {
		l := b.LinksFor(r, caller, start).Link
		for verb, url := range map[string]string{"push": l.RTCPush, "play": l.RTCPull} {
			want := fmt.Sprintf("artc://live.aliyun.com/%s/%s?sdkAppId=%s&userId=%s&timestamp=1700086400&token=", verb, r.MeetingID, rtcAppID, caller)
			if !strings.HasPrefix(url, want) || len(url) != len(want)+64 {
				t.Errorf("%s URL of %s: %s", verb, caller, url)
			}
		}
		if want := "rtmp://pull.example/live/" + name + "?play@pull.example--1440"; l.CDN.RTMP != want {
			t.Errorf("mixed stream %s, want %s", l.CDN.RTMP, want)
		}
	}
	// The application of co-streams is the vendor's, whatever ours is called.
	b.Links.App = "other"
	if l := b.LinksFor(r, "alice", start).Link; !strings.HasPrefix(l.CDN.FLV, "https://web.example:8443/live/"+name+".flv?") {
		t.Errorf("mixed stream %s", l.CDN.FLV)
	}
}

func TestNameOfAViewerAddsNoParameters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t, linked)
	l := b.LinksFor(r, "mallory&userId=alice", start).Link
	if strings.Contains(l.RTCPush, "&userId=alice") || !strings.Contains(l.RTCPush, "?sdkAppId="+rtcAppID+"&userId=mallory%26userId%3Dalice&timestamp=") {
		t.Errorf("URL %s", l.RTCPush)
	}
	if l := b.LinksFor(r, "a_b-c=d", start).Link; !strings.Contains(l.RTCPush, "&userId=a_b-c=d&") {
		t.Errorf("URL %s", l.RTCPush)
	}
}

// The published vectors of the AppServer's clients, through the real signer.
func TestURLsAreThoseThatClientsVerify(t *testing.T) {
	t.Parallel()
	pool := dbtest.Pool(t)
	now := func() time.Time { return start }
	rules := access.New(access.Config{DB: pool, Box: dbtest.Box(), Now: now, Rand: rand.Reader, Log: dbtest.Log(t), App: "live"})
	for _, n := range []access.NewRule{
		{Domain: "push.example.com", Scene: media.Publish, Scheme: "aliyun_a", Secret: "pushkey0123456789"},
		{Domain: "pull.example.com", Scene: media.Play, Scheme: "aliyun_a", Secret: "pullkey9876543210"},
	} {
		if _, err := rules.CreateRule(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	s := New(Config{DB: pool, Now: now, Signer: rules, Links: LinkConfig{PushDomain: "push.example.com", PullDomain: "pull.example.com",
		HTTPPullDomain: "pull.example.com", App: "live", HTTPScheme: "https", RTS: true, RTCAppID: rtcAppID, RTCAppKey: rtcAppKey}})
	r := Room{ID: "c8d619e2e7ec445db8a1e1ebf967d6c3", App: "live", AnchorID: "Cedric8", Mode: ModeLink, MeetingID: "66584c06-347f-47c6-8a18-fa2860c563ba"}
	l := s.LinksFor(r, "Cedric8", start) // a TTL of nothing: they expire now, at 1700000000

	own := "/live/c8d619e2e7ec445db8a1e1ebf967d6c3"
	mixed := "/live/" + rtcAppID + "_66584c06-347f-47c6-8a18-fa2860c563ba_Cedric8_camera"
	rtc := "/66584c06-347f-47c6-8a18-fa2860c563ba?sdkAppId=" + rtcAppID + "&userId=Cedric8&timestamp=1700086400&token=880f39288ea241317cbfd1a4fc2f9c19ccb9f9f90c07a1f8ce0c62c4ff48f58a"
	for got, want := range map[string]string{
		l.Push.RTMP:     "rtmp://push.example.com" + own + "?auth_key=1700000000-0-0-523b274c6a48b65036d6228ff206d4d7",
		l.Push.RTS:      "artc://push.example.com" + own + "?auth_key=1700000000-0-0-523b274c6a48b65036d6228ff206d4d7",
		l.Push.SRT:      "srt://push.example.com" + own + "?auth_key=1700000000-0-0-523b274c6a48b65036d6228ff206d4d7",
		l.Pull.RTMP:     "rtmp://pull.example.com" + own + "?auth_key=1700000000-0-0-6dc962cc8fd24977820e8ee16e236fa1",
		l.Pull.RTS:      "artc://pull.example.com" + own + "?auth_key=1700000000-0-0-6dc962cc8fd24977820e8ee16e236fa1",
		l.Pull.FLV:      "https://pull.example.com" + own + ".flv?auth_key=1700000000-0-0-9a183c726ff0e7d83bc61a2485e6bfda",
		l.Pull.HLS:      "https://pull.example.com" + own + ".m3u8?auth_key=1700000000-0-0-347e44fa7db75408f2ac688d12f2c765",
		l.Link.RTCPush:  "artc://live.aliyun.com/push" + rtc,
		l.Link.RTCPull:  "artc://live.aliyun.com/play" + rtc,
		l.Link.CDN.RTMP: "rtmp://pull.example.com" + mixed + "?auth_key=1700086400-0-0-33882fde123091b203126a27df18e781",
		l.Link.CDN.FLV:  "https://pull.example.com" + mixed + ".flv?auth_key=1700086400-0-0-ccda736595eaf88be4de4aa0c352594e",
		l.Link.CDN.HLS:  "https://pull.example.com" + mixed + ".m3u8?auth_key=1700086400-0-0-5ca435fbf03db1e2284161b6640731f1",
	} {
		if got != want {
			t.Errorf("%s, want\n%s", got, want)
		}
	}
}

func TestAnyStreamCanBeLinked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	l := b.StreamLinks("vod", "x", start.Add(2*time.Minute))
	if l.Push.RTMP != "rtmp://Push.Example:1935/vod/x?publish@push.example--2" || l.Pull.FLV != "https://web.example:8443/vod/x.flv?play@pull.example-.flv-2" || l.Link != nil {
		t.Errorf("links %+v %+v", *l.Push, l.Pull)
	}
}

func TestHostIsADomainWithoutItsPort(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"push.example": "push.example", "Push.Example:1935": "push.example", "127.0.0.1": "127.0.0.1", "127.0.0.1:1935": "127.0.0.1",
		"[::1]:1935": "::1", "[::1]": "::1", "::1": "::1", "[2001:DB8::1]:80": "2001:db8::1", "": "",
	} {
		if got := media.HostOf(in); got != want {
			t.Errorf("host of %q is %q, want %q", in, got, want)
		}
	}
}
