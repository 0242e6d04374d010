package nginxrtmp

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// relayFlashver is what the module's own pulls and pushes call themselves. A
// client may call itself that too, but not without an application.
const relayFlashver = "ngx-local-relay"

// call is a kind of notification: what it means, and the fields that follow
// "call" in the order in which the module writes them.
type call struct {
	action media.Action
	on     media.Scene
	fields []string
	named  bool // it always has a name, though perhaps an empty one
}

func callNamed(name string) (call, bool) {
	switch name {
	case "connect":
		return call{action: media.Connecting}, true
	case "disconnect":
		return call{action: media.Disconnected, fields: []string{"app"}}, true
	case "publish":
		return call{action: media.Publishing, fields: []string{"name", "type"}, named: true}, true
	case "play":
		return call{action: media.Playing, fields: []string{"name", "start", "duration", "reset"}, named: true}, true
	case "publish_done":
		return call{action: media.Unpublished, fields: []string{"name"}}, true
	case "play_done":
		return call{action: media.Stopped, fields: []string{"name"}}, true
	case "done":
		return call{action: media.Informed, fields: []string{"name"}}, true
	case "update_publish":
		return call{action: media.Updated, on: media.Publish, fields: []string{"time", "timestamp", "name"}}, true
	case "update_play":
		return call{action: media.Updated, on: media.Play, fields: []string{"time", "timestamp", "name"}}, true
	case "record_done":
		return call{action: media.Recorded, fields: []string{"recorder", "name", "path"}, named: true}, true
	}
	return call{}, false
}

// headFields precede "call" in every notification, in this order; "epoch" comes
// with connect only, "clientid" with all others.
func headFields() []string {
	return []string{"app", "flashver", "swfurl", "tcurl", "pageurl", "addr", "epoch", "clientid", "call"}
}

// form reads fields in the order in which the module writes them. The module
// escapes its own values, so that "&" ends them, but puts the client's query
// behind them as it is. Fields are therefore taken by their place: a client that
// asks for "?name=other&clientid=1" only gets those words into its own query.
type form struct {
	values map[string]string
	rest   string
}

// take reads the fields that come next among names, in that order. A field that
// is not there is left out. The first value of a field stays.
func (f *form) take(names []string) error {
	for _, name := range names {
		pair, rest, _ := strings.Cut(f.rest, "&")
		raw, ok := strings.CutPrefix(pair, name+"=")
		if !ok {
			continue
		}
		value, err := url.PathUnescape(raw) // a plus stands for itself here
		if err != nil {
			return fmt.Errorf("field %s: bad escape", name)
		}
		if _, known := f.values[name]; !known {
			f.values[name] = value
		}
		f.rest = rest
	}
	return nil
}

func (f *form) need(names ...string) error {
	for _, name := range names {
		if _, ok := f.values[name]; !ok {
			return fmt.Errorf("field %s is missing", name)
		}
	}
	return nil
}

// decode turns a notification, as it is on the wire, into an event.
func decode(body string) (media.Event, error) {
	f := form{values: make(map[string]string, 12), rest: body}
	if err := f.take(headFields()); err != nil {
		return media.Event{}, err
	}
	if err := f.need("app", "addr", "call"); err != nil {
		return media.Event{}, err
	}
	c, ok := callNamed(f.values["call"])
	if !ok {
		return media.Event{}, fmt.Errorf("call %.32q is unknown", f.values["call"])
	}
	if err := f.take(c.fields); err != nil {
		return media.Event{}, err
	}
	if c.named {
		if err := f.need("name"); err != nil {
			return media.Event{}, err
		}
	}
	return f.event(c)
}

func (f *form) event(c call) (media.Event, error) {
	v := f.values
	ev := media.Event{
		Action:   c.action,
		On:       c.on,
		Stream:   media.Stream{Vhost: media.DefaultVhost, App: v["app"], Name: v["name"]},
		Address:  v["addr"],
		Protocol: "rtmp",
		Host:     media.URLHost(v["tcurl"]),
		Query:    f.query(c),
		PageURL:  v["pageurl"],
		File:     v["path"],
	}
	if v["app"] == "" && v["tcurl"] == "" && v["flashver"] == relayFlashver {
		ev.Relay = true
		ev.Address, _, _ = strings.Cut(v["addr"], "?") // the rest is a secret of the remote server
	}
	if c.action == media.Connecting {
		return ev, nil
	}
	serial, err := strconv.ParseInt(v["clientid"], 10, 64)
	if err != nil || serial <= 0 {
		return media.Event{}, fmt.Errorf("field clientid is not a number above zero")
	}
	ev.ClientID, ev.Serial = strconv.FormatInt(serial, 10), serial
	return ev, nil
}

// query returns the client's query behind the stream name, and behind that the
// one that it put on the server URL, where encoders with one field for both
// ("rtmp://host/live?token=abc" and a stream key) leave the credential. The
// module repeats the latter by itself in connect and disconnect only.
func (f *form) query(c call) string {
	if c.action == media.Connecting || c.action == media.Disconnected {
		return f.rest
	}
	_, onServer, _ := strings.Cut(f.values["tcurl"], "?")
	if f.rest == "" || onServer == "" {
		return f.rest + onServer
	}
	return f.rest + "&" + onServer
}
