package mediaurl

import (
	"path"
	"slices"
	"strings"

	"github.com/stagedoor-live/stagedoor/internal/finding"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// playlists are names of playlists that lie in the folder of their stream.
var playlists = []string{"index", "playlist", "master", "llhls", "manifest", "hls", "main_stream"}

// web reads HTTP-FLV, HLS, WHIP and WHEP.
func (r *reading) web() error {
	r.Event.Query = r.query
	if r.signaling() {
		return r.byParameters()
	}
	prefix, rest := urlsign.SplitPath(r.raw)
	if prefix != "" {
		r.note("signature_in_path", "", nil)
	}
	r.Event.Path = r.raw
	dir, file := path.Split(rest)
	ext := path.Ext(file)
	name := strings.TrimSuffix(file, ext)
	switch ext {
	case ".flv":
		r.plays("http-flv", "http_flv")
	case ".m3u8", ".mpd":
		r.plays("hls", "playlist")
		if parts := strings.Split(strings.Trim(dir, "/"), "/"); slices.Contains(playlists, name) && len(parts) > 1 {
			return r.stream(strings.TrimSuffix(dir, "/"), true)
		}
	case ".ts", ".m4s", ".mp4":
		r.plays("hls", "segment")
		r.note("segment", "explain_playlist", nil)
	default:
		return r.endpoint(dir, file)
	}
	return r.stream(dir+name, true)
}

func (r *reading) plays(protocol string, why finding.Guess) {
	r.Event.Protocol, r.said, r.why = protocol, media.Play, why
}

// endpoint reads addresses whose last part says what they are for.
func (r *reading) endpoint(dir, file string) error {
	switch file {
	case "whip":
		r.says(media.Publish, "whip")
	case "whep":
		r.says(media.Play, "whep")
	default:
		r.note("protocol_unknown", "", nil)
		r.Event.Protocol = ""
		return r.stream(dir+file, true)
	}
	r.Event.Path = ""
	return r.stream(strings.TrimSuffix(dir, "/"), true)
}

func (r *reading) says(scene media.Scene, why finding.Guess) {
	r.Event.Protocol, r.said, r.why = "webrtc", scene, why
}

// signaling recognises addresses that name the stream in parameters: those of
// SRS and ZLMediaKit.
func (r *reading) signaling() bool {
	p := strings.TrimSuffix(r.raw, "/")
	return strings.HasPrefix(p, "/rtc/v1/") || p == "/index/api/webrtc" || p == "/index/api/whip" || p == "/index/api/whep"
}

func (r *reading) byParameters() error {
	p := strings.TrimSuffix(r.raw, "/")
	typ, _, _ := urlsign.Param(r.query, "type")
	switch last := path.Base(p); {
	case last == "whip", last == "publish", typ == "push":
		r.says(media.Publish, "publishing_endpoint")
	case last == "whip-play", last == "whep", last == "play", typ == "play":
		r.says(media.Play, "playing_endpoint")
	default:
		r.Event.Protocol = "webrtc"
	}
	app, _, _ := urlsign.Param(r.query, "app")
	name, found, _ := urlsign.Param(r.query, "stream")
	if !found {
		return errStream
	}
	name, more, cut := strings.Cut(name, "?")
	if cut {
		r.Event.Query = joinQueries(r.query, more)
	}
	return r.stream("/"+app+"/"+name, false)
}
