package pg

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
)

// TestPrivateHelper is not a test: other tests run it as a process to kill.
func TestPrivateHelper(t *testing.T) {
	dir := os.Getenv("STAGEDOOR_HELPER_DIR")
	if dir == "" {
		t.SkipNow()
	}
	p, err := StartPrivate(context.Background(), PrivateConfig{Dir: dir, Log: slog.New(slog.DiscardHandler), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin) // until killed, or the parent has gone
	stopPrivate(t, p)
}

// startHelper returns a process that runs the private database in dir.
func startHelper(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestPrivateHelper$")
	cmd.Env = append(os.Environ(), "STAGEDOOR_HELPER_DIR="+dir)
	if _, err := cmd.StdinPipe(); err != nil { // kept open, closed when we end
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() == "ready" {
			return cmd
		}
	}
	t.Fatal("the helper did not start")
	return nil
}

func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
}

func TestPrivateAdoptsTheServerOfAKilledProcess(t *testing.T) {
	t.Parallel()
	config, log := privateConfig(t)
	kill(t, startHelper(t, config.Dir))
	orphan := serverPid(config)
	if orphan == 0 {
		t.Fatal("the server did not outlive its owner")
	}
	p := startPrivate(t, config)
	log.waitFor(t, "adopted a running private PostgreSQL")
	if got := serverPid(config); got != orphan {
		t.Errorf("server %d runs, want %d", got, orphan)
	}
	if err := syscall.Kill(orphan, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	log.waitFor(t, "private PostgreSQL runs")
	if err := ping(t.Context(), p.URL()); err != nil {
		t.Error(err)
	}
	stopPrivate(t, p)
	assertStopped(t, config)
}

func TestPrivateIsSharedAndTakenOverWhenTheOwnerIsKilled(t *testing.T) {
	t.Parallel()
	config, log := privateConfig(t)
	owner := startHelper(t, config.Dir)
	server := serverPid(config)
	p := startPrivate(t, config)
	if got := serverPid(config); got != server {
		t.Errorf("server %d runs, want the owner's %d", got, server)
	}
	kill(t, owner)
	log.waitFor(t, "private PostgreSQL runs")
	if got := serverPid(config); got != server {
		t.Errorf("server %d runs, want the owner's %d", got, server)
	}
	stopPrivate(t, p)
	assertStopped(t, config)
}

func TestPrivateLeavesTheServerToThoseWhoShareIt(t *testing.T) {
	t.Parallel()
	config, log := privateConfig(t)
	owner, sharer := startPrivate(t, config), startPrivate(t, config)
	if owner.URL() != sharer.URL() {
		t.Errorf("different URLs")
	}
	server := serverPid(config)
	stopPrivate(t, owner)
	if got := serverPid(config); got != server {
		t.Errorf("server %d runs, want %d", got, server)
	}
	log.waitFor(t, "private PostgreSQL runs") // the sharer has taken over
	again := startPrivate(t, config)
	stopPrivate(t, again)
	if err := ping(t.Context(), sharer.URL()); err != nil {
		t.Errorf("a sharer that stops took the server with it: %v", err)
	}
	stopPrivate(t, sharer)
	assertStopped(t, config)
}

func TestPrivateStartedByManyProcessesAtOnceIsOneServer(t *testing.T) {
	t.Parallel()
	config, _ := privateConfig(t)
	all := make([]*Private, 4)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() {
			var err error
			if all[i], err = StartPrivate(t.Context(), config); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	for _, p := range all {
		if p.URL() != all[0].URL() || ping(t.Context(), p.URL()) != nil {
			t.Error("they disagree")
		}
	}
	for _, p := range all {
		wg.Go(func() { stopPrivate(t, p) })
	}
	wg.Wait()
	assertStopped(t, config)
}
