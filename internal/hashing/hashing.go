// Package hashing computes Argon2id keys of passwords in processes of their
// own, which give way to everything else on the machine.
//
// A hash takes a processor for tens of milliseconds and 19 MiB for good measure.
// Computed among goroutines, a flood of logins takes both from the callbacks:
// the scheduler of Go knows no priorities, and each hash makes the collector run.
// The kernel does know priorities, but only of threads, and the library spreads a
// hash over goroutines on whatever thread they come by. So the program starts
// itself once more, as a worker:
//
//	Workers.Key ──request──> stdin of a worker ──> Argon2id, politely
//	            <──answer─── its stdout
//
// Who logs in now and then is not a flood: such hashes go to a worker of ordinary
// priority, so that whoever is called in the night gets in while the machine has
// far too much to do. What comes faster gives way.
//
// A worker is started when it is first needed, ends when nobody has needed it for
// a minute, and cannot outlive the program, with which its stdin ends.
package hashing

import (
	"encoding/json"
	"errors"
	"io"
	"runtime"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/time/rate"
)

// niceness is how much the worker of a flood gives way: on a processor that others
// could keep busy alone it gets a tenth of the time.
const niceness = 10

// Now and then is up to three at once, and one every other second on and on: less
// than a fiftieth of a processor.
const (
	promptEvery = 2 * time.Second
	promptBurst = 3
)

// Seldom is the limit of hashes that come now and then.
func Seldom() *rate.Limiter { return rate.NewLimiter(rate.Every(promptEvery), promptBurst) }

// request asks for one key.
type request struct {
	Password, Salt []byte
	Time, Memory   uint32 // passes, KiB
	Threads        uint8
	Length         uint32 // of the key, in bytes
}

func (r request) key() []byte {
	return argon2.IDKey(r.Password, r.Salt, r.Time, r.Memory, r.Threads, r.Length)
}

// Serve is the worker: it answers requests until in ends. It lowers the priority
// of the whole process by nice, as Unix counts.
func Serve(in io.Reader, out io.Writer, nice int) error {
	giveWay(nice)
	requests, answers := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var r request
		if err := requests.Decode(&r); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := answers.Encode(r.key()); err != nil {
			return err
		}
		runtime.GC() // nothing of one hash stays in memory beside the next
	}
}
