package room

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// LinkConfig says where room URLs point and how long they are good.
type LinkConfig struct {
	// PushDomain and PullDomain are where encoders and RTMP players go,
	// HTTPPullDomain where FLV and HLS players go. Each may carry a port.
	PushDomain, PullDomain, HTTPPullDomain string
	App                                    string
	HTTPScheme                             string // of FLV and HLS URLs: http or https
	RTS                                    bool   // whether ultra-low-latency (artc) URLs are offered
	TTL                                    time.Duration
	RTCAppID, RTCAppKey                    string
}

// linkApp is the application of co-streamed streams, fixed by the vendor.
const linkApp = "live"

// rtcTTL is the vendor's longest life of a co-streaming URL.
const rtcTTL = 24 * time.Hour

// PushURLs lead the anchor's encoder to the room.
type PushURLs struct{ RTMP, RTS, SRT string }

// PullURLs lead players to the room.
type PullURLs struct{ RTMP, RTS, FLV, HLS string }

// LinkURLs are for co-streaming: the caller's own push and pull, and the
// anchor's mixed stream for everybody else.
type LinkURLs struct {
	RTCPush, RTCPull string
	CDN              PullURLs
}

// Links are all URLs of a room for one caller.
type Links struct {
	Push *PushURLs // only for the anchor of a room that has not ended
	Pull PullURLs
	Link *LinkURLs // only for co-streaming rooms
}

// LinksFor signs the URLs of a room for a caller, without any query.
func (s *Service) LinksFor(r Room, caller string, now time.Time) Links {
	l := Links{Pull: s.pullURLs(media.Stream{App: r.App, Name: r.ID}, now.Add(s.Links.TTL))}
	if caller == r.AnchorID && r.Status != Off {
		l.Push = s.pushURLs(media.Stream{App: r.App, Name: r.ID}, now.Add(s.Links.TTL))
	}
	if r.Mode == ModeLink {
		l.Link = &LinkURLs{
			RTCPush: s.rtcURL("push", r.MeetingID, caller, now),
			RTCPull: s.rtcURL("play", r.MeetingID, caller, now),
			CDN:     s.pullURLs(media.Stream{App: linkApp, Name: s.linkStream(r)}, now.Add(rtcTTL)),
		}
	}
	return l
}

func (s *Service) pushURLs(st media.Stream, expires time.Time) *PushURLs {
	sign := func(protocol string) string {
		return s.Signer.SignURL(media.Link{Scene: media.Publish, Stream: st, Base: protocol + "://" + s.Links.PushDomain}, expires)
	}
	u := &PushURLs{RTMP: sign("rtmp"), SRT: sign("srt")}
	if s.Links.RTS {
		u.RTS = sign("artc")
	}
	return u
}

// pullURLs are signed under the rules of PullDomain, whatever domain serves FLV
// and HLS.
func (s *Service) pullURLs(st media.Stream, expires time.Time) PullURLs {
	sign := func(base, ext string) string {
		return s.Signer.SignURL(media.Link{Scene: media.Play, Stream: st, Base: base, Host: s.Links.PullDomain, Ext: ext}, expires)
	}
	web := s.Links.HTTPScheme + "://" + s.Links.HTTPPullDomain
	u := PullURLs{RTMP: sign("rtmp://"+s.Links.PullDomain, ""), FLV: sign(web, ".flv"), HLS: sign(web, ".m3u8")}
	if s.Links.RTS {
		u.RTS = sign("artc://"+s.Links.PullDomain, "")
	}
	return u
}

// rtcURL is a co-streaming URL. live.aliyun.com is a marker that the clients'
// SDK looks for, not a host that anything connects to. The SDK wants user ids
// that need no escaping; any other one, of an account that cannot co-stream,
// must not add parameters of its own.
func (s *Service) rtcURL(verb, meeting, user string, now time.Time) string {
	ts := now.Add(rtcTTL).Unix()
	token := urlsign.RTCToken(s.Links.RTCAppID, s.Links.RTCAppKey, meeting, user, "", ts)
	if !rtcID(user) {
		user = url.QueryEscape(user)
	}
	return "artc://live.aliyun.com/" + verb + "/" + meeting + "?sdkAppId=" + s.Links.RTCAppID + "&userId=" + user +
		"&timestamp=" + strconv.FormatInt(ts, 10) + "&token=" + token
}

func (s *Service) linkStream(r Room) string { return s.linkStreams(r.MeetingID, r.AnchorID)[0] }

// linkStreams are the two under which an anchor's part of a co-streaming room
// may be published.
func (s *Service) linkStreams(meeting, anchor string) []string {
	stem := s.Links.RTCAppID + "_" + meeting + "_" + anchor
	return []string{stem + "_camera", stem + "_audio"}
}

// parseLinkStream takes a co-streamed stream's name apart. Meeting ids never
// contain an underscore; user ids may.
func (s *Service) parseLinkStream(name string) (meeting, user string, ok bool) {
	rest, ok := strings.CutPrefix(name, s.Links.RTCAppID+"_")
	if !ok {
		return "", "", false
	}
	body, isCamera := strings.CutSuffix(rest, "_camera")
	if !isCamera {
		if body, ok = strings.CutSuffix(rest, "_audio"); !ok {
			return "", "", false
		}
	}
	meeting, user, ok = strings.Cut(body, "_")
	return meeting, user, ok && meeting != "" && user != ""
}

// StreamLinks signs the URLs that publish and play any stream, room or not.
func (s *Service) StreamLinks(app, stream string, expires time.Time) Links {
	st := media.Stream{App: app, Name: stream}
	return Links{Push: s.pushURLs(st, expires), Pull: s.pullURLs(st, expires)}
}
