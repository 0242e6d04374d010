package nginxrtmp

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

const (
	maxStat    = 4 << 20 // bytes; a client takes about 250
	maxStreams = 10_000
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
	var list []media.LiveStream
	err := c.each(ctx, n, func(app string, s stream) {
		if s.Publishing != nil {
			list = append(list, s.live(app))
		}
	})
	if err != nil {
		return nil, err
	}
	if len(list) > maxStreams {
		return nil, unavailable(fmt.Errorf("more than %d streams", maxStreams))
	}
	return list, nil
}

// Clients lists the client ids of all publishers and players on the node, also
// of players that wait for a publisher. It fails as Streams does.
func (c Client) Clients(ctx context.Context, n media.Node) ([]string, error) {
	var ids []string
	err := c.each(ctx, n, func(_ string, s stream) {
		for _, client := range s.Clients {
			ids = append(ids, client.ID)
		}
	})
	if err != nil {
		return nil, err
	}
	return ids, nil
}

func (c Client) each(ctx context.Context, n media.Node, visit func(app string, s stream)) error {
	page, err := c.stat(ctx, n)
	if err != nil {
		return unavailable(err)
	}
	for _, server := range page.Servers {
		for _, app := range server.Applications {
			for _, s := range app.Streams {
				visit(app.Name, s)
			}
		}
	}
	return nil
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
		return stat{}, fmt.Errorf("statistics page answered %d", status)
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
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxStat+1))
	if err == nil && len(body) > maxStat {
		err = fmt.Errorf("the page has more than %d bytes", maxStat)
	}
	return resp.StatusCode, body, err
}

func unavailable(cause error) error {
	return errs.New(errs.BadGateway, "media_server_unavailable", "media server unavailable").With(cause)
}

type stat struct {
	XMLName xml.Name `xml:"rtmp"` // anything else is not the page
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
		Codec   string `xml:"codec"`
		Profile string `xml:"profile"`
		Level   string `xml:"level"`
		Width   int    `xml:"width"`
		Height  int    `xml:"height"`
	} `xml:"meta>video"`
	Audio struct {
		Codec      string `xml:"codec"`
		Profile    string `xml:"profile"`
		SampleRate int    `xml:"sample_rate"`
		Channel    int    `xml:"channels"`
	} `xml:"meta>audio"`
}

type client struct {
	ID         string    `xml:"id"`
	Address    string    `xml:"address"`
	FlashVer   string    `xml:"flashver"`
	Publishing *struct{} `xml:"publishing"`
}

// isRelay tells the module's own pulls by their address, which is host, port and
// path of the other server. The flash version alone anybody can claim.
func (c client) isRelay() bool {
	return c.FlashVer == relayFlashver && strings.Contains(c.Address, "/")
}

func (s stream) live(app string) media.LiveStream {
	live := media.LiveStream{
		Stream:   media.Stream{Vhost: media.DefaultVhost, App: app, Name: s.Name},
		Clients:  s.Count,
		RecvKbps: int(s.BitsIn / 1000),
		SendKbps: int(s.BitsOut / 1000),
		BytesIn:  s.BytesIn,
		BytesOut: s.BytesOut,
		Video:    media.Video(s.Video),
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
