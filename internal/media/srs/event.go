package srs

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/stagedoor-live/stagedoor/internal/flatjson"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pydantic"
)

// payload is what SRS posts. Only SRS 7 sends all of it: see README.md.
type payload struct {
	ServerID  text `json:"server_id"`
	ServiceID text `json:"service_id"`
	Action    text `json:"action"`
	ClientID  text `json:"client_id"`
	IP        text `json:"ip"`
	Vhost     text `json:"vhost"`
	App       text `json:"app"`
	Stream    text `json:"stream"`
	Param     text `json:"param"`
	TCURL     text `json:"tcUrl"`
	PageURL   text `json:"pageUrl"`
	StreamURL text `json:"stream_url"`
	CWD       text `json:"cwd"`
	File      text `json:"file"`
	SendBytes text `json:"send_bytes"`
	RecvBytes text `json:"recv_bytes"`
	unread    text // stream_id: SRS's own number of the stream
}

// decode turns the body of the callback called action ("on_publish") into an
// event, or tells everything that is wrong with it in the order of the fields.
func decode(action string, body []byte) (media.Event, []problem) {
	if ev, ok := decodeSimple(action, string(body)); ok {
		return ev, nil
	}
	return decodeAny(action, body)
}

func decodeAny(action string, body []byte) (media.Event, []problem) {
	if word := bytes.TrimSpace(body); len(word) == 0 || string(word) == "null" {
		return media.Event{}, []problem{missing()}
	}
	if f, broken := pydantic.Syntax(body); broken {
		return media.Event{}, []problem{notJSON(f)}
	}
	var p payload
	if err := json.Unmarshal(body, &p); err != nil {
		return media.Event{}, []problem{notADict()}
	}
	if problems := p.check(action); len(problems) > 0 {
		return media.Event{}, problems
	}
	return p.event(), nil
}

// decodeSimple reads what SRS sends nearly always. Whatever is wrong or unusual is
// for decode to look at in full.
func decodeSimple(action, body string) (ev media.Event, ok bool) {
	var p payload
	r := flatjson.Read(body)
	for m, ok := r.Next(); ok; m, ok = r.Next() {
		t := p.member(m.Name)
		if t == nil || t.kind != absent {
			return ev, false
		}
		t.value, t.kind = m.Value, number
		if m.Quoted {
			t.kind = str
		}
	}
	if !r.Whole() || len(p.check(action)) > 0 {
		return ev, false
	}
	return p.event(), true
}

// member returns where the value of a name goes, or nil where the name is not
// known.
func (p *payload) member(name string) *text {
	switch name {
	case "server_id":
		return &p.ServerID
	case "service_id":
		return &p.ServiceID
	case "action":
		return &p.Action
	case "client_id":
		return &p.ClientID
	case "ip":
		return &p.IP
	case "vhost":
		return &p.Vhost
	case "app":
		return &p.App
	case "stream":
		return &p.Stream
	case "param":
		return &p.Param
	case "tcUrl":
		return &p.TCURL
	case "pageUrl":
		return &p.PageURL
	case "stream_url":
		return &p.StreamURL
	case "stream_id":
		return &p.unread
	case "cwd":
		return &p.CWD
	case "file":
		return &p.File
	case "send_bytes":
		return &p.SendBytes
	case "recv_bytes":
		return &p.RecvBytes
	}
	return nil
}

func (p *payload) check(action string) []problem {
	onStream := action != "on_connect" && action != "on_close"
	onFile := action == "on_dvr" || action == "on_hls"
	var problems []problem
	for _, f := range []struct {
		name     string
		value    *text
		required bool
	}{
		{"action", &p.Action, true},
		{"client_id", &p.ClientID, true},
		{"ip", &p.IP, true},
		{"vhost", &p.Vhost, true},
		{"app", &p.App, true},
		{"stream", &p.Stream, onStream},
		{"param", &p.Param, onStream},
		{"tcUrl", &p.TCURL, false},
		{"pageUrl", &p.PageURL, false},
		{"stream_url", &p.StreamURL, false},
		{"server_id", &p.ServerID, false},
		{"service_id", &p.ServiceID, false},
		{"cwd", &p.CWD, onFile},
		{"file", &p.File, onFile},
	} {
		if problem, bad := f.value.problem(f.name, f.required); bad {
			problems = append(problems, problem)
		}
	}
	if len(problems) == 0 && p.Action.value != action {
		problems = append(problems, unexpectedAction(action))
	}
	return problems
}

func (p *payload) event() media.Event {
	ev := media.Event{
		Action:   actionOf(p.Action.value),
		ClientID: p.ClientID.value,
		Stream:   p.stream(),
		Address:  p.IP.value,
		Protocol: p.protocol(),
		Host:     media.URLHost(p.TCURL.value),
		Query:    p.query(),
		PageURL:  p.PageURL.value,
		BytesIn:  p.RecvBytes.count(),
		BytesOut: p.SendBytes.count(),
	}
	switch {
	case p.beforeVersion4():
		ev.Serial = p.ClientID.count()
	default:
		ev.ServerID = processID(p.ServerID.value, p.ServiceID.value)
	}
	if ev.Action == media.Recorded {
		ev.File, ev.Dir = p.File.value, p.CWD.value
	}
	return ev
}

