package stagedoor

import (
	"context"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/node"
)

// ListNodes returns one page.
func (s *Server) ListNodes(ctx context.Context, req gen.ListNodesRequestObject) (gen.ListNodesResponseObject, error) {
	limit, after, err := page(req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	nodes, err := s.Nodes.Page(ctx, after, limit+1)
	if err != nil {
		return nil, err
	}
	out := gen.ListNodes200JSONResponse{Nodes: make([]gen.Node, min(limit, len(nodes)))}
	for i := range out.Nodes {
		out.Nodes[i] = s.toNode(nodes[i])
	}
	if len(nodes) > limit {
		out.NextCursor = cursor(nodes[limit-1].Name)
	}
	return out, nil
}

// CreateNode adds a node and shows its secret, once.
func (s *Server) CreateNode(ctx context.Context, req gen.CreateNodeRequestObject) (gen.CreateNodeResponseObject, error) {
	b := req.Body
	sources, err := node.ParseSources(b.Sources)
	if err != nil {
		return nil, err
	}
	secret, err := s.Nodes.Create(ctx, b.Name, node.Settings{Kind: string(b.Kind), Sources: sources, ControlURL: b.ControlURL, Username: b.ControlUsername,
		Password: b.ControlPassword, URLs: fromURLs(b.Urls), RecordURL: b.RecordURL})
	if err != nil {
		return nil, err
	}
	shown, err := s.withSecret(ctx, b.Name, secret)
	return gen.CreateNode201JSONResponse(shown), err
}

// GetNode shows one node.
func (s *Server) GetNode(ctx context.Context, req gen.GetNodeRequestObject) (gen.GetNodeResponseObject, error) {
	n, err := s.Nodes.Show(ctx, req.Node)
	if err != nil {
		return nil, err
	}
	return gen.GetNode200JSONResponse(s.toNode(n)), nil
}

// UpdateNode changes one node.
func (s *Server) UpdateNode(ctx context.Context, req gen.UpdateNodeRequestObject) (gen.UpdateNodeResponseObject, error) {
	ch, err := toNodeChanges(*req.Body)
	if err != nil {
		return nil, err
	}
	if err := s.Nodes.Change(ctx, req.Node, ch); err != nil {
		return nil, err
	}
	n, err := s.Nodes.Show(ctx, req.Node)
	if err != nil {
		return nil, err
	}
	return gen.UpdateNode200JSONResponse(s.toNode(n)), nil
}

// DeleteNode removes one node.
func (s *Server) DeleteNode(ctx context.Context, req gen.DeleteNodeRequestObject) (gen.DeleteNodeResponseObject, error) {
	if err := s.Nodes.Delete(ctx, req.Node); err != nil {
		return nil, err
	}
	return gen.DeleteNode204Response{}, nil
}

// RotateNodeSecret gives a node a new secret and shows it, once.
func (s *Server) RotateNodeSecret(ctx context.Context, req gen.RotateNodeSecretRequestObject) (gen.RotateNodeSecretResponseObject, error) {
	secret, err := s.Nodes.RotateSecret(ctx, req.Node)
	if err != nil {
		return nil, err
	}
	shown, err := s.withSecret(ctx, req.Node, secret)
	return gen.RotateNodeSecret200JSONResponse(shown), err
}

// GetNodeConfiguration shows what to paste into a node's configuration.
func (s *Server) GetNodeConfiguration(ctx context.Context, req gen.GetNodeConfigurationRequestObject) (gen.GetNodeConfigurationResponseObject, error) {
	n, err := s.Nodes.Show(ctx, req.Node)
	if err != nil {
		return nil, err
	}
	secret, err := s.Nodes.Secret(ctx, req.Node)
	if err != nil {
		return nil, err
	}
	return gen.GetNodeConfiguration200JSONResponse{Kind: gen.NodeConfigurationKind(n.Kind), Configuration: s.Configure(n.Node.Node, secret)}, nil
}

func (s *Server) withSecret(ctx context.Context, name, secret string) (gen.NodeSecret, error) {
	n, err := s.Nodes.Show(ctx, name)
	if err != nil {
		return gen.NodeSecret{}, err
	}
	return gen.NodeSecret{Node: s.toNode(n), Secret: secret, Configuration: s.Configure(n.Node.Node, secret)}, nil
}

func (s *Server) toNode(n node.Status) gen.Node { return ToNode(n, s.Controls[n.Kind]) }

// ToNode shows a node in the way of the API.
func ToNode(n node.Status, c media.Control) gen.Node {
	out := gen.Node{
		Name: n.Name, Kind: gen.NodeKind(n.Kind), Secured: n.Secured, Sources: make([]string, len(n.Sources)),
		ControlURL: n.ShownControlURL(), ControlUsername: n.Username, ControlPasswordSet: n.Password != "",
		Urls: toURLs(n.URLs), RecordURL: n.RecordURL, Abilities: abilities(c), Health: toHealth(n.Health),
		LastSeenAt: inUTC(n.LastSeenAt), CreatedAt: n.CreatedAt.UTC(), UpdatedAt: n.UpdatedAt.UTC(),
	}
	for i, p := range n.Sources {
		out.Sources[i] = p.String()
	}
	return out
}

func toHealth(h node.Health) gen.NodeHealth {
	return gen.NodeHealth{State: gen.NodeHealthState(h.State), Since: inUTC(h.Since), CheckedAt: inUTC(h.CheckedAt), Error: h.Error,
		Streams: int32(h.Streams), Clients: int32(h.Clients)}
}

func inUTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

func abilities(c media.Control) []gen.NodeAbilities {
	out := []gen.NodeAbilities{}
	for _, a := range []struct {
		has  bool
		name gen.NodeAbilities
	}{{c.Lister != nil, gen.NodeAbilitiesList}, {c.Census != nil, gen.NodeAbilitiesCensus}, {c.Kicker != nil, gen.NodeAbilitiesKick}, {c.Puller != nil, gen.NodeAbilitiesPull}} {
		if a.has {
			out = append(out, a.name)
		}
	}
	return out
}

func toNodeChanges(u gen.NodeUpdate) (node.Changes, error) {
	ch := node.Changes{ControlURL: u.ControlURL, Username: u.ControlUsername, Password: u.ControlPassword, URLs: map[string]string{}, RecordURL: u.RecordURL}
	if u.Kind != nil {
		kind := string(*u.Kind)
		ch.Kind = &kind
	}
	if u.Sources != nil {
		sources, err := node.ParseSources(*u.Sources)
		if err != nil {
			return node.Changes{}, err
		}
		ch.Sources = &sources
	}
	for protocol, template := range byProtocol(&u.Urls) {
		if *template != nil {
			ch.URLs[protocol] = **template
		}
	}
	return ch, nil
}

// byProtocol says where in the API's object the template of each protocol is.
func byProtocol(u *gen.NodeURLs) map[string]**string {
	return map[string]**string{"rtmp": &u.RTMP, "http-flv": &u.HTTPFLV, "hls": &u.HLS, "webrtc": &u.Webrtc, "srt": &u.SRT, "rtsp": &u.Rtsp, "push": &u.Push}
}

func toURLs(urls media.URLs) (out gen.NodeURLs) {
	for protocol, to := range byProtocol(&out) {
		if template := *urls.At(protocol); template != "" {
			*to = &template
		}
	}
	return out
}

func fromURLs(in gen.NodeURLs) (urls media.URLs) {
	for protocol, from := range byProtocol(&in) {
		if *from != nil {
			*urls.At(protocol) = **from
		}
	}
	return urls
}
