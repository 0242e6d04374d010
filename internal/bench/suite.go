package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// plan says how long is measured. A round is one turn of one side.
type plan struct {
	conns           int
	callbackRounds  int
	callbackRound   time.Duration
	decisionRounds  int
	decisionRound   time.Duration
	latencyRounds   int
	latencyRound    time.Duration
	floodRounds     int // odd, so that there is one in the middle
	floodRound      time.Duration
	floodRate       float64 // logins in a second
	floodClients    int
	roomRounds      int
	roomRound       time.Duration // whole seconds: pgbench knows no others
	hotRounds       int
	hotRound        time.Duration
	worlds          []int // rooms and live tokens of each, and ten times its rules
	growing         []int // the same, of the table of growth
	listRounds      int
	listRound       time.Duration
	listClients     int
	lastPages       int           // of a walk, that are measured
	walk            time.Duration // of each of its ends, at most
	flatRounds      int
	flatRound       time.Duration
	hashRounds      int
	hashRound       time.Duration
	aloneRounds     int
	aloneRound      time.Duration
	firstStarts     int
	warmStarts      int
	idle            time.Duration // after a start, before memory is read
	profileDuration time.Duration
	revocations     int // on each media server
	revokedAtOnce   int // streams that are on the air together
	crashes         int // of each media server
	processes       int // on one database
	visible         int // revocations that all of them must see
}

func standard() plan {
	return plan{
		conns:          64,
		callbackRounds: 5, callbackRound: 2 * time.Second,
		decisionRounds: 5, decisionRound: 1500 * time.Millisecond,
		latencyRounds: 3, latencyRound: 3 * time.Second,
		floodRounds: 9, floodRound: 3 * time.Second, floodRate: 200, floodClients: 192,
		roomRounds: 3, roomRound: 3 * time.Second,
		hotRounds: 3, hotRound: 3 * time.Second,
		worlds:     []int{1_000, 1_000_000},
		growing:    []int{1_000, 10_000, 100_000, 1_000_000},
		listRounds: 3, listRound: time.Second, listClients: 4, lastPages: 500, walk: 10 * time.Second,
		flatRounds: 5, flatRound: 1500 * time.Millisecond,
		hashRounds: 300, hashRound: 5 * time.Millisecond,
		aloneRounds: 5, aloneRound: 100 * time.Millisecond,
		firstStarts: 3, warmStarts: 5, idle: time.Second,
		profileDuration: 10 * time.Second,
		revocations:     30, revokedAtOnce: 6, crashes: 2,
		processes: 3, visible: 200,
	}
}

// quick is one short round of each: it shows that everything can be measured, and
// its figures say little.
func quick() plan {
	p := standard()
	for _, rounds := range []*int{&p.callbackRounds, &p.decisionRounds, &p.latencyRounds, &p.floodRounds, &p.roomRounds, &p.hotRounds, &p.listRounds,
		&p.flatRounds, &p.hashRounds, &p.aloneRounds, &p.firstStarts, &p.warmStarts, &p.crashes} {
		*rounds = 1
	}
	for _, round := range []*time.Duration{&p.callbackRound, &p.decisionRound, &p.latencyRound, &p.hotRound, &p.listRound, &p.flatRound,
		&p.walk, &p.profileDuration} {
		*round = time.Second
	}
	p.worlds, p.growing = []int{1_000, 20_000}, []int{1_000, 10_000}
	p.visible, p.revocations, p.revokedAtOnce = 20, 2, 2
	return p
}

// suite is one run of all measurements.
type suite struct {
	plan     plan
	progress io.Writer
	profiles profiles // to be written
	only     []string // parts to measure; none: all of them

	dir    string // everything on disk
	binary string
}

