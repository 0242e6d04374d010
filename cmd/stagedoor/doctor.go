package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

type doctorCmd struct{}

// finding is what came of one check. Advice says what to do about it.
type finding struct {
	Check  string `json:"check"`
	Status string `json:"status"` // ok, warning or failed
	Found  string `json:"found"`
	Advice string `json:"advice,omitempty"`
}

const (
	statusOK      = "ok"
	statusWarning = "warning"
	statusFailed  = "failed"
)

func found(check, text string, a ...any) finding {
	return finding{Check: check, Status: statusOK, Found: fmt.Sprintf(text, a...)}
}

func (f finding) warns(advice string) finding {
	f.Status, f.Advice = statusWarning, advice
	return f
}

func (f finding) fails(advice string) finding {
	f.Status, f.Advice = statusFailed, advice
	return f
}

// checkPatience bounds what one check waits for others.
const checkPatience = 5 * time.Second

// Run looks at everything that a refused stream may be owed to, says what it
// saw and what to do, and ends with status 1 if anything has failed.
func (doctorCmd) Run(e *env) error {
	findings := diagnose(e)
	if err := e.printFindings(findings); err != nil {
		return err
	}
	for _, f := range findings {
		if f.Status == statusFailed {
			return errSaidNo
		}
	}
	return nil
}

func diagnose(e *env) []finding {
	a, err := newApp(e.ctx, e.cfg, newLogger(quiet(e), e.stderr))
	if err == nil {
		defer a.store.close(e.ctx)
		err = a.load(e.ctx)
	}
	if err != nil {
		advice := "Is it running, and is STAGEDOOR_DATABASE_URL right? Without one, the private server is in STAGEDOOR_DATA_DIR (" + e.cfg.DataDir + ")."
		return []finding{found("database", "%s", message(err)).fails(advice)}
	}
	var all []finding
	for _, check := range []func(context.Context, *app) []finding{checkDatabase, checkClock, checkServer, checkRules, checkNodes, checkCallbacks} {
		ctx, cancel := context.WithTimeout(e.ctx, checkPatience)
		all = append(all, check(ctx, a)...)
		cancel()
	}
	return all
}

func (e *env) printFindings(findings []finding) error {
	if e.json {
		return e.print(map[string]any{"findings": findings}, "", nil)
	}
	for _, f := range findings {
		fmt.Fprintf(e.stdout, "%-7s  %-20s %s\n", f.Status, f.Check, f.Found)
		if f.Advice != "" {
			fmt.Fprintf(e.stdout, "%-7s  %-20s → %s\n", "", "", f.Advice)
		}
	}
	return nil
}

// checkDatabase says what database there is, and whether what it acknowledges
// outlives it.
func checkDatabase(ctx context.Context, a *app) []finding {
	began := time.Now()
	var version, commit string
	err := a.store.pool.QueryRow(ctx, "SELECT current_setting('server_version'), current_setting('synchronous_commit')").Scan(&version, &commit)
	if err != nil {
		return []finding{found("database", "%s", err).fails("Is it overloaded? Its log says more.")}
	}
	f := found("database", "PostgreSQL %s answers within %s", version, time.Since(began).Round(100*time.Microsecond))
	if commit == "off" {
		f = f.warns("synchronous_commit is off for this account: a crash of the server loses sessions that media servers were told are kept.")
	}
	return []finding{f}
}

// The clocks of two machines that are set by NTP differ by less.
const (
	skewNoticed = time.Second
	skewTooMuch = 30 * time.Second
)

// checkClock compares with the database's clock, by which other processes of
// ours can be judged too.
func checkClock(ctx context.Context, a *app) []finding {
	before := time.Now()
	var theirs time.Time
	if err := a.store.pool.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&theirs); err != nil {
		return []finding{found("clock", "the database does not tell the time: %s", err).fails("See database.")}
	}
	between := before.Add(time.Since(before) / 2)
	skew := theirs.Sub(between)
	f := found("clock", "%s apart from the database's", skew.Abs().Round(time.Millisecond))
	const advice = "Signed URLs begin and end at other moments than their signers mean. Run NTP (timedatectl set-ntp true) on both machines."
	switch {
	case skew.Abs() > skewTooMuch:
		return []finding{f.fails(advice)}
	case skew.Abs() > skewNoticed:
		return []finding{f.warns(advice)}
	}
	return []finding{f}
}

// checkServer asks the server of these settings whether it is ready.
func checkServer(ctx context.Context, a *app) []finding {
	text, err := askReady(ctx, healthURL(a.cfg))
	switch {
	case errors.Is(err, errNotReady):
		return []finding{found("server", "it runs, and is not ready: %s", text).fails("It takes traffic again when its view is whole; see database.")}
	case err != nil:
		return []finding{found("server", "none answers at %s", strings.TrimSuffix(healthURL(a.cfg), "/readyz")).
			warns("If one should run on this machine: start it (stagedoor serve), or give doctor the settings that it was started with.")}
	}
	return []finding{found("server", "ready at %s", strings.TrimSuffix(healthURL(a.cfg), "/readyz"))}
}

// joined are words for people: "a, b and 3 more".
func joined(words []string, most int) string {
	if len(words) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(words[:most], ", "), len(words)-most)
	}
	return cmp.Or(strings.Join(words, ", "), "none")
}
