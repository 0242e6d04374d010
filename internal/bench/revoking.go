package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/client"
)

// revoking measures, on each real media server, how soon after a credential is
// revoked the last byte is sent and received, whether who comes back is refused,
// and how long sessions outlive a media server that was killed.
func (s *suite) revoking(ctx context.Context) ([]row, error) {
	servers, err := s.mediaServers()
	if err != nil {
		return nil, err
	}
	movie := filepath.Join(s.dir, "movie.flv")
	var rows []row
	var worst stopping
	for _, m := range servers {
		if err := m.missing(); err != nil {
			worst.why = err
			rows = append(rows, unmeasured("revoke_stopped_p99_"+m.short, "s", stoppedGoal, err))
			continue
		}
		if err := makeMovie(ctx, movie); err != nil {
			return nil, err
		}
		more, err := s.revokingOn(ctx, m, movie)
		if err != nil {
			return nil, fmt.Errorf("revoking on %s: %w", m.kind, err)
		}
		worst.add(m, more)
		rows = append(rows, more...)
	}
	return append([]row{worst.row()}, rows...), nil
}

// makeMovie encodes once what all encoders send.
func makeMovie(ctx context.Context, file string) error {
	if _, err := os.Stat(file); err == nil {
		return nil
	}
	ffmpeg, err := program("ffmpeg")
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, ffmpeg, "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25",
		"-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100", "-t", "20", "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency",
		"-g", "10", "-pix_fmt", "yuv420p", "-c:a", "aac", file).CombinedOutput()
	if err != nil {
		return fmt.Errorf("make a movie: %w\n%s", err, out)
	}
	return nil
}

// scene is a media server and the program, with one administrator.
type scene struct {
	m     *mediaServer
	stage *stage
	api   *client.ClientWithResponses
	movie string
	next  int // number of the next stream
}

func (s *suite) revokingOn(ctx context.Context, m *mediaServer, movie string) (_ []row, err error) {
	st := &stage{}
	x := &scene{m: m, stage: st, movie: movie}
	defer func() {
		if m.child != nil {
			m.child.kill()
		}
		err = errors.Join(err, st.close(ctx))
	}()
	if err := x.open(ctx, s); err != nil {
		return nil, err
	}
	var stopped []float64
	refused := 0
	for len(stopped) < s.plan.revocations {
		took, n, err := x.revokeSome(ctx, min(s.plan.revokedAtOnce, s.plan.revocations-len(stopped)))
		if err != nil {
			return nil, err
		}
		stopped, refused = append(stopped, took...), refused+n
	}
	s.say("%-20s %s s, %d of %d refused when they came back", "revoke on "+m.kind, list(stopped), refused, len(stopped))
	ghosts, err := x.ghosts(ctx, s.plan.crashes)
	if err != nil {
		return nil, err
	}
	s.say("%-20s %s s", "ghosts of "+m.kind, list(ghosts))
	return []row{
		figure("revoke_stopped_p50_"+m.short, quantile(stopped, 0.5), "s"),
		figure("revoke_stopped_p99_"+m.short, quantile(stopped, 0.99), "s").aim(stoppedGoal),
		figure("reconnect_refused_"+m.short, 100*float64(refused)/float64(len(stopped)), "%").aim(figureAtLeast(100)),
		figure("ghost_lifetime_"+m.short, slices.Max(ghosts), "s").aim(figureAtMost(ghostGoal)),
	}, nil
}

// ghostGoal is one period of looking at nodes, and the time that a restart and
// the look itself take.
const ghostGoal = 12

// quantile returns the smallest value that is not below so many of all.
func quantile(v []float64, q float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[min(int(q*float64(len(v))), len(v)-1)]
}

// open starts the program on a directory of its own, then the media server.
func (x *scene) open(ctx context.Context, s *suite) (err error) {
	dir := filepath.Join(s.dir, "revoking-"+x.m.short)
	if x.stage.server, _, err = s.start(ctx, dir, ""); err != nil {
		return err
	}
	if err := x.stage.openDatabase(ctx, dir); err != nil {
		return err
	}
	if err := x.stage.logIn(ctx); err != nil {
		return err
	}
	x.api = x.stage.api
	if err := x.m.run(ctx, "http://"+x.stage.server.addr); err != nil {
		return err
	}
	args, stdin := x.m.node(x.m)
	cmd := exec.CommandContext(ctx, s.binary, append([]string{"node", "update", "local", "--kind", x.m.kind}, args...)...)
	cmd.Env, cmd.Stdin = environment("STAGEDOOR_DATA_DIR="+dir), strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("introduce the media server: %w\n%s", err, out)
	}
	return nil
}

// pair is an encoder and a player that came in by one live token.
type pair struct {
	stream           string
	token            *client.LiveToken
	encoder, player  *child
	received         atomic.Int64 // when the player got its last byte, in nanoseconds
	publish, consume []string     // what they were started with
}

// revokeTimeout bounds the wait for everything that is measured here.
const revokeTimeout = time.Minute