// run measures everything and returns the rows in the order of the table.
func (s *suite) run(ctx context.Context) (_ []row, err error) {
	size, err := s.open(ctx)
	defer func() { err = errors.Join(err, os.RemoveAll(s.dir)) }()
	if err != nil {
		return nil, err
	}
	rows := map[string][]row{}
	for _, p := range s.parts() {
		if !s.wants(p.name) {
			continue
		}
		if rows[p.name], err = p.measure(ctx); err != nil {
			return nil, err
		}
	}
	var all []row
	for _, name := range []string{"load", "scale", "visible", "media", "signing", "starting"} {
		all = append(all, rows[name]...)
	}
	all = append(all, size)
	return all, s.complete(all)
}

// promised are the rows that a whole run always has.
var promised = []string{"callback_keepalive", "callback_newconn", "decision_only", "sign_url", "verify_url", "room_create", "room_hot_row", "list_flat",
	"decision_flat", "entry_bytes", "revoke_visible_p99", "revoke_stopped_p99", "ready_warm", "ready_first", "callback_p99_login_flood", "idle_memory",
	"binary_size"}

func (s *suite) complete(rows []row) error {
	for _, name := range promised {
		if len(s.only) == 0 && !slices.ContainsFunc(rows, func(r row) bool { return r.Name == name }) {
			return fmt.Errorf("the table has no row %s", name)
		}
	}
	return nil
}

// open makes a directory and the program in it.
func (s *suite) open(ctx context.Context) (size row, err error) {
	if s.dir, err = workDir(); err != nil {
		return row{}, err
	}
	return s.build(ctx)
}

// part is something that can be measured without the others.
type part struct {
	name    string
	measure func(context.Context) ([]row, error)
}

// parts are in the order in which they are measured: starting leaves a data
// directory behind that the load is served from.
func (s *suite) parts() []part {
	return []part{
		{"signing", func(context.Context) ([]row, error) { return s.signing() }},
		{"starting", s.starting},
		{"load", s.loaded},
		{"scale", s.scale},
		{"visible", s.visible},
		{"media", s.revoking},
	}
}

// restrict keeps to the parts of a list with commas.
func (s *suite) restrict(list string) error {
	if list == "" {
		return nil
	}
	s.only = strings.Split(list, ",")
	for _, name := range s.only {
		if !slices.Contains(s.names(), name) {
			return fmt.Errorf("%q is not one of %s", name, strings.Join(s.names(), ", "))
		}
	}
	return nil
}

// loads are what can be measured at one server under load.
func (s *suite) loads() []string {
	return []string{"callbacks", "flood", "decisions", "rooms", "hotrow"}
}

// wants says whether a part is to be measured. Who wants one of the loads wants
// the load.
func (s *suite) wants(name string) bool {
	return len(s.only) == 0 || slices.Contains(s.only, name) || name == "load" && slices.ContainsFunc(s.loads(), func(l string) bool { return slices.Contains(s.only, l) })
}

// names are all that may be asked for.
func (s *suite) names() []string {
	names := s.loads()
	for _, p := range s.parts() {
		if p.name != "load" {
			names = append(names, p.name)
		}
	}
	return names
}

func (s *suite) say(format string, args ...any) {
	fmt.Fprintf(s.progress, format+"\n", args...)
}

// build makes the program as the Makefile does.
func (s *suite) build(ctx context.Context) (row, error) {
	s.say("building the server")
	s.binary = filepath.Join(s.dir, "stagedoor")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", s.binary,
		"github.com/stagedoor-live/stagedoor/cmd/stagedoor")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return row{}, fmt.Errorf("build: %w\n%s", err, out)
	}
	info, err := os.Stat(s.binary)
	if err != nil {
		return row{}, err
	}
	return figure("binary_size", float64(info.Size())/mebi, "MiB").aim(figureAtMost(40)), nil
}

const mebi = 1 << 20

// workDir makes a directory on a disk: in memory, commits would cost nothing
// and the figures would flatter.
func workDir() (string, error) {
	for _, parent := range []string{os.TempDir(), "/var/tmp"} {
		if inMemory(parent) || !openToAll(parent) {
			continue
		}
		dir, err := os.MkdirTemp(parent, "stagedoor-bench-")
		if err != nil {
			return "", err
		}
		// As root, PostgreSQL runs as somebody else, who must get in.
		return dir, os.Chmod(dir, 0o711)
	}
	return "", errors.New("neither TMPDIR nor /var/tmp is a directory on a disk that everybody may enter")
}

