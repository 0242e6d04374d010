package appserver

import (
	"math"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/room"
)

func TestTimesHave25CharactersInEveryZone(t *testing.T) {
	t.Parallel()
	at := time.Date(2023, 11, 7, 22, 13, 20, 987654321, time.UTC)
	for zone, want := range map[*time.Location]string{
		nil:                                     "2023-11-08T06:13:20+08:00",
		time.UTC:                                "2023-11-07T22:13:20+00:00",
		time.FixedZone("", -(3*60+30)*60):       "2023-11-07T18:43:20-03:30",
		time.FixedZone("Asia/Shanghai", 8*3600): "2023-11-08T06:13:20+08:00",
	} {
		s := &Server{TimeZone: zone}
		if got := s.formatTime(at); got != want || len(got) != 25 {
			t.Errorf("%v: %s", zone, got)
		}
	}
	if got := (&Server{}).formatOptional(nil); got != "0001-01-01T00:00:00Z" {
		t.Errorf("unset is %s", got)
	}
}

func TestFiguresFitIntoThirtyTwoBits(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]int32{-1: 0, 0: 0, 7: 7, math.MaxInt32: math.MaxInt32, math.MaxInt32 + 1: math.MaxInt32, math.MaxInt64: math.MaxInt32} {
		if got := clamp(n); got != want {
			t.Errorf("%d becomes %d", n, got)
		}
	}
	m := toMetrics(room.Metrics{Likes: 1 << 40, Online: 1, PV: 1 << 31, UV: 2})
	if m.LikeCount != math.MaxInt32 || m.Pv != math.MaxInt32 || m.OnlineCount != 1 || m.Uv != 2 {
		t.Errorf("%+v", m)
	}
}

func TestRecordingsAreShownOfEndedRoomsOldestFirst(t *testing.T) {
	t.Parallel()
	files := []room.Recording{
		{PlayURL: "https://m.example.com/b.mp4?token=x.y", CreatedAt: time.Unix(20, 0)},
		{PlayURL: "https://m.example.com/a.flv", Duration: 1500 * time.Millisecond, CreatedAt: time.Unix(10, 0)},
	}
	for _, status := range []room.Status{room.Prepare, room.On} {
		if got := toVODInfo(room.Detail{Room: room.Room{Status: status}, Recordings: files}); got != nil {
			t.Errorf("status %d: %+v", status, got)
		}
	}
	if got := toVODInfo(room.Detail{Room: room.Room{Status: room.Off}}); got.Status != 0 || got.Playlist != nil {
		t.Errorf("no recording: %+v", got)
	}
	got := toVODInfo(room.Detail{Room: room.Room{Status: room.Off}, Recordings: files})
	if got.Status != 1 || len(got.Playlist) != 2 {
		t.Fatalf("%+v", got)
	}
	a, b := got.Playlist[0], got.Playlist[1]
	if a.Format != "flv" || a.Duration != "1.5" || a.CreationTime != "1970-01-01T00:00:10Z" {
		t.Errorf("%+v", a)
	}
	if b.Format != "mp4" || b.Duration != "" || b.BitRate != "" || b.Height != 0 {
		t.Errorf("%+v", b)
	}
}

func TestMeetingInfoIsSnakeCaseText(t *testing.T) {
	t.Parallel()
	if got := meetingInfo(nil); got != "" {
		t.Errorf("nobody is %q", got)
	}
	got := meetingInfo([]room.Member{{UserID: "a", RTCPullURL: "artc://x?a=1&b=<2>"}})
	want := `{"members":[{"user_id":"a","user_nick":"","user_avatar":"","camera_opened":false,"mic_opened":false,"rtc_pull_url":"artc://x?a=1&b=<2>"}]}`
	if got != want {
		t.Errorf("%s", got)
	}
}
