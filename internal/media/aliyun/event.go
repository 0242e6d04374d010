package aliyun

import (
	"encoding/json"
	"errors"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/callback"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// lastSecond is the last one of the year 9999.
const lastSecond = 253402300799

// toEvent turns a live status into an event. The service names no connections:
// all of one stream and address are one, and what happened last counts.
func toEvent(p gen.AliyunCallbackParams) (media.Event, error) {
	if p.App == "" || p.Appname == "" || p.ID == "" {
		return media.Event{}, errors.New("app, appname or id is missing")
	}
	if p.Time < 0 || p.Time > lastSecond {
		return media.Event{}, errors.New("time is out of range")
	}
	ev := media.Event{
		ClientID: "push",
		Stream:   media.Stream{Vhost: media.DefaultVhost, App: p.Appname, Name: p.ID},
		Address:  p.IP,
		Protocol: "rtmp",
		Host:     media.HostOf(p.App),
		Query:    p.Usrargs,
		Fact:     true,
		At:       time.Unix(p.Time, 0).UTC(),
	}
	switch p.Action {
	case gen.PushActionPublish:
		ev.Action = media.Publishing
	case gen.PushActionPublishDone:
		ev.Action, ev.Fact = media.Unpublished, false
	default:
		return media.Event{}, errors.New("action is unknown")
	}
	return ev, nil
}

// file is the callback of a recording.
type file struct {
	Domain    string  `json:"domain"`
	App       string  `json:"app"`
	Stream    string  `json:"stream"`
	Event     string  `json:"event"`
	URI       string  `json:"uri"`
	Duration  float64 `json:"duration"`
	StartTime int64   `json:"start_time"`
}

func recording(body []byte, now time.Time) (media.Event, error) {
	var f file
	if err := json.Unmarshal(body, &f); err != nil {
		return media.Event{}, err
	}
	if f.App == "" || f.Stream == "" {
		return media.Event{}, errors.New("app or stream is missing")
	}
	if f.StartTime < 0 || f.StartTime > lastSecond || f.Duration < 0 {
		return media.Event{}, errors.New("a number is out of range")
	}
	ev := media.Event{Action: media.Informed, Stream: media.Stream{Vhost: media.DefaultVhost, App: f.App, Name: f.Stream}}
	if f.URI == "" { // a change of state
		return ev, nil
	}
	ev.Action, ev.File, ev.Duration = media.Recorded, f.URI, f.Duration
	ev.Began = now
	if f.StartTime > 0 {
		ev.Began = time.Unix(f.StartTime, 0).UTC()
	}
	return ev, nil
}
