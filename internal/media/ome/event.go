package ome

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// request is one admission webhook.
type request struct {
	Client struct {
		Address   string `json:"address"`
		Port      int    `json:"port"`
		UserAgent string `json:"user_agent"`
	} `json:"client"`
	Request struct {
		Direction string `json:"direction"`
		Protocol  string `json:"protocol"`
		Status    string `json:"status"`
		URL       string `json:"url"`
		Time      string `json:"time"`
	} `json:"request"`

	at  time.Time
	url target
}

func decode(body []byte) (request, error) {
	var r request
	if err := json.Unmarshal(body, &r); err != nil {
		return request{}, err
	}
	if _, err := netip.ParseAddr(r.Client.Address); err != nil {
		return request{}, errors.New("client.address is no address")
	}
	if r.Client.Port < 0 || r.Client.Port > 65535 {
		return request{}, errors.New("client.port is no port")
	}
	if r.Request.Direction != "incoming" && r.Request.Direction != "outgoing" {
		return request{}, errors.New("request.direction is unknown")
	}
	if r.Request.Status != "opening" && r.Request.Status != "closing" {
		return request{}, errors.New("request.status is unknown")
	}
	var err error
	if r.at, err = time.Parse(time.RFC3339, r.Request.Time); err != nil {
		return request{}, errors.New("request.time is no time")
	}
	r.url, err = split(r.Request.URL)
	return r, err
}

// target is what a URL of a client says.
type target struct {
	scheme, host, path, query string
	origin                    string // what stands before the path, as it stood
	app, stream               string
}

// split reads scheme://host[:port]/app/stream[/file][?query]. Only the client
// knows whether the rest is well formed: a URL is not refused for it. A stream
// may be missing, which is for the decision to refuse.
func split(raw string) (target, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || scheme == "" {
		return target{}, errors.New("request.url is no URL")
	}
	t := target{scheme: strings.ToLower(scheme), host: media.URLHost(raw)}
	rest, t.query, _ = strings.Cut(rest, "?")
	slash := strings.IndexByte(rest, '/')
	if slash < 0 {
		return target{}, errors.New("request.url has no path")
	}
	t.path, t.origin = rest[slash:], scheme+"://"+rest[:slash]
	segments := strings.SplitN(t.path[1:], "/", 3)
	t.app = segments[0] // escapes stay: the server files the stream so
	if len(segments) > 1 {
		t.stream = segments[1]
	}
	return t, nil
}

func (r request) event() media.Event {
	ev := media.Event{
		Action:   r.action(),
		ClientID: r.clientID(),
		Stream:   media.Stream{Vhost: media.DefaultVhost, App: r.url.app, Name: r.url.stream},
		Address:  r.Client.Address,
		Protocol: r.protocol(),
		Host:     r.url.host,
		Query:    r.url.query,
		Path:     r.url.path,
		Origin:   r.url.origin,
	}
	// Nobody is told that a viewer of thumbnails is gone: each is a request.
	ev.Tentative = ev.Protocol == "thumbnail" && ev.Action == media.Playing
	return ev
}

func (r request) action() media.Action {
	switch incoming, opening := r.Request.Direction == "incoming", r.Request.Status == "opening"; {
	case incoming && opening:
		return media.Publishing
	case incoming:
		return media.Unpublished
	case opening:
		return media.Playing
	case r.protocol() == "thumbnail":
		return media.Informed
	}
	return media.Stopped
}

// protocol is what other servers call it. OvenMediaEngine writes "RTMP",
// "WebRTC", "SRT", "LLHLS", "HLSv3", "Thumbnail" and more.
func (r request) protocol() string {
	switch name := strings.ToLower(r.Request.Protocol); name {
	case "llhls", "hls", "hlsv3":
		return "hls"
	default:
		return name
	}
}

// clientID joins the requests of one connection, which have direction, address
// and port in common. The query does not count: it is not always repeated as it
// was. Players of HLS have several connections, the last of which is named when
// they leave; of them address and program are all that stays.
func (r request) clientID() string {
	id := r.Request.Direction + " " + addr(r.Client.Address).String()
	if r.protocol() != "hls" {
		return id + " " + strconv.Itoa(r.Client.Port)
	}
	const program = 64
	return id + " " + r.Client.UserAgent[:min(len(r.Client.UserAgent), program)]
}

// publishes says whether a client id is that of a publisher.
func publishes(clientID string) bool { return strings.HasPrefix(clientID, "incoming ") }

func addr(text string) netip.Addr {
	a, _ := netip.ParseAddr(text)
	return a
}
