package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/node"
)

// retiringFor is how long a key that signs nothing any more may still verify
// before somebody should look at it.
const retiringFor = 7 * 24 * time.Hour

// mostNamed bounds the names in one line.
const mostNamed = 5

// checkRules says whether every rule can sign, which keys could go, and what
// is open to everybody.
func checkRules(ctx context.Context, a *app) []finding {
	rules, err := a.access.Rules(ctx)
	if err != nil {
		return []finding{found("rules", "%s", message(err)).fails("See database.")}
	}
	var out []finding
	var open []string
	for _, r := range rules {
		if !r.Enabled {
			open = append(open, fmt.Sprint(r.ID))
		}
		out = append(out, checkKeys(r, time.Now())...)
	}
	all := found("rules", "%d, default policy %s", len(rules), a.cfg.DefaultPolicy)
	if len(open) > 0 {
		all = all.warns("Switched off, so that anybody gets in without a credential: " + joined(open, mostNamed) + ". stagedoor rule enable ID asks for signatures again.")
	} else if a.cfg.DefaultPolicy == string(access.OpenByDefault) {
		all = all.warns("STAGEDOOR_DEFAULT_POLICY=open lets in whoever has no credential.")
	}
	return append([]finding{all}, out...)
}

func checkKeys(r access.Rule, now time.Time) (out []finding) {
	active, name := false, fmt.Sprintf("keys of rule %d", r.ID)
	for _, k := range r.Keys {
		active = active || k.State == access.KeyActive
		if k.State != access.KeyRetiring || now.Sub(k.ChangedAt) < retiringFor {
			continue
		}
		if k.LastUsed == nil || now.Sub(*k.LastUsed) > retiringFor {
			out = append(out, found(name, "%s has been retiring for %d days and was not used in the last %d", k.ID, days(now.Sub(k.ChangedAt)), days(retiringFor)).
				warns(fmt.Sprintf("stagedoor rule key revoke %d %s", r.ID, k.ID)))
		}
	}
	if r.Enabled && !active {
		out = append(out, found(name, "none is active").fails(fmt.Sprintf("No URL can be signed under it: stagedoor rule key add %d --activate", r.ID)))
	}
	return out
}

func days(d time.Duration) int { return int(d / (24 * time.Hour)) }

// checkNodes asks every media server now, through its control URL.
func checkNodes(ctx context.Context, a *app) []finding {
	nodes, err := a.nodes.Page(ctx, "", nodePage)
	if err != nil {
		return []finding{found("nodes", "%s", message(err)).fails("See database.")}
	}
	var out []finding
	for _, n := range nodes {
		out = append(out, a.checkNode(ctx, n))
	}
	return out
}

func (a *app) checkNode(ctx context.Context, n node.Status) finding {
	name, heard := "node "+n.Name, "never called"
	if n.LastSeenAt != nil {
		heard = "called last " + n.LastSeenAt.Format(time.RFC3339)
	}
	lister := a.controls[n.Kind].Lister
	if lister == nil || n.ControlURL == "" {
		f := found(name, "%s, %s, cannot be asked or told anything", n.Kind, heard)
		if n.LastSeenAt == nil && n.Name == node.Local {
			return f // there from the start, and perhaps never wanted
		}
		return f.warns("Without a control URL a lost callback goes unnoticed and nobody can be cut off: stagedoor node update " + n.Name + " --control-url URL")
	}
	streams, err := lister.Streams(ctx, n.Node.Node)
	switch {
	case err != nil:
		return a.unreachable(name, n, err)
	case n.LastSeenAt == nil:
		return found(name, "%s, its control URL answers, but it never called", n.Kind).
			warns("Are the callbacks in its configuration? stagedoor node config " + n.Name + " prints them.")
	}
	return found(name, "%s, %s, %d on the air", n.Kind, heard, len(streams))
}

func (a *app) unreachable(name string, n node.Status, err error) finding {
	return found(name, "%s, its control URL does not answer: %s", n.Kind, message(err)).
		fails("Is " + n.ShownControlURL() + " right, and open to this machine? Until then nobody can be cut off there.")
}

// maxKeySet bounds what is read of an answer that may be anybody's.
const maxKeySet = 64 << 10

// checkCallbacks asks for our own keys under the address that media servers and
// apps are given: whatever answers with others is somebody else.
func checkCallbacks(ctx context.Context, a *app) []finding {
	const check = "public address"
	base := strings.TrimSuffix(a.cfg.PublicURL, "/")
	theirs, err := keysAt(ctx, base+"/.well-known/jwks.json")
	if err != nil {
		return []finding{found(check, "%s does not answer: %s", base, plain(err)).
			warns("Media servers and apps are told this address (STAGEDOOR_PUBLIC_URL). Is the server running, and does the way to it lead past no login and no redirect?")}
	}
	for _, k := range a.accounts.JWKS().Keys {
		if theirs[k.KeyID] {
			return []finding{found(check, "%s leads to this installation", base)}
		}
	}
	return []finding{found(check, "%s answers, but with the keys of another installation", base).fails("Set STAGEDOOR_PUBLIC_URL to the address of this one.")}
}

func keysAt(ctx context.Context, address string) (map[string]bool, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	// Callbacks are never redirected, so neither is this.
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	var set struct {
		Keys []struct {
			KeyID string `json:"kid"`
		} `json:"keys"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxKeySet)).Decode(&set); err != nil {
		return nil, fmt.Errorf("no key set: %w", err)
	}
	ids := map[string]bool{}
	for _, k := range set.Keys {
		ids[k.KeyID] = true
	}
	return ids, nil
}

// plain leaves out of an error what the line says already.
func plain(err error) string {
	if e, ok := err.(*url.Error); ok {
		return e.Err.Error()
	}
	return err.Error()
}
