// Package lastuse remembers when things were last used until that is written
// down, so that a use costs no statement.
package lastuse

import (
	"maps"
	"sync"
	"time"
)

// Uses are last uses by id that are not written yet. The zero value is ready.
type Uses[ID comparable] struct {
	mu sync.Mutex
	at map[ID]time.Time
}

// Note notes a use.
func (u *Uses[ID]) Note(id ID, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.at == nil {
		u.at = map[ID]time.Time{}
	}
	u.at[id] = now
}

// Flush hands all uses to write, if there are any. What could not be written is
// kept for the next call, unless it was used again meanwhile.
func (u *Uses[ID]) Flush(write func(ids []ID, at []time.Time) error) error {
	taken := u.take()
	if len(taken) == 0 {
		return nil
	}
	ids, at := make([]ID, 0, len(taken)), make([]time.Time, 0, len(taken))
	for id, used := range taken {
		ids, at = append(ids, id), append(at, used)
	}
	err := write(ids, at)
	if err != nil {
		u.putBack(taken)
	}
	return err
}

func (u *Uses[ID]) take() map[ID]time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	taken := u.at
	u.at = nil
	return taken
}

func (u *Uses[ID]) putBack(taken map[ID]time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	maps.Copy(taken, u.at)
	u.at = taken
}
