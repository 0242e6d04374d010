package room

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

func TestNameOfACoStreamIsTakenApart(t *testing.T) {
	t.Parallel()
	s := New(Config{Links: LinkConfig{RTCAppID: rtcAppID}})
	const meeting = "66584c06-347f-47c6-8a18-fa2860c563ba"
	for name, want := range map[string][2]string{
		rtcAppID + "_" + meeting + "_Cedric8_camera":        {meeting, "Cedric8"},
		rtcAppID + "_" + meeting + "_Cedric8_audio":         {meeting, "Cedric8"},
		rtcAppID + "_" + meeting + "_user_with_bars_camera": {meeting, "user_with_bars"},
		rtcAppID + "_" + meeting + "__camera_camera":        {meeting, "_camera"},
		rtcAppID + "_" + meeting + "_a_camera_audio":        {meeting, "a_camera"},
		rtcAppID + "_" + meeting + "_audio_audio":           {meeting, "audio"},
		rtcAppID + "_" + meeting + "_a=b-c_camera":          {meeting, "a=b-c"},
		rtcAppID + "_" + meeting + "__camera":               {},
		rtcAppID + "_" + meeting + "_camera":                {},
		rtcAppID + "__user_camera":                          {},
		rtcAppID + "_camera":                                {},
		rtcAppID + "_" + meeting + "_user":                  {},
		rtcAppID + "_" + meeting + "_user_video":            {},
		rtcAppID + "_" + meeting + "_user_CAMERA":           {},
		"other-app_" + meeting + "_user_camera":             {},
		meeting + "_user_camera":                            {},
		"":                                                  {},
	} {
		m, user, ok := s.parseLinkStream(name)
		if ok != (want[0] != "") || ok && (m != want[0] || user != want[1]) {
			t.Errorf("%s is %q, %q, %v; want %q", name, m, user, ok, want)
		}
	}
}

func TestNameOfALinkStreamIsReadAsItIsWritten(t *testing.T) {
	t.Parallel()
	s := New(Config{Links: LinkConfig{RTCAppID: "app_with_bars"}})
	for _, user := range []string{"alice", "a_b", "_", "camera", "a_camera", "_audio"} {
		r := Room{MeetingID: "m-1", AnchorID: user}
		if m, got, ok := s.parseLinkStream(s.linkStream(r)); !ok || m != "m-1" || got != user {
			t.Errorf("%q is read as %q, %q, %v", user, m, got, ok)
		}
	}
}

// locks tells which room is locked for a stream.
func (b *bundle) locks(t testing.TB, st media.Stream) (id string, ended bool) {
	t.Helper()
	b.tx(t, func(tx pgx.Tx) (err error) {
		id, ended, err = b.Lock(t.Context(), tx, st)
		return err
	})
	return id, ended
}

