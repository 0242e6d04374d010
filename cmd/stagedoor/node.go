package main

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/config"
	"github.com/stagedoor-live/stagedoor/internal/dialect/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/node"
)

type nodeCmd struct {
	List   nodeListCmd   `cmd:"" help:"List media servers."`
	Get    nodeGetCmd    `cmd:"" help:"Show one media server: settings, health, when it was last heard of."`
	Create nodeCreateCmd `cmd:"" help:"Add a media server and print the lines for its configuration."`
	Update nodeUpdateCmd `cmd:"" help:"Change a media server's settings."`
	Config nodeConfigCmd `cmd:"" help:"Print the lines for its configuration again."`
	Rotate nodeRotateCmd `cmd:"" help:"Give it a new secret; the old one is void at once."`
	Delete nodeDeleteCmd `cmd:"" help:"Remove a media server; its callbacks are refused at once."`
}

// nodeJSON is a node as the API shows it, with the secret and the lines that
// have it in them where they were asked for.
type nodeJSON struct {
	gen.Node
	Secret string `json:"secret,omitempty"`
	Config string `json:"config,omitempty"`
}

func (a *app) toNodeJSON(n node.Status) nodeJSON {
	return nodeJSON{Node: stagedoor.ToNode(n, a.controls[n.Kind])}
}

// nodeFlags are the settings that creating and updating share.
type nodeFlags struct {
	Kind       *string           `help:"What it is: any, srs, nginx-rtmp, mediamtx, node-media-server, zlmediakit, ovenmediaengine, aliyun or nginx."`
	Source     []string          `help:"Address or CIDR that callbacks may come from; repeat for several, none for any."`
	ControlURL *string           `help:"Base of its control API; for nginx-rtmp its rtmp_stat page, with rtmp_control at control beside it."`
	Username   *string           `help:"User of the control API."`
	Password   bool              `help:"Read the password of the control API from standard input."`
	URL        map[string]string `name:"url" mapsep:"none" placeholder:"PROTOCOL=TEMPLATE" help:"Template of public URLs with {app} and {stream}, for rtmp, http-flv, hls, webrtc, srt, rtsp or push. Repeat for several, empty for none."`
	RecordURL  *string           `help:"Template of public recording URLs with {file}."`
}

func (f nodeFlags) changes(e *env) (node.Changes, error) {
	ch := node.Changes{Kind: f.Kind, ControlURL: f.ControlURL, Username: f.Username, URLs: f.URL, RecordURL: f.RecordURL}
	if f.Source != nil {
		ch.Sources = &[]netip.Prefix{}
	}
	for _, text := range f.Source {
		p, err := config.ParsePrefix(text)
		if err != nil {
			return ch, errs.InvalidField("source", fmt.Sprintf("source %q is neither an address nor a CIDR", text))
		}
		*ch.Sources = append(*ch.Sources, p)
	}
	if f.Password {
		password, err := e.readPassword()
		if err != nil {
			return ch, err
		}
		ch.Password = &password
	}
	return ch, nil
}

type nodeListCmd struct{}

func (nodeListCmd) Run(e *env) error {
	return withApp(e, func(a *app) error {
		out, rows, after := []nodeJSON{}, [][]string{}, ""
		for {
			page, err := a.nodes.Page(e.ctx, after, nodePage)
			if err != nil {
				return err
			}
			for _, n := range page {
				out, after = append(out, a.toNodeJSON(n)), n.Name
				rows = append(rows, nodeRow(out[len(out)-1]))
			}
			if len(page) < nodePage {
				return e.print(out, "NAME KIND HEALTH SEEN SECURED SOURCES CONTROL", rows)
			}
		}
	})
}

const nodePage = 500

func nodeRow(n nodeJSON) []string {
	return []string{n.Name, string(n.Kind), string(n.Health.State), orNever(n.LastSeenAt), fmt.Sprint(n.Secured), orDash(strings.Join(n.Sources, ",")), orDash(n.ControlURL)}
}

func orNever(at *time.Time) string {
	if at == nil {
		return "never"
	}
	return at.Format(time.RFC3339)
}

