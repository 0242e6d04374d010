package appserver

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/im"
	"github.com/stagedoor-live/stagedoor/internal/im/builtin"
)

// recordNodes serves every recording but those named "unserved".
type recordNodes struct{}

func (recordNodes) RecordURL(_, file string) string {
	if strings.Contains(file, "unserved") {
		return ""
	}
	return "https://media.example.com/rec/" + file[strings.LastIndexByte(file, '/')+1:]
}

// groupsSpy is the built-in provider, until it is told to fail.
type groupsSpy struct {
	*builtin.Provider
	failing  atomic.Bool
	panicing atomic.Bool

	mu      sync.Mutex
	created []string
	deleted []string
}

var errProvider = fmt.Errorf("%w: 10.1.2.3:443: provider secret in an error", im.ErrRefused)

func (g *groupsSpy) trouble() error {
	if g.panicing.Load() {
		panic("a secret in a panic")
	}
	if g.failing.Load() {
		return errProvider
	}
	return nil
}

func (g *groupsSpy) CreateGroup(ctx context.Context, creator, id string) (string, error) {
	if err := g.trouble(); err != nil {
		return "", err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.created = append(g.created, id)
	return g.Provider.CreateGroup(ctx, creator, id)
}

func (g *groupsSpy) DeleteGroup(_ context.Context, id string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.deleted = append(g.deleted, id)
	return nil
}

func (g *groupsSpy) NewToken(ctx context.Context, userID string) (im.NewToken, error) {
	if err := g.trouble(); err != nil {
		return im.NewToken{}, err
	}
	return g.Provider.NewToken(ctx, userID)
}

func (g *groupsSpy) OldToken(ctx context.Context, userID string, d im.Device) (im.OldToken, error) {
	if err := g.trouble(); err != nil {
		return im.OldToken{}, err
	}
	return g.Provider.OldToken(ctx, userID, d)
}

// clock stands still until it is moved.
type clock struct{ nanos atomic.Int64 }

func newClock(at time.Time) *clock {
	c := &clock{}
	c.nanos.Store(at.UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.nanos.Load()) }
func (c *clock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

// fixedRand gives the same every time, so that golden files can hold it.
type fixedRand struct {
	mu    sync.Mutex
	first *bytes.Reader
	next  *mathrand.ChaCha8
}

func newFixedRand(seed byte, first []byte) *fixedRand {
	return &fixedRand{first: bytes.NewReader(first), next: mathrand.NewChaCha8([32]byte{seed})}
}

func (r *fixedRand) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n, err := io.ReadFull(r.first, p); err == nil {
		return n, nil
	}
	return r.next.Read(p)
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
