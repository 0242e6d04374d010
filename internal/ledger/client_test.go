package ledger

import (
	"fmt"
	"sync/atomic"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// client is a connection to a media server, and makes its callbacks.
type client struct {
	node, server, id string
	serial           int64
	stream           media.Stream
}

var serials atomic.Int64

func stream(name string) media.Stream {
	return media.Stream{Vhost: media.DefaultVhost, App: app, Name: name}
}

// onSRS returns a new connection to an SRS server, which names its process.
func onSRS(st media.Stream) client {
	return client{node: srsNode, server: "vid-1/pid-1", id: fmt.Sprintf("c%07d", serials.Add(1)), stream: st}
}

// onNginx returns a new connection to nginx, which counts connections.
func onNginx(st media.Stream) client {
	return client{node: nginxNode, stream: st}.number(serials.Add(1))
}

func (c client) number(n int64) client {
	c.serial, c.id = n, fmt.Sprint(n)
	return c
}

func (c client) at(node string) client            { c.node = node; return c }
func (c client) process(server string) client     { c.server = server; return c }
func (c client) called(id string) client          { c.id = id; return c }
func (c client) streaming(st media.Stream) client { c.stream = st; return c }

func (c client) event(a media.Action) media.Event {
	return media.Event{Action: a, Node: c.node, ServerID: c.server, ClientID: c.id, Serial: c.serial, Stream: c.stream, Address: "192.0.2.7", Protocol: "rtmp"}
}

func (c client) publish() media.Event   { return c.event(media.Publishing) }
func (c client) unpublish() media.Event { return c.event(media.Unpublished) }
func (c client) play() media.Event      { return c.event(media.Playing) }
func (c client) leave() media.Event     { return c.event(media.Stopped) }

// close is the end of the connection, which names no stream.
func (c client) close() media.Event {
	e := c.event(media.Disconnected)
	e.Stream.Name = ""
	return e
}

func (c client) recorded(file, dir string) media.Event {
	e := c.event(media.Recorded)
	e.File, e.Dir = file, dir
	return e
}
