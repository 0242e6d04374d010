package room

import (
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

func TestMembersAreReplacedAndKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t, linked)
	if got, err := b.Meeting(t.Context(), r.ID); err != nil || len(got) != 0 {
		t.Errorf("at first: %+v, error %v", got, err)
	}
	members := []Member{{UserID: "alice", UserNick: "A \"quoted\" 昵称", UserAvatar: "https://a/", CameraOpened: true, MicOpened: true, RTCPullURL: "artc://x?a=1&b=<2>"}, {UserID: "bob"}}
	for _, want := range [][]Member{members, members[1:], {}} {
		got, err := b.SetMeeting(t.Context(), "alice", r.ID, want)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("answered %+v, error %v", got, err)
		}
		kept, err := b.Meeting(t.Context(), r.ID)
		if err != nil || !reflect.DeepEqual(kept, want) {
			t.Errorf("kept %+v, want %+v, error %v", kept, want, err)
		}
	}
	if got, err := b.SetMeeting(t.Context(), "alice", r.ID, nil); err != nil || got == nil {
		t.Errorf("nothing becomes %#v, error %v; want an empty list", got, err)
	}
}

func TestMembersAreChecked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r, plain := b.create(t, linked), b.create(t)
	_, err := b.SetMeeting(t.Context(), "alice", plain.ID, nil)
	wantErr(t, err, errs.Invalid, "not_a_link_room")
	if got, err := b.Meeting(t.Context(), plain.ID); err != nil || len(got) != 0 {
		t.Errorf("members of a plain room: %+v, error %v", got, err)
	}
	_, err = b.Meeting(t.Context(), "nobody")
	wantErr(t, err, errs.NotFound, "room_not_found")
	for name, c := range map[string]struct {
		members []Member
		reason  string
	}{
		"a hundred":           {make([]Member, 100), ""},
		"one too many":        {make([]Member, 101), "invalid_members"},
		"long id":             {[]Member{{UserID: strings.Repeat("a", 257)}}, "invalid_members"},
		"long nick":           {[]Member{{UserNick: strings.Repeat("a", 257)}}, "invalid_members"},
		"long avatar":         {[]Member{{UserAvatar: strings.Repeat("a", 1025)}}, "invalid_members"},
		"long URL":            {[]Member{{RTCPullURL: strings.Repeat("a", 1025)}}, "invalid_members"},
		"NUL, which JSON has": {[]Member{{UserNick: "\x00"}}, "invalid_text"},
		"no UTF-8":            {[]Member{{UserID: "\xff"}}, "invalid_text"},
		"everything at once": {[]Member{{UserID: strings.Repeat("a", 256), UserNick: strings.Repeat("a", 256), UserAvatar: strings.Repeat("a", 1024),
			RTCPullURL: strings.Repeat("a", 1024)}}, ""},
	} {
		_, err := b.SetMeeting(t.Context(), "alice", r.ID, c.members)
		if c.reason == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if c.reason != "" && (errs.KindOf(err) != errs.Invalid || errs.As(err).Reason != c.reason) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNoLikeIsLost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r, other := b.create(t), b.create(t)
	const people, batches = 16, 10
	var wg sync.WaitGroup
	for i := range people {
		wg.Go(func() {
			last := int64(0)
			for range batches {
				total, err := b.Like(t.Context(), r.ChatID, i+1)
				if err != nil || total < last+int64(i+1) {
					t.Errorf("total %d after %d, error %v", total, last, err)
				}
				last = total
			}
		})
	}
	wg.Wait()
	want := int64(batches * people * (people + 1) / 2)
	if got := b.get(t, r.ID).Likes; got != want {
		t.Errorf("%d likes, want %d", got, want)
	}
	if got := b.get(t, other.ID).Likes; got != 0 {
		t.Errorf("the other room has %d", got)
	}
}

func TestLikesAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.inState(t, Off)
	for _, n := range []int{0, -1, 10_001, 1 << 40} {
		_, err := b.Like(t.Context(), r.ChatID, n)
		wantErr(t, err, errs.Invalid, "invalid_like_count")
	}
	if total, err := b.Like(t.Context(), r.ChatID, 10_000); err != nil || total != 10_000 {
		t.Errorf("total %d, error %v", total, err)
	}
	for _, chat := range []string{"nobody", "", "a b"} {
		_, err := b.Like(t.Context(), chat, 1)
		wantErr(t, err, errs.NotFound, "room_not_found")
	}
}