// revokeSome puts several streams on the air and revokes them one by one. It
// returns the seconds until everything had stopped and how many were refused
// when they came back.
func (x *scene) revokeSome(ctx context.Context, n int) (took []float64, refused int, err error) {
	ctx, cancel := context.WithTimeout(ctx, revokeTimeout)
	defer cancel()
	pairs, err := x.pairs(ctx, n)
	defer func() {
		for _, p := range pairs {
			p.end()
		}
	}()
	if err != nil {
		return nil, 0, err
	}
	for _, p := range pairs {
		seconds, err := x.revoke(ctx, p)
		if err != nil {
			return nil, 0, err
		}
		again, err := x.comesBack(ctx, p)
		if err != nil {
			return nil, 0, err
		}
		took = append(took, seconds)
		if !again {
			refused++
		}
	}
	return took, refused, nil
}

// revoke returns the seconds from the request until the encoder has ended and
// the player has got its last byte.
func (x *scene) revoke(ctx context.Context, p *pair) (float64, error) {
	began := time.Now()
	resp, err := x.api.DestroyLiveTokenWithResponse(ctx, &client.DestroyLiveTokenParams{Token: p.token.Token})
	if err != nil || resp.StatusCode() != http.StatusOK {
		return 0, fmt.Errorf("revoke: %w, %s", err, resp.Status())
	}
	ended, err := p.encoder.await(ctx)
	if err != nil {
		return 0, err
	}
	if _, err := p.player.await(ctx); err != nil {
		return 0, err
	}
	if last := time.Unix(0, p.received.Load()); last.After(ended) {
		ended = last
	}
	return max(0, ended.Sub(began).Seconds()), nil
}

// comesBack says whether the encoder of a revoked token gets in again: it is
// given a second, in which a real one would long be on the air.
func (x *scene) comesBack(ctx context.Context, p *pair) (bool, error) {
	again, err := x.ffmpeg(nil, p.publish...)
	if err != nil {
		return false, err
	}
	defer again.kill()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err = again.await(ctx)
	return err != nil, nil
}

// pairs puts streams on the air, each with a player that gets bytes.
func (x *scene) pairs(ctx context.Context, n int) (all []*pair, err error) {
	for range n {
		x.next++
		p := &pair{stream: "bench" + strconv.Itoa(x.next)}
		created, err := x.api.CreateLiveTokenWithResponse(ctx, &client.CreateLiveTokenParams{Stream: p.stream})
		if err != nil || created.JSON200 == nil {
			return all, fmt.Errorf("create a live token: %w, %s", err, created.Status())
		}
		p.token = created.JSON200
		base := "rtmp://" + x.m.rtmp + "/live/" + p.stream + "?token="
		p.publish = []string{"-re", "-stream_loop", "-1", "-i", x.movie, "-c", "copy", "-f", "flv", base + p.token.Token}
		p.consume = []string{"-analyzeduration", "0", "-i", base + p.token.PlayToken, "-c", "copy", "-flush_packets", "1", "-f", "flv", "pipe:1"}
		all = append(all, p)
		if p.encoder, err = x.ffmpeg(nil, p.publish...); err != nil {
			return all, err
		}
	}
	if err := x.until(ctx, "publishers", n, "SELECT count(*) FROM sessions WHERE ended_at IS NULL AND scene = 'publish'"); err != nil {
		return all, err
	}
	for _, p := range all {
		if p.player, err = x.ffmpeg(p, p.consume...); err != nil {
			return all, err
		}
	}
	for _, p := range all {
		for p.received.Load() == 0 {
			if err := pause(ctx); err != nil {
				return all, fmt.Errorf("the player of %s gets nothing: %w", p.stream, err)
			}
		}
	}
	return all, nil
}

// Write takes what a player has received.
func (p *pair) Write(b []byte) (int, error) {
	p.received.Store(time.Now().UnixNano())
	return len(b), nil
}

func (p *pair) end() {
	for _, c := range []*child{p.encoder, p.player} {
		if c != nil {
			c.kill()
		}
	}
}

func (x *scene) ffmpeg(out io.Writer, args ...string) (*child, error) {
	ffmpeg, err := program("ffmpeg")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(ffmpeg, append([]string{"-nostdin", "-hide_banner", "-loglevel", "error"}, args...)...)
	if p, ok := out.(*pair); ok && p != nil {
		cmd.Stdout = p
	}
	return spawn(cmd)
}

// ghosts kills the media server under a publisher and a player, starts it again
// and returns the seconds until both are off the record.
func (x *scene) ghosts(ctx context.Context, crashes int) (took []float64, err error) {
	for range crashes {
		ctx, cancel := context.WithTimeout(ctx, 2*revokeTimeout)
		defer cancel()
		pairs, err := x.pairs(ctx, 1)
		if err == nil {
			// Who only just came is given the time to appear on the list.
			err = x.until(ctx, "settled sessions", 2, "SELECT count(*) FROM sessions WHERE ended_at IS NULL AND started_at < now() - interval '10 seconds'")
		}
		if err != nil {
			return nil, err
		}
		x.m.child.kill()
		pairs[0].end()
		began := time.Now()
		if err := x.m.run(ctx, "http://"+x.stage.server.addr); err != nil {
			return nil, err
		}
		if err := x.until(ctx, "sessions", 0, "SELECT count(*) FROM sessions WHERE ended_at IS NULL"); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began).Seconds())
	}
	return took, nil
}

// until waits for a count.
func (x *scene) until(ctx context.Context, what string, want int, query string) error {
	for {
		n, err := x.stage.count(ctx, query)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if n == int64(want) {
			return nil
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("%d %s, want %d: %w", n, what, want, err)
		}
	}
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(10 * time.Millisecond):
		return nil
	}
}
