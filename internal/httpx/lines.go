package httpx

import (
	"io"
	"sync"
	"time"
)

// Lines gathers the lines of a log for a few milliseconds, so that those of many
// requests cost one call of the kernel. Write takes whole lines.
type Lines struct {
	w io.Writer

	mu      sync.Mutex
	pending []byte
	flush   *time.Timer
	closed  bool
}

// What a process that is killed takes with it: the lines of the last moment.
const (
	lineDelay = 10 * time.Millisecond
	linesKept = 32 << 10 // bytes
)

// NewLines returns Lines that write to w.
func NewLines(w io.Writer) *Lines {
	l := &Lines{w: w, pending: make([]byte, 0, linesKept)}
	l.flush = time.AfterFunc(time.Hour, func() { _ = l.Flush() }) // nobody is there to be told
	l.flush.Stop()
	return l
}

// Write keeps a line for a moment.
func (l *Lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending) == 0 {
		l.flush.Reset(lineDelay)
	}
	l.pending = append(l.pending, line...)
	if l.closed || len(l.pending) >= linesKept {
		return len(line), l.write()
	}
	return len(line), nil
}

// Flush writes what is kept.
func (l *Lines) Flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.write()
}

// Close writes what is kept, and from now on each line at once.
func (l *Lines) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return l.write()
}

func (l *Lines) write() error {
	if len(l.pending) == 0 {
		return nil
	}
	l.flush.Stop()
	_, err := l.w.Write(l.pending)
	l.pending = l.pending[:0]
	return err
}
