package nginx

import (
	"errors"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// layout is how an edge lays its URLs out, as its callback URL tells.
type layout struct {
	app      string   // of all streams; empty: the path begins with it
	skip     int      // leading parts of the path that belong to a signature
	variants []string // suffixes of renditions that count as their stream
}

// part says what of a stream was asked for.
type part int

const (
	whole    part = iota // an endless file: HTTP-FLV
	playlist             // HLS or DASH
	segment              // a piece that a playlist names
)

// asked is what a player wants, as the original URI says it.
type asked struct {
	part   part
	stream media.Stream
	path   string // as it stood, without a token in front; of a playlist or whole stream only
	query  string // credentials in front of the path and behind it
	// plain is the decoded path without whatever is not the stream's, and base
	// what the paths of all parts of the stream begin with: "/app/name", or
	// "/app/name/" where they lie in a folder. In front of both is the application
	// where paths do not name it.
	plain, base string
	folder      string // of the URL as it stood, with a slash at its end
}

// The bounds of what is read.
const (
	maxURI   = 4096
	maxParts = 12
)

var errURI = errors.New("not the path of a stream")

// parse reads the original URI of a request. Whatever nginx and we could
// understand differently is refused: dots, doubled slashes, backslashes.
func parse(uri string, l layout) (asked, error) {
	if len(uri) > maxURI || !strings.HasPrefix(uri, "/") {
		return asked{}, errURI
	}
	raw, query, _ := strings.Cut(uri, "?")
	a := asked{query: query, folder: raw[:strings.LastIndexByte(raw, '/')+1]}
	if strings.HasPrefix(raw, "/~") {
		token, rest, _ := strings.Cut(raw[len("/~"):], "/")
		raw = "/" + rest
		text, err := url.PathUnescape(token)
		if err != nil {
			return asked{}, errURI
		}
		a.query = strings.Trim(text+"&"+query, "&")
	}
	plain, err := url.PathUnescape(raw)
	if err != nil || !utf8.ValidString(plain) {
		return asked{}, errURI
	}
	parts := strings.Split(plain[1:], "/")
	if len(parts) > maxParts || slices.ContainsFunc(parts, ambiguous) || len(parts) <= l.skip {
		return asked{}, errURI
	}
	for range l.skip {
		plain = plain[1+strings.IndexByte(plain[1:], '/'):]
	}
	a.plain = l.app + plain
	return a, a.name(raw, parts[l.skip:], l)
}

func ambiguous(part string) bool {
	return part == "" || part == "." || part == ".." || strings.ContainsFunc(part, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' || r == '?' || r == '#' })
}

var (
	playlists = []string{".m3u8", ".mpd"}
	segments  = []string{".ts", ".m4s", ".mp4", ".m4v", ".m4a", ".cmfv", ".cmfa", ".aac", ".vtt", ".key"}
	// indexes are playlists that lie in the folder of their stream.
	indexes = []string{"index", "playlist", "master", "llhls", "manifest"}
)

// name finds the stream.
func (a *asked) name(raw string, parts []string, l layout) error {
	file := parts[len(parts)-1]
	ext := path.Ext(file)
	name, folders := strings.TrimSuffix(file, ext), parts[:len(parts)-1]
	switch {
	case ext == ".flv":
		a.part, a.path = whole, raw
	case slices.Contains(playlists, ext):
		a.part, a.path = playlist, raw
	case slices.Contains(segments, ext):
		a.part = segment
	default:
		return errURI
	}
	inFolder := a.part == playlist && slices.Contains(indexes, name) && len(folders) > l.appParts()
	if a.part == segment {
		numbered := false
		if name, numbered = cutNumber(name); !numbered {
			inFolder = true
		}
	}
	if inFolder {
		if len(folders) == 0 {
			return errURI
		}
		name, folders = folders[len(folders)-1], folders[:len(folders)-1]
	}
	return a.set(l.streamOf(name), folders, inFolder, l)
}

func (a *asked) set(name string, folders []string, inFolder bool, l layout) error {
	app := strings.Join(folders, "/")
	end := len(l.app) + len("/") + len(name)
	for _, folder := range folders {
		end += len(folder) + len("/")
	}
	a.base = a.plain[:end]
	if inFolder {
		a.base += "/"
	}
	if l.app != "" {
		app = l.app
	}
	if app == "" || name == "" {
		return errURI
	}
	a.stream = media.Stream{Vhost: media.DefaultVhost, App: app, Name: name}
	return nil
}

// appParts is how many parts of a path the application takes at least.
func (l layout) appParts() int {
	if l.app != "" {
		return 0
	}
	return 1
}

// streamOf takes the suffix of a rendition off.
func (l layout) streamOf(name string) string {
	for _, suffix := range l.variants {
		if base, ok := strings.CutSuffix(name, suffix); ok && base != "" {
			return base
		}
	}
	return name
}

// cutNumber takes the number of a segment off: "room1-17" is one of room1.
func cutNumber(name string) (stream string, ok bool) {
	i := strings.LastIndexByte(name, '-')
	if i <= 0 || i == len(name)-1 || strings.Trim(name[i+1:], "0123456789") != "" {
		return name, false
	}
	return name[:i], true
}

// within reports whether this is a part of the stream whose parts begin with
// base. A session of room1 opens room1-17.ts, and neither room10-1.ts nor
// room1-b-1.ts, which are of other streams. That of a stream with a folder of
// its own opens everything in it.
func (a *asked) within(base string) bool {
	if a.part == whole {
		return false
	}
	if strings.HasSuffix(base, "/") {
		return strings.HasPrefix(a.plain, base)
	}
	return a.base == base
}