type nodeGetCmd struct {
	Name string `arg:""`
}

func (c nodeGetCmd) Run(e *env) error {
	return withApp(e, func(a *app) error {
		n, err := a.nodes.Show(e.ctx, c.Name)
		if err != nil {
			return err
		}
		out := a.toNodeJSON(n)
		return e.print(out, "SETTING VALUE", nodeTable(out, n))
	})
}

func nodeTable(n nodeJSON, st node.Status) [][]string {
	rows := [][]string{{"name", n.Name}, {"kind", string(n.Kind)}, {"secured", fmt.Sprint(n.Secured)}, {"sources", orDash(strings.Join(n.Sources, ","))},
		{"control", orDash(n.ControlURL)}, {"username", orDash(n.ControlUsername)}, {"password", map[bool]string{true: "set", false: "-"}[n.ControlPasswordSet]}}
	for _, protocol := range media.Protocols {
		if template := *st.URLs.At(protocol); template != "" {
			rows = append(rows, []string{"url " + protocol, template})
		}
	}
	able := []string{}
	for _, a := range n.Abilities {
		able = append(able, string(a))
	}
	return append(rows, []string{"recordings", orDash(n.RecordURL)}, []string{"abilities", orDash(strings.Join(able, ","))},
		[]string{"health", strings.TrimSpace(string(n.Health.State) + " " + n.Health.Error)}, []string{"since", orNever(n.Health.Since)},
		[]string{"seen", orNever(n.LastSeenAt)})
}

type nodeCreateCmd struct {
	Name string `arg:""`
	nodeFlags
}

func (c nodeCreateCmd) Run(e *env) error {
	ch, err := c.changes(e)
	if err != nil {
		return err
	}
	if ch.Kind == nil {
		kind := node.KindAny
		ch.Kind = &kind
	}
	return withApp(e, func(a *app) error {
		secret, err := a.nodes.CreateWith(e.ctx, c.Name, ch)
		if err != nil {
			return err
		}
		return e.printNode(a, c.Name, secret)
	})
}

type nodeUpdateCmd struct {
	Name string `arg:""`
	nodeFlags
}

func (c nodeUpdateCmd) Run(e *env) error {
	ch, err := c.changes(e)
	if err != nil {
		return err
	}
	return withApp(e, func(a *app) error {
		if err := a.nodes.Change(e.ctx, c.Name, ch); err != nil {
			return err
		}
		n, err := a.nodes.Show(e.ctx, c.Name)
		if err != nil {
			return err
		}
		return e.done(a.toNodeJSON(n), "node %s is changed; node get %s shows it", n.Name, n.Name)
	})
}

type nodeConfigCmd struct {
	Name string `arg:""`
}

func (c nodeConfigCmd) Run(e *env) error {
	return withApp(e, func(a *app) error {
		secret, err := a.nodes.Secret(e.ctx, c.Name)
		if err != nil {
			return err
		}
		return e.printNode(a, c.Name, secret)
	})
}

type nodeRotateCmd struct {
	Name string `arg:""`
}

func (c nodeRotateCmd) Run(e *env) error {
	return withApp(e, func(a *app) error {
		secret, err := a.nodes.RotateSecret(e.ctx, c.Name)
		if err != nil {
			return err
		}
		return e.printNode(a, c.Name, secret)
	})
}

type nodeDeleteCmd struct {
	Name string `arg:""`
}

func (c nodeDeleteCmd) Run(e *env) error {
	return withApp(e, func(a *app) error {
		if err := a.nodes.Delete(e.ctx, c.Name); err != nil {
			return err
		}
		return e.done(gone{}, "node %s is deleted", c.Name)
	})
}

// printNode shows a node with its secret in the lines that carry it.
func (e *env) printNode(a *app, name, secret string) error {
	n, err := a.nodes.Show(e.ctx, name)
	if err != nil {
		return err
	}
	lines := configLines(e.cfg, n.Node.Node, secret)
	if !e.json {
		_, err = fmt.Fprintln(e.stdout, lines)
		return err
	}
	out := a.toNodeJSON(n)
	out.Secret, out.Config = secret, lines
	return e.print(out, "", nil)
}
