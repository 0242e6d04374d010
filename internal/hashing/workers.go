package hashing

import (
	"encoding/json"
	"io"
	"log/slog"
	"os/exec"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// rest is how long a worker may have nothing to do: an idle program then
	// holds no memory for them.
	rest = time.Minute
	// patience is for a worker that does not answer at all; one that the machine
	// keeps waiting is slow, but nothing like that.
	patience = 30 * time.Second
)

// Workers are the processes that hash, as many as there are callers at once.
type Workers struct {
	// Command starts a worker: the program with what makes it call Serve. Without
	// it hashes are computed here.
	Command func(nice int) *exec.Cmd
	// Seldom allows hashes that do not give way. Without it all do.
	Seldom *rate.Limiter
	Log    *slog.Logger

	mu   sync.Mutex
	idle []*worker // the last one worked last
}

// Key is argon2.IDKey, computed by a worker. Where none can be started, or one
// fails, it is computed here: a login must not depend on it.
func (w *Workers) Key(password, salt []byte, time, memory uint32, threads uint8, length uint32) []byte {
	r := request{password, salt, time, memory, threads, length}
	if w.Command == nil {
		return r.key()
	}
	key, err := w.ask(r)
	if err != nil {
		w.Log.Warn("a process that hashes passwords failed, so it is done without", "error", err)
		return r.key()
	}
	return key
}

func (w *Workers) ask(r request) ([]byte, error) {
	one, err := w.take(w.nice())
	if err != nil {
		return nil, err
	}
	key, err := one.ask(r)
	if err != nil {
		one.end()
		return nil, err
	}
	w.give(one)
	return key, nil
}

func (w *Workers) nice() int {
	if w.Seldom != nil && w.Seldom.Allow() {
		return 0
	}
	return niceness
}

// take returns the worker of a priority that worked last, so that the others may
// end.
func (w *Workers) take(nice int) (*worker, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, one := range slices.Backward(w.idle) {
		if one.nice == nice {
			w.idle = slices.Delete(w.idle, i, i+1)
			one.rest.Stop()
			return one, nil
		}
	}
	return start(w.Command(nice), nice)
}

func (w *Workers) give(one *worker) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.idle = append(w.idle, one)
	one.rest = time.AfterFunc(rest, func() { w.dismiss(one) })
}

// dismiss ends a worker, unless somebody has just taken it.
func (w *Workers) dismiss(one *worker) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := slices.Index(w.idle, one); i >= 0 {
		w.idle = slices.Delete(w.idle, i, i+1)
		go one.end()
	}
}

// Close lets the workers end that have nothing to do.
func (w *Workers) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range w.idle {
		one.rest.Stop()
		go one.end()
	}
	w.idle = nil
}

type worker struct {
	cmd      *exec.Cmd
	nice     int
	hold     io.Closer // it ends when this closes
	requests *json.Encoder
	answers  *json.Decoder
	rest     *time.Timer
}

func start(cmd *exec.Cmd, nice int) (*worker, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &worker{cmd: cmd, nice: nice, hold: in, requests: json.NewEncoder(in), answers: json.NewDecoder(out)}, nil
}

func (o *worker) ask(r request) (key []byte, err error) {
	stuck := time.AfterFunc(patience, func() { _ = o.cmd.Process.Kill() })
	defer stuck.Stop()
	if err := o.requests.Encode(r); err != nil {
		return nil, err
	}
	err = o.answers.Decode(&key)
	return key, err
}

// end waits for a worker to be gone; one that does not go by itself is killed.
func (o *worker) end() {
	_ = o.hold.Close() // it may be gone already
	stuck := time.AfterFunc(patience, func() { _ = o.cmd.Process.Kill() })
	defer stuck.Stop()
	_ = o.cmd.Wait() // how it ended does not matter
}
