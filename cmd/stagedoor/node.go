package main

import (
	"fmt"
	"strings"

	"github.com/stagedoor-live/stagedoor/internal/config"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/node"
)

type nodeCmd struct {
	List   nodeListCmd   `cmd:"" help:"List media servers."`
	Create nodeCreateCmd `cmd:"" help:"Add a media server and print the lines for its configuration."`
	Update nodeUpdateCmd `cmd:"" help:"Change a media server's settings."`
	Config nodeConfigCmd `cmd:"" help:"Print the lines for its configuration again."`
	Rotate nodeRotateCmd `cmd:"" help:"Give it a new secret; the old one is void at once."`
	Delete nodeDeleteCmd `cmd:"" help:"Remove a media server; its callbacks are refused at once."`
}

type nodeJSON struct {
	Name       string   `json:"name"`
	Kind       string   `json:"kind"`
	Secured    bool     `json:"secured"`
	Sources    []string `json:"sources"`
	ControlURL string   `json:"control_url"`
	PlayURL    string   `json:"play_url"`
	RecordURL  string   `json:"record_url"`
	Secret     string   `json:"secret,omitempty"`
	Config     string   `json:"config,omitempty"`
}

func toNodeJSON(n node.Node) nodeJSON {
	out := nodeJSON{Name: n.Name, Kind: n.Kind, Secured: n.Secured, Sources: []string{}, ControlURL: n.ControlURL, PlayURL: n.PlayURL, RecordURL: n.RecordURL}
	for _, p := range n.Sources {
		out.Sources = append(out.Sources, p.String())
	}
	return out
}

// nodeFlags are the settings that creating and updating share.
type nodeFlags struct {
	Kind       *string  `help:"srs, nginx-rtmp or any."`
	Source     []string `help:"Address or CIDR that callbacks may come from; repeat for several, none for any."`
	ControlURL *string  `help:"SRS: base of its HTTP API. nginx-rtmp: its rtmp_stat page, with rtmp_control at control beside it."`
	Username   *string  `help:"HTTP Basic user of the control URL."`
	Password   bool     `help:"Read the HTTP Basic password from standard input."`
	PlayURL    *string  `help:"Template of public play URLs with {app} and {stream}."`
	RecordURL  *string  `help:"Template of public recording URLs with {file}."`
}

func (f nodeFlags) apply(e *env, st *node.Settings) error {
	for _, v := range []struct {
		from *string
		to   *string
	}{{f.Kind, &st.Kind}, {f.ControlURL, &st.ControlURL}, {f.Username, &st.Username}, {f.PlayURL, &st.PlayURL}, {f.RecordURL, &st.RecordURL}} {
		if v.from != nil {
			*v.to = *v.from
		}
	}
	if f.Source != nil {
		st.Sources = nil
	}
	for _, text := range f.Source {
		p, err := config.ParsePrefix(text)
		if err != nil {
			return errs.InvalidField("source", fmt.Sprintf("source %q is neither an address nor a CIDR", text))
		}
		st.Sources = append(st.Sources, p)
	}
	var err error
	if f.Password {
		st.Password, err = e.readPassword()
	}
	return err
}

type nodeListCmd struct{}

func (nodeListCmd) Run(e *env) error {
	return withApp(e, func(a *app) error {
		nodes, err := a.nodes.List(e.ctx)
		if err != nil {
			return err
		}
		out, rows := make([]nodeJSON, len(nodes)), make([][]string, len(nodes))
		for i, n := range nodes {
			out[i] = toNodeJSON(n)
			rows[i] = []string{n.Name, n.Kind, fmt.Sprint(n.Secured), orDash(strings.Join(out[i].Sources, ",")), orDash(n.ControlURL)}
		}
		return e.print(out, "NAME KIND SECURED SOURCES CONTROL", rows)
	})
}

type nodeCreateCmd struct {
	Name string `arg:""`
	nodeFlags
}

func (c nodeCreateCmd) Run(e *env) error {
	st := node.Settings{Kind: node.KindAny}
	if err := c.apply(e, &st); err != nil {
		return err
	}
	return withApp(e, func(a *app) error {
		secret, err := a.nodes.Create(e.ctx, c.Name, st)
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
	return withApp(e, func(a *app) error {
		n, err := findNode(e, a, c.Name)
		if err != nil {
			return err
		}
		st := node.Settings{Kind: n.Kind, Sources: n.Sources, ControlURL: n.ControlURL, Username: n.Username, PlayURL: n.PlayURL, RecordURL: n.RecordURL}
		if err := c.apply(e, &st); err != nil {
			return err
		}
		return a.nodes.Update(e.ctx, c.Name, st)
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
	return withApp(e, func(a *app) error { return a.nodes.Delete(e.ctx, c.Name) })
}

func findNode(e *env, a *app, name string) (node.Node, error) {
	all, err := a.nodes.List(e.ctx)
	if err != nil {
		return node.Node{}, err
	}
	for _, n := range all {
		if n.Name == name {
			return n, nil
		}
	}
	return node.Node{}, node.ErrNotFound
}

// printNode shows a node with its secret in the lines that carry it.
func (e *env) printNode(a *app, name, secret string) error {
	n, err := findNode(e, a, name)
	if err != nil {
		return err
	}
	lines := configLines(n.Kind, media.Setup{Base: e.cfg.PublicURL, Node: name, Secret: secret, App: e.cfg.App})
	if !e.json {
		_, err = fmt.Fprintln(e.stdout, lines)
		return err
	}
	out := toNodeJSON(n)
	out.Secret, out.Config = secret, lines
	return e.print(out, "", nil)
}
