package appserver

import (
	"bytes"
	"encoding/json"
	"math"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	api "github.com/stagedoor-live/stagedoor/gen/appserver"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/im"
	"github.com/stagedoor-live/stagedoor/internal/room"
	"github.com/stagedoor-live/stagedoor/internal/vod"
)

// The clients cut and compare the 25 characters of a time, so there is always a
// numeric offset and never a fraction. A time that has not come yet is the text
// that the document gives.
const (
	timeLayout = "2006-01-02T15:04:05-07:00"
	notYet     = "0001-01-01T00:00:00Z"
	vodLayout  = "2006-01-02T15:04:05Z"
)

func (s *Server) formatTime(t time.Time) string {
	zone := s.TimeZone
	if zone == nil {
		zone = time.FixedZone("", 8*60*60)
	}
	return t.In(zone).Format(timeLayout)
}

func (s *Server) formatOptional(t *time.Time) string {
	if t == nil {
		return notYet
	}
	return s.formatTime(*t)
}

// clamp fits a figure into the 32 bits that the Android client reads.
func clamp(n int64) int32 { return int32(min(max(n, 0), math.MaxInt32)) }

func toInput(in api.RoomCreateV2, anchor string) room.Input {
	servers := make([]string, len(in.IMServer))
	for i, v := range in.IMServer {
		servers[i] = string(v)
	}
	return room.Input{
		Title: in.Title, Notice: in.Notice, CoverURL: in.CoverURL, Anchor: anchor, AnchorNick: in.AnchorNick,
		Extends: in.Extends, Mode: int(in.Mode), IMServers: servers,
	}
}

func (s *Server) toRoom(d room.Detail) api.Room {
	metrics := toMetrics(d.Metrics)
	return api.Room{
		ID: d.ID, ChatID: d.ChatID, Title: d.Title, Notice: d.Notice, CoverURL: d.CoverURL, Extends: d.Extends,
		AnchorID: d.AnchorID, AnchorNick: d.AnchorNick,
		Status: api.RoomStatus(d.Status), Mode: api.RoomMode(d.Mode),
		VODID: d.VODID, MeetingID: d.MeetingID, MeetingInfo: meetingInfo(d.Members),
		CreatedAt: s.formatTime(d.CreatedAt), UpdatedAt: s.formatTime(d.UpdatedAt),
		StartedAt: s.formatOptional(d.StartedAt), StoppedAt: s.formatOptional(d.StoppedAt),
		Metrics: &metrics, VODInfo: toVODInfo(d),
		UserStatus:  toUserStatus(d.Mute),
		PushURLInfo: toPushURLs(d.Links.Push), PullURLInfo: toPullURLs(d.Links.Pull), LinkInfo: toLinkInfo(d.Links.Link),
	}
}

func toMetrics(m room.Metrics) api.RoomMetrics {
	return api.RoomMetrics{LikeCount: clamp(m.Likes), OnlineCount: clamp(m.Online), Pv: clamp(m.PV), Uv: clamp(m.UV)}
}

// toUserStatus never leaves the list of sources nil: the web client looks into
// it unchecked.
func toUserStatus(m im.MuteState) api.UserStatus {
	out := api.UserStatus{Mute: m.Muted, MuteSource: []string{}}
	if m.ByGroup {
		out.MuteSource = append(out.MuteSource, "group")
	}
	if m.ByUser {
		out.MuteSource = append(out.MuteSource, "user")
	}
	return out
}

func toPushURLs(u *room.PushURLs) *api.PushURLInfo {
	if u == nil {
		return nil
	}
	return &api.PushURLInfo{RTMPURL: u.RTMP, RTSURL: u.RTS, SRTURL: u.SRT}
}

func toPullURLs(u room.PullURLs) api.PullURLInfo {
	return api.PullURLInfo{RTMPURL: u.RTMP, RTSURL: u.RTS, FLVURL: u.FLV, HLSURL: u.HLS}
}

