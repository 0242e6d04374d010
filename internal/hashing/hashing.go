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
// A worker is started when it is first needed, ends when nobody has needed it for
// a minute, and cannot outlive the program, with which its stdin ends.
package hashing

import (
	"encoding/json"
	"errors"
	"io"
	"runtime"

	"golang.org/x/crypto/argon2"
)

// niceness is how much a worker gives way: on a processor that others could keep
// busy alone it gets a tenth of the time, so that whoever manages a show still
// gets in while everybody reconnects.
const niceness = 10

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
// of the whole process.
func Serve(in io.Reader, out io.Writer) error {
	giveWay()
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
