package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/dialect/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/ledger"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

type banCmd struct {
	List   banListCmd   `cmd:"" help:"List bans, newest first."`
	Add    banAddCmd    `cmd:"" help:"Refuse everybody who wants to publish or play a stream, and cut off who does."`
	Remove banRemoveCmd `cmd:"" help:"Let a stream run again."`
}

type banListCmd struct {
	Stream string `help:"Only streams with this in their name."`
}

// The longest list that is printed.
const bansPrinted = 1000

func (c banListCmd) Run(e *env) error {
	return withApp(e, func(a *app) error {
		bans, _, err := a.access.Bans(e.ctx, access.BanFilter{Stream: c.Stream, Fuzzy: true, Descending: true, Limit: bansPrinted})
		if err != nil {
			return err
		}
		out, rows := make([]gen.Ban, len(bans)), make([][]string, len(bans))
		for i, b := range bans {
			out[i] = stagedoor.ToBan(b)
			rows[i] = []string{orDash(b.Vhost), orDash(b.Domain), b.App, b.Stream, timeOrDash(&b.CreatedAt), timeOrDash(&b.Until), strconv.FormatBool(b.Active)}
		}
		return e.print(out, "VHOST DOMAIN APP STREAM CREATED UNTIL ACTIVE", rows)
	})
}

// banTarget names a stream.
type banTarget struct {
	Stream string `arg:"" help:"Stream: name, or app/name."`
	Domain string `help:"Host name that clients use, or vhost." xor:"where"`
	Vhost  string `help:"Virtual host of the media server. Without a domain or vhost: the default one." xor:"where"`
}

func (t banTarget) ban(e *env) access.Ban {
	b := access.Ban{Vhost: t.Vhost, Domain: t.Domain, App: e.cfg.App, Stream: t.Stream}
	if i := strings.LastIndexByte(t.Stream, '/'); i >= 0 {
		b.App, b.Stream = t.Stream[:i], t.Stream[i+1:]
	}
	if b.Vhost == "" && b.Domain == "" {
		b.Vhost = media.DefaultVhost
	}
	return b
}

type banAddCmd struct {
	banTarget
	For time.Duration `help:"How long; the longest time of 90 days where it is not given." placeholder:"DURATION"`
}

func (c banAddCmd) Run(e *env) error {
	return withApp(e, func(a *app) error {
		b := c.ban(e)
		if c.For != 0 {
			b.Until = time.Now().Add(c.For)
		}
		if err := a.access.Forbid(e.ctx, b); err != nil {
			return err
		}
		if err := a.endBanned(e, b); err != nil {
			return err
		}
		bans, _, err := a.access.Bans(e.ctx, access.BanFilter{Vhost: b.Vhost, Domain: b.Domain, App: b.App, Stream: b.Stream, Descending: true, Limit: 1})
		if err != nil {
			return err
		}
		if len(bans) == 0 { // ended meanwhile
			return e.done(gone{}, "%s/%s is not banned any more", b.App, b.Stream)
		}
		return e.done(stagedoor.ToBan(bans[0]), "%s/%s is banned until %s", b.App, b.Stream, timeOrDash(&bans[0].Until))
	})
}

// endBanned cuts off a stream that runs where it is banned now. The ban holds
// where a media server cannot be told; whoever banned it hears that it goes on.
func (a *app) endBanned(e *env, b access.Ban) error {
	streams, _, err := a.ledger.Live(e.ctx, ledger.LiveFilter{App: b.App, Stream: b.Stream, Limit: bansPrinted})
	if err != nil {
		return err
	}
	for _, live := range streams {
		if !a.access.Banned(time.Now(), "", live.Stream) {
			continue
		}
		if _, err := a.evict.KickStream(e.ctx, live.Stream); err != nil {
			fmt.Fprintf(e.stderr, "stagedoor: banned, but %s goes on: %s\n", live.Stream, message(err))
		}
	}
	return nil
}

type banRemoveCmd struct{ banTarget }

func (c banRemoveCmd) Run(e *env) error {
	return withApp(e, func(a *app) error {
		b := c.ban(e)
		if err := a.access.Resume(e.ctx, b.Vhost, b.Domain, b.App, b.Stream); err != nil {
			return err
		}
		return e.done(gone{}, "%s/%s is not banned", b.App, b.Stream)
	})
}