// toLinkInfo has nothing to say of a room without co-streaming: the Android
// client goes by its presence, not by the mode.
func toLinkInfo(u *room.LinkURLs) *api.LinkInfo {
	if u == nil {
		return nil
	}
	return &api.LinkInfo{RTCPushURL: u.RTCPush, RTCPullURL: u.RTCPull, CDNPullInfo: toPullURLs(u.CDN)}
}

// toVODInfo tells what was recorded of a room that has ended, oldest first. The
// clients play the first item without looking whether there is one.
func toVODInfo(d room.Detail) *api.VODInfo {
	if d.Status != room.Off {
		return nil
	}
	if len(d.Recordings) == 0 && len(d.VOD) == 0 {
		return &api.VODInfo{Status: api.VODInfoStatusMissing}
	}
	out := api.VODInfo{Status: api.VODInfoStatusAvailable}
	for _, f := range d.VOD { // first: it is the whole show in one file
		out.Playlist = append(out.Playlist, toVODFile(f))
	}
	for _, r := range slices.Backward(d.Recordings) {
		out.Playlist = append(out.Playlist, toVODItem(r))
	}
	return &out
}

// toVODFile passes on what the video-on-demand service says.
func toVODFile(f vod.File) api.VODItem {
	item := api.VODItem{
		PlayURL: f.PlayURL, Definition: f.Definition, Format: f.Format, Status: f.Status, StreamType: f.Type,
		BitRate: f.BitRate, Duration: f.Duration, Fps: f.FPS, Height: clamp(f.Height), Width: clamp(f.Width), Size: f.Size,
		BitDepth: clamp(f.BitDepth), Encrypt: clamp(f.Encrypt), EncryptType: f.EncryptType, HdrType: f.HDRType, WatermarkID: f.WatermarkID,
	}
	if !f.CreatedAt.IsZero() {
		item.CreationTime = f.CreatedAt.UTC().Format(vodLayout)
	}
	return item
}

// toVODItem leaves empty what no media server reports.
func toVODItem(r room.Recording) api.VODItem {
	item := api.VODItem{
		PlayURL: r.PlayURL, CreationTime: r.CreatedAt.UTC().Format(vodLayout),
		Definition: "OD", Status: "Normal", // the file as it was recorded, complete
	}
	if u, err := url.Parse(r.PlayURL); err == nil {
		item.Format = strings.TrimPrefix(path.Ext(u.Path), ".")
	}
	if r.Duration > 0 {
		item.Duration = strconv.FormatFloat(r.Duration.Round(time.Millisecond).Seconds(), 'f', -1, 64)
	}
	return item
}

// meetingInfo is the list of members as JSON text, or nothing when there is
// nobody.
func meetingInfo(members []room.Member) string {
	if len(members) == 0 {
		return ""
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // it is escaped once more as a string already
	if err := enc.Encode(map[string]any{"members": members}); err != nil {
		return ""
	}
	return strings.TrimSpace(text.String())
}

func toMembers(in []api.MeetingMemberInput) ([]room.Member, error) {
	if in == nil {
		return nil, errs.InvalidField("members", "members is required")
	}
	out := make([]room.Member, len(in))
	for i, m := range in {
		out[i] = room.Member{
			UserID: m.UserID, UserNick: m.UserNick, UserAvatar: m.UserAvatar,
			CameraOpened: m.CameraOpened, MicOpened: m.MicOpened, RTCPullURL: m.RTCPullURL,
		}
	}
	return out, nil
}

// fromMembers never returns nil: the web client maps over the list unchecked.
func fromMembers(in []room.Member) []api.MeetingMember {
	out := make([]api.MeetingMember, len(in))
	for i, m := range in {
		out[i] = api.MeetingMember{
			UserID: m.UserID, UserNick: m.UserNick, UserAvatar: m.UserAvatar,
			CameraOpened: m.CameraOpened, MicOpened: m.MicOpened, RTCPullURL: m.RTCPullURL,
		}
	}
	return out
}
