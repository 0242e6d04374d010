package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
)

// profileKind is one view of a server under load.
type profileKind struct {
	flag, path, of string
}

var profileKinds = []profileKind{
	{"cpuprofile", "profile", "time of the processors"},
	{"memprofile", "allocs", "what is allocated"},
	{"blockprofile", "block", "what is waited for"},
	{"mutexprofile", "mutex", "locks that are fought for"},
}

// profiles are those that are wanted.
type profiles []wantedProfile

type wantedProfile struct {
	profileKind
	file string
}

// add returns what reads a flag.
func (p *profiles) add(k profileKind) func(file string) error {
	return func(file string) error {
		if file == "" {
			return errors.New("no file")
		}
		*p = append(*p, wantedProfile{k, file})
		return nil
	}
}

// profileCallbacks writes the profiles of the server under load, all of the same
// seconds.
func (s *suite) profileCallbacks(ctx context.Context, st *stage, ours load) error {
	if len(s.profiles) == 0 {
		return nil
	}
	var all errgroup.Group
	all.Go(func() error {
		rate, err := ours.closedLoop(ctx, s.plan.profileDuration+time.Second)
		s.say("%-20s at %s callbacks/s", "profile", number(rate))
		return err
	})
	for _, p := range s.profiles {
		from := fmt.Sprintf("http://%s/debug/pprof/%s?seconds=%.0f", st.server.ops, p.path, s.plan.profileDuration.Seconds())
		all.Go(func() error { return download(ctx, from, p.file) })
	}
	return all.Wait()
}

func download(ctx context.Context, from, to string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", from, resp.Status)
	}
	if err != nil {
		return err
	}
	return os.WriteFile(to, body, 0o644)
}