func inMemory(dir string) bool {
	const tmpfs, ramfs = 0x01021994, 0x858458f6
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return true
	}
	return stat.Type == tmpfs || stat.Type == ramfs
}

func openToAll(dir string) bool {
	for {
		info, err := os.Stat(dir)
		if err != nil || info.Mode()&0o001 == 0 {
			return false
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return true
		}
		dir = parent
	}
}

// alternate measures both sides in turn and returns the median of each.
func (s *suite) alternate(name string, rounds int, ours, base func() (float64, error)) (a, b float64, err error) {
	medians, err := s.inTurn(name, rounds, ours, base)
	if err != nil {
		return 0, 0, err
	}
	return medians[0], medians[1], nil
}

// inTurn measures all sides, round by round, and returns the median of each.
func (s *suite) inTurn(name string, rounds int, sides ...func() (float64, error)) ([]float64, error) {
	all, err := s.rounds(name, rounds, sides...)
	if err != nil {
		return nil, err
	}
	medians, texts := make([]float64, len(sides)), make([]string, len(sides))
	for i, v := range all {
		medians[i], texts[i] = median(v), list(v)
	}
	s.say("%-20s %s", name, strings.Join(texts, " | "))
	return medians, nil
}

// fastest measures both sides in turn in many short rounds and returns the least
// of each. It is for work that waits for nothing: whatever else the machine does can
// only add to it, and adds to a hash, whose steps wait for each other, less than to
// the code around it.
func (s *suite) fastest(name string, rounds int, ours, base func() (float64, error)) (a, b float64, err error) {
	all, err := s.rounds(name, rounds, ours, base)
	if err != nil {
		return 0, 0, err
	}
	a, b = slices.Min(all[0]), slices.Min(all[1])
	s.say("%-20s %s | %s, the fastest of %d rounds; in the median %s | %s", name, number(a), number(b), rounds, number(median(all[0])), number(median(all[1])))
	return a, b, nil
}

// rounds measures all sides, round by round.
func (s *suite) rounds(name string, rounds int, sides ...func() (float64, error)) ([][]float64, error) {
	all := make([][]float64, len(sides))
	for range rounds {
		for i, side := range sides {
			x, err := side()
			if err != nil {
				return nil, fmt.Errorf("%s, side %d: %w", name, i+1, err)
			}
			all[i] = append(all[i], x)
		}
	}
	return all, nil
}

// pairs measures both sides in turn, each first in every other round, and returns
// the pair whose ratio is the middle one. Where the machine is busy with something
// else, that changes from round to round, a pair meets the same of it, while two
// medians may be of different moments.
func (s *suite) pairs(name string, rounds int, ours, base func() (float64, error)) (a, b float64, err error) {
	all := make([][2]float64, rounds)
	for i := range all {
		sides := [2]func() (float64, error){ours, base}
		for j := range sides {
			side := (i + j) % 2
			if all[i][side], err = sides[side](); err != nil {
				return 0, 0, fmt.Errorf("%s, side %d: %w", name, side+1, err)
			}
		}
	}
	texts := make([]string, rounds)
	for i, p := range all {
		texts[i] = number(p[0]) + "/" + number(p[1])
	}
	s.say("%-20s %s", name, strings.Join(texts, " "))
	slices.SortFunc(all, func(p, q [2]float64) int { return cmp.Compare(p[0]/p[1], q[0]/q[1]) })
	return all[rounds/2][0], all[rounds/2][1], nil
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	middle := len(v) / 2
	if len(v)%2 == 1 {
		return v[middle]
	}
	return (v[middle-1] + v[middle]) / 2
}

func list(v []float64) string {
	texts := make([]string, len(v))
	for i, x := range v {
		texts[i] = number(x)
	}
	return strings.Join(texts, " ")
}
