package mediaurl

import (
	"net/url"
	"strings"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// srt reads "srt://host?streamid=…" in the forms of SRS and MediaMTX, and
// "srt://host/app/stream?query" as OBS and we write it.
func (r *reading) srt() error {
	r.Event.Protocol = "srt"
	id, rest := streamID(r.query)
	if id == "" {
		r.Event.Query = r.query
		return r.stream(r.raw, false)
	}
	r.Event.Query = rest
	decoded, err := url.PathUnescape(id)
	if err != nil {
		decoded = id
		r.note("percent_encoding_broken", "encode_streamid_once", nil)
	}
	if fields, ok := strings.CutPrefix(decoded, "#!::"); ok {
		return r.accessControl(fields)
	}
	return r.plainID(decoded)
}

// streamID finds the streamid in a query: everything behind it is part of it if
// it is not percent-encoded, as ffmpeg and SRS tools write it.
func streamID(query string) (id, rest string) {
	for _, name := range []string{"streamid=", "srt_streamid="} {
		i := strings.Index(query, name)
		if i != 0 && (i < 0 || query[i-1] != '&') {
			continue
		}
		before, value := strings.TrimSuffix(query[:i], "&"), query[i+len(name):]
		if strings.HasPrefix(value, "#!") || strings.Contains(value, "?") {
			return value, before
		}
		id, after, _ := strings.Cut(value, "&")
		return id, joinQueries(before, after)
	}
	return "", query
}

// accessControl reads "#!::h=host,r=app/stream,m=publish,key=value".
func (r *reading) accessControl(text string) error {
	var path string
	var pairs []string
	for field := range strings.SplitSeq(text, ",") {
		key, value, _ := strings.Cut(field, "=")
		switch key {
		case "m":
			r.srtMode(value)
		case "r":
			path = value
		case "h":
			path = r.srtHost(value, path)
		case "u":
			r.Event.Username = value
		case "s":
			r.Event.Password = value
		case "t":
		default:
			if field != "" {
				pairs = append(pairs, field)
			}
		}
	}
	if r.said == "" {
		r.said, r.why = media.Play, "srt_without_mode"
	}
	path, inner, _ := strings.Cut(path, "?")
	r.Event.Query = joinQueries(joinQueries(inner, strings.Join(pairs, "&")), r.Event.Query)
	return r.stream(path, false)
}

// srtHost reads h, which is a host or, in an older form, the stream with or
// without a host in front.
func (r *reading) srtHost(value, path string) string {
	host, inner, _ := strings.Cut(value, "/")
	bare, _, _ := strings.Cut(value, "?")
	switch strings.Count(bare, "/") {
	case 0:
		r.Event.Host = strings.ToLower(value)
		return path
	case 1:
		return value
	}
	r.Event.Host = strings.ToLower(host)
	return inner
}

func (r *reading) srtMode(mode string) {
	switch mode {
	case "publish":
		r.said, r.why = media.Publish, "srt_publish"
	case "request":
		r.said, r.why = media.Play, "srt_request"
	default:
		r.note("srt_mode_unknown", "write_srt_mode", nil)
	}
}

// plainID reads "publish:app/stream:user:pass:query" of MediaMTX and the bare
// "app/stream?query".
func (r *reading) plainID(id string) error {
	parts := strings.SplitN(id, ":", 5)
	if len(parts) == 1 || parts[0] != "publish" && parts[0] != "read" {
		path, query, _ := strings.Cut(id, "?")
		r.Event.Query = joinQueries(query, r.Event.Query)
		r.said, r.why = media.Play, "srt_without_mode"
		return r.stream(path, false)
	}
	r.said, r.why = media.Play, "srt_read_id"
	if parts[0] == "publish" {
		r.said, r.why = media.Publish, "srt_publish_id"
	}
	switch len(parts) {
	case 3:
		r.Event.Query = joinQueries(parts[2], r.Event.Query)
	case 4, 5:
		r.Event.Username, r.Event.Password = parts[2], parts[3]
		r.Event.Query = joinQueries(strings.Join(parts[4:], ""), r.Event.Query)
	}
	return r.stream(parts[1], false)
}
