package nginxrtmp

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/hook"
)

const (
	maxStat    = 4 << 20 // bytes; a client takes about 250
	maxStreams = 10_000
	maxClients = 50_000
	maxUptime  = 10 * 365 * 24 * 3600 // seconds; who says more does not know
)

// Client reads the statistics page (rtmp_stat all) at a node's ControlURL. It
// waits as long as its HTTP client does, which should have a timeout of about
// two seconds.
//
// The page shows the worker process that answers: with several workers, or for
// sessions that outlive a reload, it is not the whole truth.
type Client struct {
	HTTP *http.Client
}

// Streams lists what is being published on the node right now. It fails with
// BadGateway when the node does not answer, answers with something else, or
// lists more than it could carry; a list is never cut short.
func (c Client) Streams(ctx context.Context, n media.Node) ([]media.LiveStream, error) {
	page, err := c.stat(ctx, n)
	if err != nil {
		return nil, hook.Unavailable(err)
	}
	var list []media.LiveStream
	page.each(func(app string, s stream) {
		if s.Publishing != nil {
			list = append(list, s.live(app))
		}
	})
	if len(list) > maxStreams {
		return nil, hook.Unavailable(fmt.Errorf("more than %d streams", maxStreams))
	}
	return list, nil
}

// Census lists all publishers and players of the process that answers, also
// players that wait for a publisher. The module has no other: who watches files
// of HLS never asked. It fails as Streams does.
func (c Client) Census(ctx context.Context, n media.Node) (media.Census, error) {
	page, err := c.stat(ctx, n)
	if err != nil {
		return media.Census{}, hook.Unavailable(err)
	}
	census := media.Census{Publishers: true, Players: true, Process: page.PID, Age: time.Duration(min(max(page.Uptime, 0), maxUptime)) * time.Second}
	page.each(func(app string, s stream) {
		for _, client := range s.Clients {
			census.Clients = append(census.Clients, client.live(app, s))
		}
	})
	if len(census.Clients) > maxClients {
		return media.Census{}, hook.Unavailable(fmt.Errorf("more than %d clients", maxClients))
	}
	return census, nil
}

func (p stat) each(visit func(app string, s stream)) {
	for _, server := range p.Servers {
		for _, app := range server.Applications {
			for _, s := range app.Streams {
				visit(app.Name, s)
			}
		}
	}
}

func (c Client) stat(ctx context.Context, n media.Node) (stat, error) {
	if n.ControlURL == "" {
		return stat{}, errors.New("the node has no control URL")
	}
	status, body, err := c.get(ctx, n, n.ControlURL)
	if err != nil {
		return stat{}, err
	}
	if status != http.StatusOK {
		return stat{}, fmt.Errorf("statistics page: %w", media.Answered(status))
	}
	var page stat
	if err := xml.Unmarshal(body, &page); err != nil {
		return stat{}, fmt.Errorf("read statistics page: %w", err)
	}
	return page, nil
}

func (c Client) get(ctx context.Context, n media.Node, url string) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	if n.Username != "" {
		req.SetBasicAuth(n.Username, n.Password)
	}
	resp, body, err := hook.Ask(c.HTTP, req, maxStat)
	if err != nil {
		return 0, nil, err
	}
	return resp.StatusCode, body, nil
}

type stat struct {
	XMLName xml.Name `xml:"rtmp"` // anything else is not the page
	PID     string   `xml:"pid"`
	Uptime  int64    `xml:"uptime"` // seconds, of the worker that answers
	Servers []struct {
		Applications []struct {
			Name    string   `xml:"name"`
			Streams []stream `xml:"live>stream"`
		} `xml:"application"`
	} `xml:"server"`
}

type stream struct {
	Name       string    `xml:"name"`
	Millis     int64     `xml:"time"`
	BitsIn     int64     `xml:"bw_in"` // per second, over the last 10 s
	BitsOut    int64     `xml:"bw_out"`
	BytesIn    int64     `xml:"bytes_in"`
	BytesOut   int64     `xml:"bytes_out"`
	Clients    []client  `xml:"client"`
	Count      int       `xml:"nclients"`
	Publishing *struct{} `xml:"publishing"`
	Video      struct {
		Codec     string  `xml:"codec"`
		Profile   string  `xml:"profile"`
		Level     string  `xml:"level"`
		Width     int     `xml:"width"`
		Height    int     `xml:"height"`
		FrameRate float64 `xml:"frame_rate"`
	} `xml:"meta>video"`
	Audio struct {
		Codec      string `xml:"codec"`
		Profile    string `xml:"profile"`
		SampleRate int    `xml:"sample_rate"`
		Channel    int    `xml:"channels"`
	} `xml:"meta>audio"`
}

func (s stream) video() media.Video {
	v := media.Video(s.Video)
	v.FrameRate = media.FrameRate(v.FrameRate)
	return v
}

type client struct {
	ID         string    `xml:"id"`
	Address    string    `xml:"address"`
	Millis     int64     `xml:"time"` // since it connected
	FlashVer   string    `xml:"flashver"`
	Publishing *struct{} `xml:"publishing"`
}

// isRelay tells the module's own pulls and pushes by their address, which is host,
// port and path of the other server, or a socket of another worker. The flash
// version alone anybody can claim.
func (c client) isRelay() bool {
	return c.FlashVer == relayFlashver && strings.Contains(c.Address, "/") || strings.HasPrefix(c.Address, "unix:")
}

// live names the client as its callbacks do. A name with blanks, which stand for
// letters outside ASCII, is not the stream's.
func (c client) live(app string, s stream) media.LiveClient {
	serial, err := strconv.ParseInt(c.ID, 10, 64)
	if err != nil {
		serial = 0
	}
	live := media.LiveClient{Scene: media.Play, Serial: serial, Relay: c.isRelay(), Uptime: time.Duration(min(max(c.Millis, 0), maxUptime*1000)) * time.Millisecond,
		Client: media.Client{ID: c.ID, Stream: media.Stream{Vhost: media.DefaultVhost, App: app, Name: s.Name}, Address: c.Address, Protocol: "rtmp"}}
	if c.Publishing != nil {
		live.Scene, live.BytesIn = media.Publish, s.BytesIn
	}
	if strings.Contains(s.Name, " ") {
		live.Stream.Name = ""
	}
	if live.Relay { // the rest of the address is a secret of the other server
		live.Address, _, _ = strings.Cut(c.Address, "?")
	}
	return live
}

func (s stream) live(app string) media.LiveStream {
	live := media.LiveStream{
		Stream:   media.Stream{Vhost: media.DefaultVhost, App: app, Name: s.Name},
		Clients:  s.Count,
		RecvKbps: int(s.BitsIn / 1000),
		SendKbps: int(s.BitsOut / 1000),
		BytesIn:  s.BytesIn,
		BytesOut: s.BytesOut,
		Video:    s.video(),
		Audio:    media.Audio(s.Audio),
		Uptime:   time.Duration(s.Millis) * time.Millisecond,
	}
	for _, c := range s.Clients {
		if c.Publishing != nil {
			live.PublisherID = c.ID
			live.Relay = c.isRelay()
		}
	}
	return live
}
