package main

import (
	"strings"

	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

type ruleSchemesCmd struct{}

type schemeJSON struct {
	Name     string   `json:"name"`
	Strength string   `json:"strength"`
	Scenes   []string `json:"scenes"`
	Options  []string `json:"options"`
}

// Run needs no database: the schemes are those of this program.
func (ruleSchemesCmd) Run(e *env) error {
	out, rows := []schemeJSON{}, [][]string{}
	for _, d := range urlsign.Schemes() {
		s := schemeJSON{Name: d.Name, Strength: d.Strength, Scenes: []string{}, Options: append([]string{}, d.Options...)}
		if d.Publish {
			s.Scenes = append(s.Scenes, "publish")
		}
		if d.Play {
			s.Scenes = append(s.Scenes, "play")
		}
		out = append(out, s)
		rows = append(rows, []string{s.Name, s.Strength, strings.Join(s.Scenes, ","), orDash(strings.Join(s.Options, ","))})
	}
	return e.print(out, "SCHEME STRENGTH SCENES OPTIONS", rows)
}
