package ipchub

import (
	"context"
	"runtime"
	"strings"

	gen "github.com/stagedoor-live/stagedoor/gen/ipchub"
	"github.com/stagedoor-live/stagedoor/internal/ledger"
)

// IpchubServer says what runs here.
func (s *Server) IpchubServer(context.Context, gen.IpchubServerRequestObject) (gen.IpchubServerResponseObject, error) {
	return gen.IpchubServer200JSONResponse{
		Vendor: "Stagedoor", Name: "stagedoor", Version: s.Version,
		Os: strings.ToUpper(runtime.GOOS[:1]) + runtime.GOOS[1:], Arch: strings.ToUpper(runtime.GOARCH),
		StartOn: s.Started.Local(), Duration: s.Now().Sub(s.Started).String(),
	}, nil
}

// IpchubRuntime tells the figures of this process, and of the streams of all.
func (s *Server) IpchubRuntime(ctx context.Context, req gen.IpchubRuntimeRequestObject) (gen.IpchubRuntimeResponseObject, error) {
	f, err := s.Streams.Figures(ctx)
	if err != nil {
		return nil, err
	}
	now := s.Now()
	out := gen.IpchubRuntime200JSONResponse{
		On: now.Local(), Proc: s.usage.read(s.Started, now),
		Streams: gen.IpchubStreamFigures{Sources: f.Sources, Consumers: f.Consumers},
		Rtsp:    connections(f, isRTSP), FLV: connections(f, isFLV), Wsp: connections(f, isWSP),
	}
	if on(string(req.Params.Extra)) {
		out.Extra = extra()
	}
	return out, nil
}

// connections adds up what is counted apart.
func connections(f ledger.Figures, of func(protocol string) bool) (c gen.IpchubConnections) {
	for protocol, n := range f.Protocols {
		if of(protocol) {
			c.Total, c.Active = c.Total+n.Total, c.Active+n.Active
		}
	}
	return c
}
