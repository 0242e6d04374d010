package mediamtx

import (
	"encoding/json"
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// ask is the question that MediaMTX puts before it lets anybody do anything.
type ask struct {
	IP        string `json:"ip"`
	User      string `json:"user"`
	Password  string `json:"password"`
	Token     string `json:"token"`
	Action    string `json:"action"`
	Path      string `json:"path"`
	Protocol  string `json:"protocol"`
	ID        string `json:"id"` // null before there is a session
	Query     string `json:"query"`
	UserAgent string `json:"userAgent"`
}

// The actions that MediaMTX asks about.
const (
	actionPublish  = "publish"
	actionRead     = "read"
	actionPlayback = "playback" // of recordings
	actionAPI      = "api"
)

var errMalformed = errors.New("not a question of MediaMTX")

func decodeAsk(body []byte) (ask, error) {
	var a ask
	if err := json.Unmarshal(body, &a); err != nil {
		return ask{}, errors.Join(errMalformed, err)
	}
	switch a.Action {
	case actionPublish, actionRead, actionPlayback:
		if a.Path == "" {
			return ask{}, errMalformed
		}
		return a, nil
	case actionAPI, "metrics", "pprof":
		return a, nil
	}
	return ask{}, errMalformed
}

// aboutMedia says whether a client asks for a stream; else for the server itself.
func (a ask) aboutMedia() bool {
	return a.Action == actionPublish || a.Action == actionRead || a.Action == actionPlayback
}

// anonymous says whether the client has shown nothing but its query. RTSP
// clients show more only after they have been refused once.
func (a ask) anonymous() bool { return a.User == "" && a.Password == "" && a.Token == "" }

func (a ask) event() media.Event {
	ev := media.Event{
		Action:   media.Playing,
		ClientID: a.ID,
		Stream:   streamAt(a.Path),
		Address:  addressOf(a.IP),
		Protocol: a.Protocol,
		Query:    a.Query,
		Username: a.User,
		Password: a.Password,
		Bearer:   a.bearer(),
	}
	if a.Action == actionPublish {
		ev.Action = media.Publishing
	}
	if a.misplaced() {
		ev.Stream = media.Stream{Vhost: media.DefaultVhost, App: a.Path}
	}
	ev.Tentative = a.tentative(ev)
	return ev
}

// tentative says whether no session of this id may follow, or one that the
// runOnRead hook reports.
//
//	no id at all      pages of HLS, WHIP and WHEP options, playback
//	RTSP DESCRIBE     carries the id of the connection, SETUP that of the session;
//	                  what tells them apart is that only SETUP tells the user agent
//	HLS, WHEP         players that wait for a stream ask again and again, each
//	                  time under a new id, and are refused behind us
//
// Of those one kind is recorded all the same: players whose credential is
// nowhere but in this call, so that no other process of ours could judge them.
func (a ask) tentative(ev media.Event) bool {
	switch {
	case a.ID == "" || a.Action == actionPlayback:
		return true
	case a.Action == actionPublish:
		return false
	case a.Protocol == "rtmp" || a.Protocol == "srt":
		return false
	case a.Protocol == "rtsp":
		return a.UserAgent == ""
	}
	return ev.Username == "" && ev.Password == "" && ev.Bearer == ""
}

// bearer returns the token unless it only repeats the password or the query.
func (a ask) bearer() string {
	if a.Token == a.Password {
		return ""
	}
	if a.Protocol == "rtmp" || a.Protocol == "rtsp" {
		if q, err := url.ParseQuery(a.Query); err == nil && q.Get("token") == a.Token {
			return ""
		}
	}
	return a.Token
}

// misplaced recognises an encoder that was given the credential with the server
// URL: "rtmp://host/live?token=abc" and the key "room1" arrive as the path "live"
// with the query "token=abc/room1". MediaMTX would publish "live".
func (a ask) misplaced() bool { return a.Protocol == "rtmp" && strings.Contains(a.Query, "/") }

// streamAt names the stream of a path. What has no application is no stream of
// ours, and is refused by its name.
func streamAt(path string) media.Stream {
	slash := strings.LastIndexByte(path, '/')
	return media.Stream{Vhost: media.DefaultVhost, App: path[:max(slash, 0)], Name: path[slash+1:]}
}

// pathOf is the way back.
func pathOf(st media.Stream) string { return strings.TrimPrefix(st.Path(), "/") }

func addressOf(ip string) string {
	if addr, err := netip.ParseAddr(ip); err == nil {
		return addr.Unmap().String()
	}
	return ""
}

// The events that our lines make MediaMTX report, each by a command of its own.
const (
	hookDisconnect  = "disconnect"
	hookUnavailable = "unavailable"
	hookRead        = "read"
	hookUnread      = "unread"
	hookRecorded    = "recorded"
)

var errHook = errors.New("not a hook of MediaMTX")

// decodeHook reads the form that a command posts. Everything in it comes from
// MediaMTX itself; the query of the client is escaped once more, as a whole.
func decodeHook(body string) (hook string, ev media.Event, err error) {
	form, err := url.ParseQuery(body)
	if err != nil {
		return "", media.Event{}, errors.Join(errHook, err)
	}
	hook = form.Get("event")
	ev, err = hookEvent(hook, form)
	return hook, ev, err
}

func hookEvent(hook string, form url.Values) (media.Event, error) {
	kind, id, path := form.Get("type"), form.Get("id"), form.Get("path")
	ev := media.Event{ClientID: id, Protocol: protocolOf(kind)}
	if hook != hookDisconnect {
		ev.Stream = streamAt(path)
	}
	switch hook {
	case hookDisconnect:
		return disconnected(ev, kind)
	case hookUnavailable:
		ev.Action, ev.Relay = media.Unpublished, isRelay(kind)
		return ev, required(path != "" && (id != "" || ev.Relay))
	case hookRead, hookUnread:
		ev.Action = media.Stopped
		if hook == hookRead {
			ev.Action = media.Playing
			ev.Query, _ = url.QueryUnescape(form.Get("query"))
		}
		return ev, required(path != "" && id != "")
	case hookRecorded:
		ev.Action, ev.File, ev.Duration = media.Recorded, form.Get("file"), seconds(form.Get("duration"))
		return ev, required(path != "" && ev.File != "")
	}
	return media.Event{}, errHook
}

// disconnected ends what a connection carried, where a connection and its
// session are one; an RTSP session has an id of its own and tells its own end.
func disconnected(ev media.Event, kind string) (media.Event, error) {
	ev.Action = media.Informed
	if ev.Protocol == "rtmp" || ev.Protocol == "srt" {
		ev.Action = media.Disconnected
	}
	return ev, required(ev.ClientID != "" && kind != "")
}

func required(there bool) error {
	if there {
		return nil
	}
	return errHook
}

// seconds reads a duration; one that makes no sense is unknown.
func seconds(text string) float64 {
	d, err := strconv.ParseFloat(text, 64)
	if err != nil || !(d > 0 && d < 1e9) {
		return 0
	}
	return d
}

// protocolOf returns the protocol of a kind of source or reader: "rtmpsConn".
func protocolOf(kind string) string {
	kind = strings.ToLower(kind)
	for _, p := range [...]string{"rtmp", "rtsp", "srt", "hls", "webrtc", "moq"} {
		if strings.HasPrefix(kind, p) {
			return p
		}
	}
	return ""
}

// isRelay says whether a source is a pull of MediaMTX's own.
func isRelay(kind string) bool { return strings.HasSuffix(kind, "Source") || kind == "redirect" }
