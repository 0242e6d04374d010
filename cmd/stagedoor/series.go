package main

import (
	"maps"
	"sync"
	"sync/atomic"
)

// series remembers the members of a metric's vector by a key of ours: spelling
// all labels out costs more than counting. The keys must be few.
type series[K comparable, M any] struct {
	find  func(K) M
	known atomic.Pointer[map[K]M]
	mu    sync.Mutex // held while one is added
}

func newSeries[K comparable, M any](find func(K) M) *series[K, M] {
	s := &series[K, M]{find: find}
	s.known.Store(&map[K]M{})
	return s
}

func (s *series[K, M]) of(key K) M {
	if m, ok := (*s.known.Load())[key]; ok {
		return m
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m, more := s.find(key), maps.Clone(*s.known.Load())
	more[key] = m
	s.known.Store(&more)
	return m
}
