package e2e

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
)

// record is one line of the program's log.
type record map[string]any

func (r record) text(key string) string {
	s, _ := r[key].(string)
	return s
}

// logBook collects a JSON log. Its zero value is empty.
type logBook struct {
	mu      sync.Mutex
	partial []byte
	records []record
	strange []string // lines that are no JSON: panics and the race detector
	whole   bytes.Buffer
}

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.whole.Write(p)
	b.partial = append(b.partial, p...)
	for {
		line, rest, found := bytes.Cut(b.partial, []byte("\n"))
		if !found {
			return len(p), nil
		}
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			b.strange = append(b.strange, string(line))
		} else {
			b.records = append(b.records, r)
		}
		b.partial = rest
	}
}

// count says how many records match.
func (b *logBook) count(match func(record) bool) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.records {
		if match(r) {
			n++
		}
	}
	return n
}

// last returns the newest record that matches, or nil.
func (b *logBook) last(match func(record) bool) record {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := len(b.records) - 1; i >= 0; i-- {
		if match(b.records[i]) {
			return b.records[i]
		}
	}
	return nil
}

func (b *logBook) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.whole.String()
}

// oddities returns what a healthy process never writes.
func (b *logBook) oddities() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	lines := b.strange
	for _, r := range b.records {
		if r.text("msg") == "panic" {
			lines = append(lines, r.text("panic")+"\n"+r.text("stack"))
		}
	}
	return strings.Join(lines, "\n")
}

func saying(msg string) func(record) bool {
	return func(r record) bool { return r.text("msg") == msg }
}

func refusal(stream, reason string) func(record) bool {
	return func(r record) bool {
		return r.text("msg") == "refused" && r.text("stream") == stream && r.text("reason") == reason
	}
}
