package main

import (
	"fmt"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media/nginx"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

type signCmd struct {
	Stream string        `arg:"" help:"Stream name."`
	App    string        `name:"application" help:"Application; empty for the configured one."`
	TTL    time.Duration `help:"How long the URLs are good; zero for the configured time." name:"ttl"`
}

// Run prints the URLs that publish and play a stream, signed under the rules
// that apply to it now. The last one is for edges of nginx that ask here.
func (c signCmd) Run(e *env) error {
	return withApp(e, func(a *app) error {
		app, ttl := c.App, c.TTL
		if app == "" {
			app = e.cfg.App
		}
		if ttl == 0 {
			ttl = e.cfg.URLTTL
		}
		l := a.rooms.StreamLinks(app, c.Stream, time.Now().Add(ttl))
		v := struct {
			Push map[string]string `json:"push"`
			Play map[string]string `json:"play"`
		}{pushMap(l.Push), pullMap(l.Pull)}
		rows := [][]string{
			{"publish", l.Push.RTMP}, {"publish", l.Push.SRT},
			{"play", l.Pull.RTMP}, {"play", l.Pull.FLV}, {"play", l.Pull.HLS},
		}
		if e.json {
			return e.print(v, "", nil)
		}
		if edge := nginx.Prefixed(l.Pull.HLS); edge != "" {
			rows = append(rows, []string{"play", edge})
		}
		for _, r := range rows {
			fmt.Fprintf(e.stdout, "%-8s %s\n", r[0], r[1])
		}
		return nil
	})
}

func pushMap(u *room.PushURLs) map[string]string {
	return map[string]string{"rtmp": u.RTMP, "srt": u.SRT}
}

func pullMap(u room.PullURLs) map[string]string {
	urls := map[string]string{"rtmp": u.RTMP, "flv": u.FLV, "hls": u.HLS}
	if edge := nginx.Prefixed(u.HLS); edge != "" {
		urls["hls_prefixed"] = edge
	}
	return urls
}
