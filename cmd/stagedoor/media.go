package main

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/stagedoor-live/stagedoor/internal/config"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/aliyun"
	"github.com/stagedoor-live/stagedoor/internal/media/mediamtx"
	"github.com/stagedoor-live/stagedoor/internal/media/nginx"
	"github.com/stagedoor-live/stagedoor/internal/media/nginxrtmp"
	"github.com/stagedoor-live/stagedoor/internal/media/nms"
	"github.com/stagedoor-live/stagedoor/internal/media/ome"
	"github.com/stagedoor-live/stagedoor/internal/media/srs"
	"github.com/stagedoor-live/stagedoor/internal/media/zlm"
	"github.com/stagedoor-live/stagedoor/internal/node"
	"github.com/stagedoor-live/stagedoor/internal/tracing"
)

// controls are the kinds of media server that we know more of than their
// callbacks.
func controls(client *http.Client) media.Controls {
	ofSRS, ofNginxRTMP := srs.Client{HTTP: client}, nginxrtmp.Client{HTTP: client}
	ofNMS := &nms.Client{HTTP: client}
	ofMediaMTX := mediamtx.Client{HTTP: client, Now: time.Now}
	ofZLM, ofOME := zlm.New(client), ome.NewPuller(ome.Client{HTTP: client, Now: time.Now})
	return media.Controls{
		node.KindSRS:       {Lister: ofSRS, Census: ofSRS, Kicker: ofSRS, Lines: srs.Lines},
		node.KindNginx:     {Lines: nginx.Lines},
		node.KindNginxRTMP: {Lister: ofNginxRTMP, Census: ofNginxRTMP, Kicker: ofNginxRTMP, Lines: nginxrtmp.Lines},
		node.KindNMS:       {Lister: ofNMS, Census: ofNMS, Kicker: ofNMS, Lines: nms.Lines},
		node.KindMediaMTX:  {Lister: ofMediaMTX, Census: ofMediaMTX, Kicker: ofMediaMTX, Puller: ofMediaMTX, Lines: mediamtx.Lines},
		node.KindZLM:       {Lister: ofZLM, Census: ofZLM, Kicker: ofZLM, Puller: ofZLM, Lines: zlm.Lines},
		node.KindOME:       {Lister: ofOME, Census: ofOME, Kicker: ofOME, Puller: ofOME, Lines: ome.Lines},
		node.KindAliyun:    {Lines: aliyun.Lines},
	}
}

// controlClient asks media servers. Their control URLs are the operator's own
// and may lead anywhere, private networks included, but not further: what a
// server redirects to is not the operator's choice.
func controlClient(timeout time.Duration, tracer trace.Tracer) *http.Client {
	return &http.Client{Timeout: timeout, Transport: tracing.Transport(tracer, nil, "media server"), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// configLines are what a node's operator pastes. Where the kind is not known
// they are those of the two servers that most people run.
func configLines(cfg *config.Settings, n media.Node, secret string) string {
	s := media.Setup{Base: cfg.PublicURL, Node: n.Name, Secret: secret, App: cfg.App, ControlURL: n.ControlURL, Username: n.Username,
		Callers: callers(n.ControlURL)}
	if lines := controls(nil)[n.Kind].Lines; lines != nil {
		return lines(s)
	}
	return "# nginx-rtmp, in the application:\n" + nginxrtmp.Application(s) + "\n# SRS, in the vhost:\n" + srs.Vhost(s)
}

// callers are the addresses that this machine would ask a control URL from. A
// socket for datagrams knows them without sending anything. Translation on the
// way changes them, which nobody can know here.
func callers(controlURL string) []netip.Addr {
	loopback := netip.MustParseAddr("127.0.0.1")
	u, err := url.Parse(controlURL)
	if controlURL == "" || err != nil {
		return []netip.Addr{loopback}
	}
	a, err := netip.ParseAddr(u.Hostname())
	if err != nil {
		return []netip.Addr{} // a look-up would take its time, and differ elsewhere
	}
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, 9)))
	if err != nil {
		return []netip.Addr{}
	}
	defer func() { _ = c.Close() }()
	return []netip.Addr{c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()}
}
