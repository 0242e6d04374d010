// Package mediaurl reads the URL that an encoder or a player was given as the
// event that a media server would make of it.
//
// Media servers disagree about the odd ones; what is read here is what most of
// them read, and what was odd about the URL is told. Nothing is fetched.
package mediaurl

import (
	"net/url"
	"strings"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/finding"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// Options are what a URL alone does not tell.
type Options struct {
	// Scene, if it is not empty, is what the client does with the URL.
	Scene media.Scene
	// Address of the client; empty if unknown.
	Address string
	// PublishHost and PlayHost are the hosts that we hand out in URLs.
	PublishHost, PlayHost string
	// App is the application of URLs that name none.
	App string
}

// Read is a URL as it was read.
type Read struct {
	Event media.Event
	// Guess says why this scene, where nobody said it.
	Guess finding.Guess
	// Notes are what is odd about the URL, and what media servers see differently.
	Notes []finding.Finding
}

// MaxURL bounds a URL in bytes: whole RTMP and SRT addresses are shorter.
const MaxURL = 8 << 10

var (
	errTooLong = errs.InvalidField("url", "the URL is longer than 8192 bytes")
	errScheme  = errs.InvalidField("url", "the URL begins with rtmp, rtmps, http, https, webrtc, artc, srt, rtsp or rtsps")
	errHost    = errs.InvalidField("url", "the URL has no host")
	errUser    = errs.InvalidField("url", "the user and password in the URL are not percent-encoded as they should be")
	errStream  = errs.InvalidField("url", "the URL names no stream")
	errScene   = errs.InvalidField("scene", "scene is publish or play")
)

// reading is a URL on its way.
type reading struct {
	Read
	o      Options
	scheme string
	raw    string // path as it stands
	query  string
	said   media.Scene   // by the URL itself
	why    finding.Guess // the URL says so
}

// Parse reads a URL. Error: Invalid.
func Parse(text string, o Options) (Read, error) {
	r := &reading{o: o}
	switch {
	case len(text) > MaxURL:
		return Read{}, errTooLong
	case o.Scene != "" && o.Scene != media.Publish && o.Scene != media.Play:
		return Read{}, errScene
	}
	if err := r.split(r.tidy(text)); err != nil {
		return Read{}, err
	}
	if err := r.protocol(); err != nil {
		return Read{}, err
	}
	r.Event.Address = o.Address
	r.chooseScene()
	return r.Read, nil
}

func (r *reading) note(text, change string, args finding.Args) {
	r.Notes = append(r.Notes, finding.New(text, change, args))
}

// tidy removes what comes along when a URL is copied.
func (r *reading) tidy(text string) string {
	trimmed := strings.Trim(text, " \t\r\n\"'<>")
	if trimmed != text {
		r.note("surroundings_removed", "copy_without_surroundings", nil)
	}
	return trimmed
}

// split takes a URL apart by hand: what follows the authority need not be well
// formed for a media server to accept it.
func (r *reading) split(text string) error {
	scheme, rest, ok := strings.Cut(text, "://")
	r.scheme = strings.ToLower(scheme)
	if !ok || len(scheme) > 8 {
		return errScheme
	}
	if bare, _, found := strings.Cut(rest, "#"); found && r.scheme != "srt" {
		r.note("fragment_removed", "encode_hash_sign", nil)
		rest = bare
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	authority := rest[:end]
	path, query, _ := strings.Cut(rest[end:], "?")
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		if err := r.user(authority[:at]); err != nil {
			return err
		}
		authority = authority[at+1:]
	}
	r.Event.Host = media.HostOf(authority)
	if r.Event.Host == "" {
		return errHost
	}
	r.Event.Origin = r.scheme + "://" + authority
	r.raw, r.query = path, query
	return nil
}

func (r *reading) user(info string) error {
	name, password, _ := strings.Cut(info, ":")
	var err, err2 error
	r.Event.Username, err = url.PathUnescape(name)
	r.Event.Password, err2 = url.PathUnescape(password)
	if err != nil || err2 != nil {
		return errUser
	}
	return nil
}

// protocol reads the rest as the URL's protocol has it.
func (r *reading) protocol() error {
	switch r.scheme {
	case "rtmp", "rtmps":
		return r.rtmp("rtmp")
	case "rtsp", "rtsps":
		return r.rtmp("rtsp")
	case "artc", "webrtc":
		return r.rtmp("webrtc")
	case "srt":
		return r.srt()
	case "http", "https":
		return r.web()
	}
	return errScheme
}

// rtmp reads "/app/stream?query". A query may stand behind the application too,
// where encoders with one field for the server and one for the key put it.
func (r *reading) rtmp(protocol string) error {
	path, query := r.raw, r.query
	if server, key, ok := strings.Cut(query, "/"); ok && strings.Count(strings.Trim(path, "/"), "/") == 0 {
		name, more, _ := strings.Cut(key, "?")
		path, query = path+"/"+name, joinQueries(more, server)
		r.note("query_on_server_url", "move_query_behind_name", nil)
	}
	r.Event.Protocol, r.Event.Query = protocol, query
	return r.stream(path, false)
}

func joinQueries(first, second string) string { return strings.Trim(first+"&"+second, "&") }

// stream reads "/app/stream", where the application may have several parts.
func (r *reading) stream(path string, web bool) error {
	path = strings.TrimPrefix(path, "/")
	slash := strings.LastIndexByte(path, '/')
	app, name := path[:max(slash, 0)], path[slash+1:]
	if web {
		decoded, err := url.PathUnescape(path)
		if err != nil {
			return errs.InvalidField("url", "the path has a broken percent-encoding")
		}
		slash = strings.LastIndexByte(decoded, '/')
		app, name = decoded[:max(slash, 0)], decoded[slash+1:]
	}
	if canonical := media.CanonicalName(name); !web && canonical != name && hasExtension(name) {
		r.note("extension_dropped", "", nil)
		name = canonical
	}
	if name == "" {
		return errStream
	}
	if app == "" {
		app = r.o.App
		r.note("application_missing", "write_application", finding.Args{"app": app})
	}
	r.Event.Stream = media.Stream{Vhost: media.DefaultVhost, App: app, Name: name}
	return nil
}

func hasExtension(name string) bool {
	for _, ext := range []string{".flv", ".m3u8", ".ts", ".mp4"} {
		if strings.HasSuffix(name, ext) {
			return true
		}
	}
	return false
}

// chooseScene takes what somebody said, or what is most likely.
func (r *reading) chooseScene() {
	scene, why := r.o.Scene, finding.Guess("")
	if scene == "" {
		scene, why = r.guess()
	} else if r.said != "" && r.said != scene {
		r.note("url_says_otherwise", "", finding.Args{"scene": string(r.said), "why": r.why})
	}
	r.Event.Action = media.Playing
	if scene == media.Publish {
		r.Event.Action = media.Publishing
	}
	r.Guess = why
}

func (r *reading) guess() (media.Scene, finding.Guess) {
	host := r.Event.Host
	switch {
	case r.said != "":
		return r.said, r.why
	case signature(r.Event.Query) == 'p':
		return media.Publish, "signature_publishes"
	case signature(r.Event.Query) == 'v':
		return media.Play, "signature_plays"
	case has(r.Event.Query, "play_token"):
		return media.Play, "has_play_token"
	case host == r.o.PublishHost && host != r.o.PlayHost:
		return media.Publish, "push_host"
	case host == r.o.PlayHost && host != r.o.PublishHost:
		return media.Play, "pull_host"
	case r.Event.Protocol == "rtmp":
		return media.Publish, "rtmp"
	}
	return media.Play, "mostly_played"
}

// signature returns the letter with which a signature of our own scheme begins.
func signature(query string) byte {
	for pair := range strings.SplitSeq(query, "&") {
		if value, ok := strings.CutPrefix(pair, "sd="); ok && value != "" {
			return value[0]
		}
	}
	return 0
}

func has(query, name string) bool {
	return strings.HasPrefix(query, name+"=") || strings.Contains(query, "&"+name+"=")
}
