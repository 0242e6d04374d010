package media

import "strings"

// Protocols are the ways in which a stream is reached from outside: played by
// the first six, published by the last.
var Protocols = []string{"rtmp", "http-flv", "hls", "webrtc", "srt", "rtsp", "push"}

// URLs are templates of a node's public URLs with {vhost}, {app} and {stream},
// one for each of Protocols; an empty one means that there is none.
type URLs struct {
	RTMP    string `json:"rtmp,omitempty"`
	HTTPFLV string `json:"http-flv,omitempty"`
	HLS     string `json:"hls,omitempty"`
	WebRTC  string `json:"webrtc,omitempty"`
	SRT     string `json:"srt,omitempty"`
	RTSP    string `json:"rtsp,omitempty"`
	Push    string `json:"push,omitempty"`
}

// At returns the place of a protocol's template, or nil for one that is none of
// Protocols.
func (u *URLs) At(protocol string) *string {
	switch protocol {
	case "rtmp":
		return &u.RTMP
	case "http-flv":
		return &u.HTTPFLV
	case "hls":
		return &u.HLS
	case "webrtc":
		return &u.WebRTC
	case "srt":
		return &u.SRT
	case "rtsp":
		return &u.RTSP
	case "push":
		return &u.Push
	}
	return nil
}

// Play returns the template that suits most players: what a browser plays
// first, then what programs play. It is empty where there is none.
func (u *URLs) Play() string {
	for _, protocol := range []string{"http-flv", "hls", "webrtc", "rtmp", "rtsp", "srt"} {
		if template := *u.At(protocol); template != "" {
			return template
		}
	}
	return ""
}

// FillURL writes a stream into a template.
func FillURL(template string, st Stream) string {
	return strings.NewReplacer("{app}", st.App, "{stream}", st.Name, "{vhost}", st.Vhost).Replace(template)
}
