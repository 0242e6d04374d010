package main

import (
	"fmt"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/dialect/stagedoor"
)

type routeCmd struct {
	List routeListCmd `cmd:"" help:"List pull routes: state, since when, on which media server, how many watch."`
}

type routeListCmd struct{}

const routePage = 500

func (routeListCmd) Run(e *env) error {
	return withApp(e, func(a *app) error {
		out, rows, after := []gen.Relay{}, [][]string{}, ""
		for {
			page, err := a.relays.Page(e.ctx, after, routePage)
			if err != nil {
				return err
			}
			for _, r := range page {
				shown := stagedoor.ToRelay(r)
				out, after = append(out, shown), r.Pattern
				rows = append(rows, []string{r.Pattern, r.URL, r.State, orDash(r.Reason), orNever(&shown.Since), orDash(r.Node), fmt.Sprint(r.Viewers)})
			}
			if len(page) < routePage {
				return e.print(out, "PATTERN URL STATE REASON SINCE NODE VIEWERS", rows)
			}
		}
	})
}