// processID joins the id of the server, which outlives its process, and from
// 5.0.142 that of the process: "server/process". What an earlier process of the
// same server left open is recognised by it.
func processID(server, service string) string {
	if service == "" {
		return server
	}
	return server + "/" + service
}

func actionOf(name string) media.Action {
	switch name {
	case "on_connect":
		return media.Connecting
	case "on_close":
		return media.Disconnected
	case "on_publish":
		return media.Publishing
	case "on_unpublish":
		return media.Unpublished
	case "on_play":
		return media.Playing
	case "on_stop":
		return media.Stopped
	case "on_dvr":
		return media.Recorded
	}
	return media.Informed
}

// beforeVersion4 tells SRS 3 by its numeric client id. It writes strings into
// its JSON without escaping them, so a client can add keys that SRS 3 does not
// send: they must count for nothing. (Keys that it does send would come twice,
// which is refused.)
func (p *payload) beforeVersion4() bool { return p.ClientID.kind == number }

// stream returns what SRS itself takes for the stream: stream_url, where it
// exists. The name that the client gave may hold an extension or a query.
func (p *payload) stream() media.Stream {
	if p.StreamURL.value == "" || p.beforeVersion4() {
		return streamNamed(p.Vhost.value, p.App.value, p.Stream.value)
	}
	return streamAt(p.Vhost.value, p.StreamURL.value)
}

// streamNamed is for the versions before 5, which tell app and name only.
func streamNamed(vhost, app, name string) media.Stream {
	name, _, _ = strings.Cut(name, "?")
	s := split(vhost, app+"/"+strings.Trim(name, "/"))
	s.Name = media.CanonicalName(s.Name)
	return s
}

// streamAt reads a stream_url: "/app/name", behind the vhost unless that is the
// default. SRS has dropped one extension already, so a dot that is left is part
// of the name, except where SRS could not parse the client's URL and took the
// query for the end of the name.
func streamAt(vhost, url string) media.Stream {
	if vhost != media.DefaultVhost {
		url = strings.TrimPrefix(url, vhost)
	}
	path, _, unparsed := strings.Cut(url, "?")
	s := split(vhost, path)
	if unparsed {
		s.Name = media.CanonicalName(s.Name)
	}
	return s
}

// split cuts a path where SRS does: the name is what follows the last slash, so
// "/live/sub/x" is "x" in the application "live/sub".
func split(vhost, path string) media.Stream {
	path = strings.TrimPrefix(path, "/")
	slash := strings.LastIndexByte(path, '/')
	return media.Stream{Vhost: vhost, App: path[:max(slash, 0)], Name: path[slash+1:]}
}

// query returns everything that the client put behind "?". It stays in the
// name where SRS could not parse the URL (letters outside ASCII).
func (p *payload) query() string {
	_, inName, _ := strings.Cut(p.Stream.value, "?")
	param := strings.TrimPrefix(p.Param.value, "?")
	if inName == "" || param == "" {
		return inName + param
	}
	return inName + "&" + param
}

func (p *payload) protocol() string {
	scheme, _, _ := strings.Cut(p.TCURL.value, "://")
	name, _, _ := strings.Cut(p.Stream.value, "?")
	switch {
	case p.Stream.kind == absent && scheme == "":
		return ""
	case scheme == "srt", scheme == "webrtc":
		return scheme
	case scheme == "http", scheme == "https", scheme == "":
		return p.protocolByName(name)
	case p.isFLV():
		return "http-flv"
	}
	return "rtmp"
}

// protocolByName is for callbacks whose tcUrl does not tell: of a web page, of
// WHIP and WHEP (empty) and of the versions before 5 (absent).
func (p *payload) protocolByName(name string) string {
	param := "&" + strings.TrimPrefix(p.Param.value, "?")
	switch {
	case strings.HasSuffix(name, ".m3u8"):
		return "hls"
	case p.TCURL.value != "", strings.HasSuffix(name, ".flv"):
		return "http-flv"
	case strings.Contains(param, "&app=") && strings.Contains(param, "&stream="):
		return "webrtc"
	}
	return "rtmp"
}

// isFLV recognises the tcUrl that SRS makes up for HTTP-FLV players: the vhost
// without port, which RTMP clients send only if they leave out the port.
func (p *payload) isFLV() bool {
	playing := p.Action.value == "on_play" || p.Action.value == "on_stop"
	place, isRTMP := strings.CutPrefix(p.TCURL.value, "rtmp://")
	app, isVhost := strings.CutPrefix(place, p.Vhost.value)
	return playing && isRTMP && isVhost && len(app) == len("/")+len(p.App.value) && app[0] == '/' && app[1:] == p.App.value
}
