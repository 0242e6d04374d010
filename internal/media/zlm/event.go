package zlm

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// payload is what we read of hooks. They write what their client sent as JSON
// strings, escaped, so that no client can add a key.
type payload struct {
	ServerID   string `json:"mediaServerId"`
	HookIndex  uint64 `json:"hook_index"`
	ID         string `json:"id"`
	IP         string `json:"ip"`
	Vhost      string `json:"vhost"`
	App        string `json:"app"`
	Stream     string `json:"stream"`
	Params     string `json:"params"`
	Schema     string `json:"schema"`
	Protocol   string `json:"protocol"` // since 2024
	TotalBytes int64  `json:"totalBytes"`
	Player     bool   `json:"player"`
	Registered bool   `json:"regist"`

	StartTime int64   `json:"start_time"` // seconds since 1970
	TimeLen   float64 `json:"time_len"`   // seconds
	FilePath  string  `json:"file_path"`
}

// decode turns the hook called event ("on_publish") into an event.
func decode(event string, body []byte, now time.Time) (media.Event, error) {
	var p payload
	if err := json.Unmarshal(body, &p); err != nil {
		return media.Event{}, err
	}
	if isNull(body) {
		return media.Event{}, errors.New("null is no hook")
	}
	if err := p.check(event); err != nil {
		return media.Event{}, err
	}
	return p.event(event, now), nil
}

func isNull(body []byte) bool { return strings.TrimSpace(string(body)) == "null" }

func (p payload) check(event string) error {
	for name, value := range p.required(event) {
		if value == "" {
			return fmt.Errorf("%s is missing", name)
		}
	}
	if p.StartTime < 0 || p.StartTime > lastSecond || p.TimeLen < 0 || p.TotalBytes < 0 {
		return errors.New("a number is out of range")
	}
	return nil
}

// lastSecond is the last one of the year 9999.
const lastSecond = 253402300799

// required lists what the core needs to know of an event. A stream may be
// without a name: that is for the decision to refuse.
func (p payload) required(event string) map[string]string {
	switch event {
	case "on_publish", "on_play", "on_flow_report":
		return map[string]string{"id": p.ID, "ip": p.IP, "vhost": p.Vhost, "app": p.App, "schema": p.Schema}
	case "on_record_mp4":
		return map[string]string{"vhost": p.Vhost, "app": p.App, "stream": p.Stream, "file_path": p.FilePath}
	case "on_server_started", "on_server_exited":
		return map[string]string{"mediaServerId": p.ServerID}
	}
	return nil
}

func (p payload) event(event string, now time.Time) media.Event {
	ev := media.Event{Action: media.Informed, ServerID: serverID(p.ServerID), Stream: media.Stream{Vhost: p.Vhost, App: p.App, Name: p.Stream}}
	switch event {
	case "on_publish":
		p.client(&ev, media.Publishing)
	case "on_play":
		p.client(&ev, media.Playing)
	case "on_flow_report":
		p.ended(&ev)
	case "on_stream_changed":
		if !p.Registered && isHLS(p.Schema) {
			ev.Action, ev.Protocol = media.Stopped, "hls"
		}
	case "on_record_mp4":
		ev.Action, ev.File, ev.Duration = media.Recorded, p.FilePath, p.TimeLen
		ev.Began = time.Unix(p.StartTime, 0).UTC()
	case "on_server_started":
		ev.Action, ev.At = media.Restarted, p.beganBy(now)
	case "on_server_exited":
		ev.Action, ev.At = media.Restarted, now
	}
	return ev
}

// serverID is an identity that outlives the processes of a server, which do not
// name themselves.
func serverID(id string) string {
	if id == "" {
		return ""
	}
	return id + "/"
}

// retries is more than what may lie between the first attempt to tell us of a
// start and the last: each waits ten seconds for an answer and three for the
// next one, unless configured otherwise.
const retries = 30 * time.Second

// beganBy returns when the process must have begun: now, if this is the first
// hook that it sends. A repeated one may come after clients of the new process.
func (p payload) beganBy(now time.Time) time.Time {
	if p.HookIndex == 0 {
		return now
	}
	return now.Add(-retries)
}

func (p payload) client(ev *media.Event, action media.Action) {
	ev.Action, ev.ClientID, ev.Address, ev.Query = action, p.ID, p.IP, p.Params
	ev.Protocol, ev.Path = p.protocol()
	if p.Vhost != media.DefaultVhost {
		ev.Host = strings.ToLower(p.Vhost) // vhosts are the names that clients connect to
	}
}

// ended is the only word that a client is gone. Players of HLS share their
// connection with other streams. All others are their connection, and whether
// they played is not always told right: a publisher that was refused is called a
// player.
func (p payload) ended(ev *media.Event) {
	p.client(ev, media.Disconnected)
	if ev.Protocol == "hls" {
		ev.Action = media.Stopped
	}
	if p.Player {
		ev.BytesOut = p.TotalBytes
	} else {
		ev.BytesIn = p.TotalBytes
	}
}

func isHLS(schema string) bool { return schema == "hls" || schema == "hls.fmp4" }

// protocol returns the protocol, and the path of the URL that a client of it
// asks for. The schema is the format that a stream is kept in.
func (p payload) protocol() (name, path string) {
	path = "/" + p.App + "/" + p.Stream
	switch p.Schema {
	case "hls":
		return "hls", path + "/hls.m3u8"
	case "hls.fmp4":
		return "hls", path + "/hls.fmp4.m3u8"
	case "ts":
		return "http-ts", path + ".live.ts"
	case "fmp4":
		return "http-fmp4", path + ".live.mp4"
	case "rtc", "webrtc":
		return "webrtc", path
	}
	switch p.Protocol {
	case "http", "https", "ws", "wss":
		return "http-flv", path + ".live.flv"
	}
	return p.Schema, path
}