func TestStreamLeadsToItsRoom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	plain := b.create(t)
	link := b.create(t, linked, func(in *Input) { in.Anchor = "a_b" })
	co := func(user, kind string) string { return rtcAppID + "_" + link.MeetingID + "_" + user + "_" + kind }
	for name, c := range map[string]struct {
		st   media.Stream
		want string
	}{
		"a room's own":                       {media.Stream{App: "live", Name: plain.ID}, plain.ID},
		"on the default vhost":               {media.Stream{Vhost: media.DefaultVhost, App: "live", Name: plain.ID}, plain.ID},
		"on the vhost of our push domain":    {media.Stream{Vhost: "push.example", App: "live", Name: plain.ID}, plain.ID},
		"on another vhost":                   {media.Stream{Vhost: "other.example", App: "live", Name: plain.ID}, ""},
		"in another app":                     {media.Stream{App: "vod", Name: plain.ID}, ""},
		"no room's":                          {media.Stream{App: "live", Name: "x"}, ""},
		"a link room's own":                  {media.Stream{App: "live", Name: link.ID}, link.ID},
		"the anchor's camera":                {media.Stream{App: "live", Name: co("a_b", "camera")}, link.ID},
		"the anchor's voice":                 {media.Stream{App: "live", Name: co("a_b", "audio")}, link.ID},
		"a member's camera":                  {media.Stream{App: "live", Name: co("bob", "camera")}, ""},
		"the camera of half the anchor":      {media.Stream{App: "live", Name: co("a", "camera")}, ""},
		"the anchor's camera in another app": {media.Stream{App: "vod", Name: co("a_b", "camera")}, ""},
		"the camera of another meeting":      {media.Stream{App: "live", Name: rtcAppID + "_zzz_a_b_camera"}, ""},
		"a camera on another vhost":          {media.Stream{Vhost: "other.example", App: "live", Name: co("a_b", "camera")}, ""},
		"a meeting alone":                    {media.Stream{App: "live", Name: link.MeetingID}, ""},
	} {
		if id, ended := b.locks(t, c.st); id != c.want || ended {
			t.Errorf("%s leads to %q, ended %v; want %q", name, id, ended, c.want)
		}
	}
	b.exec(t, "UPDATE rooms SET status = 2")
	for _, name := range []string{plain.ID, link.ID, co("a_b", "camera")} {
		if _, ended := b.locks(t, media.Stream{App: "live", Name: name}); !ended {
			t.Errorf("%s takes a publisher after its room has ended", name)
		}
	}
}

func TestRoomIsFoundInTheApplicationThatItWasMadeIn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t)
	b.Links.App = "moved"
	if id, _ := b.locks(t, r.own()); id != r.ID {
		t.Errorf("found %q", id)
	}
	if id, _ := b.locks(t, media.Stream{App: "moved", Name: r.ID}); id != "" {
		t.Errorf("found %q in another application", id)
	}
}

func TestCameraOfTheAnchorPutsTheRoomOnAir(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t, linked)
	camera := media.Stream{App: "live", Name: b.linkStream(r)}
	guest := media.Stream{App: "live", Name: b.linkStream(Room{MeetingID: r.MeetingID, AnchorID: "bob"})}
	b.published(t, guest)
	if got := b.get(t, r.ID).Status; got != Prepare {
		t.Errorf("a guest's camera makes it %d", got)
	}
	b.published(t, camera)
	if got := b.get(t, r.ID).Status; got != On {
		t.Errorf("the anchor's camera makes it %d", got)
	}
	b.unpublished(t, guest)
	if got := b.get(t, r.ID).Status; got != On {
		t.Errorf("a guest who leaves makes it %d", got)
	}
	b.unpublished(t, camera)
	if got := b.get(t, r.ID).Status; got != Prepare {
		t.Errorf("the anchor who leaves makes it %d", got)
	}
}

func TestStreamBelongsToTheAnchorOfItsRoomForGood(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t)
	link := b.create(t, linked, func(in *Input) { in.Anchor = "bob" })
	check := func(when string) {
		t.Helper()
		for _, c := range []struct{ app, stream, want string }{
			{"live", r.ID, "alice"}, {"vod", r.ID, ""}, {"live", "x", ""}, {"live", "", ""},
			{"live", link.ID, "bob"}, {"live", b.linkStream(link), "bob"},
			// A guest's co-stream is not the guest's to give away.
			{"live", b.linkStream(Room{MeetingID: link.MeetingID, AnchorID: "guest"}), "bob"},
			{"live", rtcAppID + "_unknown-meeting_bob_camera", ""}, {"live", link.MeetingID, ""},
		} {
			got, err := b.StreamOwner(t.Context(), c.app, c.stream)
			if err != nil || got != c.want {
				t.Errorf("%s: %s/%s belongs to %q, error %v; want %q", when, c.app, c.stream, got, err, c.want)
			}
		}
	}
	check("at first")
	for _, id := range []string{r.ID, link.ID} {
		if _, err := b.Delete(t.Context(), b.get(t, id).AnchorID, id); err != nil {
			t.Fatal(err)
		}
	}
	check("after its deletion")
}
