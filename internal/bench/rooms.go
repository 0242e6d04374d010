package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// The titles tell the rooms of both sides apart when they are counted. They
// are equally long.
const (
	roomTitle = "through the API"
	peerTitle = "through pgbench"
)

// pgbenchScript inserts the row that creating a room does.
const pgbenchScript = `\set r random(1, 9223372036854775807)
INSERT INTO rooms (id, app, title, notice, cover_url, anchor_id, anchor_nick, extends, mode, chat_id, meeting_id, im_servers, created_at, updated_at)
VALUES (lpad(to_hex(:r::bigint), 32, '0'), 'live', '` + peerTitle + `', '', '', '` + adminName + `', '', '', 0, lpad(to_hex(:r::bigint), 32, '0'), NULL, '{aliyun_new}', now(), now());
`

// rooms measures creating rooms through the AppServer API beside pgbench, which
// inserts the same row into the same table.
func (s *suite) rooms(ctx context.Context, st *stage) ([]row, error) {
	var created atomic.Int64
	request := roomRequest(st.server.addr, st.token)
	ours := newLoad(st.server.addr, s.plan.conns, func() shots { return &roomShots{request: request, created: &created} })
	create := func() (float64, error) { return ours.closedLoop(ctx, s.plan.roomRound) }
	pgbench, err := newPgbench(s.dir, st.database.URL(), s.plan.conns, s.plan.roomRound)
	if err != nil {
		s.say("room_create has nothing beside it: %v", err)
		rate, err := create()
		return []row{figure("room_create", rate, "1/s").aim(ratioAtLeast(0.60))}, err
	}
	a, b, err := s.alternate("room_create", s.plan.roomRounds, create, func() (float64, error) { return pgbench.run(ctx) })
	if err != nil {
		return nil, err
	}
	n, err := st.count(ctx, "SELECT count(*) FROM rooms WHERE title = $1", roomTitle)
	if err == nil && n != created.Load() {
		err = fmt.Errorf("%d rooms were created and %d kept", created.Load(), n)
	}
	return []row{figure("room_create", a, "1/s").beside(b, "pgbench").aim(ratioAtLeast(0.60))}, err
}

func roomRequest(addr, token string) []byte {
	body := `{"title":"` + roomTitle + `","anchor":"` + adminName + `","im_server":["aliyun_new"]}`
	return fmt.Appendf(nil, "POST /api/v2/live/create HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n"+
		"Content-Type: application/json\r\n\r\n%s", addr, token, len(body), body)
}

// roomShots create one room after the other.
type roomShots struct {
	request []byte
	created *atomic.Int64
}

func (r *roomShots) next() []byte { return r.request }

func (r *roomShots) check(status int, body []byte) error {
	if status != http.StatusOK || !bytes.Contains(body, []byte(`"pull_url_info"`)) {
		return fmt.Errorf("the room was not created: %d %.200q", status, body)
	}
	r.created.Add(1)
	return nil
}

// pgbench is PostgreSQL's own load generator.
type pgbench struct {
	program string
	args    []string
	env     []string
}

func newPgbench(dir, databaseURL string, clients int, d time.Duration) (*pgbench, error) {
	program, err := findPgbench()
	if err != nil {
		return nil, err
	}
	config, err := pgconn.ParseConfig(databaseURL)
	if err != nil {
		return nil, err
	}
	script := filepath.Join(dir, "room.sql")
	if err := os.WriteFile(script, []byte(pgbenchScript), 0o600); err != nil {
		return nil, err
	}
	return &pgbench{
		program: program,
		args: []string{"--no-vacuum", "--protocol=prepared", "--client=" + strconv.Itoa(clients), "--jobs=2",
			"--time=" + strconv.Itoa(int(d.Seconds())), "--file=" + script,
			"--host=" + config.Host, "--port=" + strconv.Itoa(int(config.Port)), "--username=" + config.User, config.Database},
		env: append(os.Environ(), "PGPASSWORD="+config.Password),
	}, nil
}

// findPgbench returns the newest one that is installed.
func findPgbench() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench")
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		return slices.MaxFunc(found, func(a, b string) int { return versionOf(a) - versionOf(b) }), nil
	}
	return exec.LookPath("pgbench")
}

func versionOf(program string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(program)))) // versions are numbers since 10
	return n
}

// run returns transactions per second.
func (p *pgbench) run(ctx context.Context) (float64, error) {
	cmd := exec.CommandContext(ctx, p.program, p.args...)
	cmd.Env = p.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("pgbench: %w\n%s", err, out)
	}
	return parsePgbench(out)
}

// parsePgbench reads the report, in which "tps" leaves out the time that it
// took to connect.
func parsePgbench(report []byte) (float64, error) {
	rate := regexp.MustCompile(`(?m)^tps = ([0-9.]+)`).FindSubmatch(report)
	failed := regexp.MustCompile(`(?m)^number of failed transactions: ([0-9]+)`).FindSubmatch(report)
	switch {
	case rate == nil:
		return 0, fmt.Errorf("pgbench did not tell its rate:\n%s", report)
	case failed != nil && string(failed[1]) != "0":
		return 0, errors.New("pgbench had failed transactions: " + string(failed[1]))
	}
	return strconv.ParseFloat(string(rate[1]), 64)
}
