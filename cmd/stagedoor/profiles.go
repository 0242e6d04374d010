package main

import (
	"net/http"
	"net/http/pprof"
	"runtime"

	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

func registerProfiles(rt *httpx.Router) {
	rt.HandleFunc("GET /debug/pprof/", pprof.Index)
	rt.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	rt.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	rt.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	rt.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	rt.HandleFunc("GET /debug/pprof/block", whileAsked("block", func(on bool) {
		runtime.SetBlockProfileRate(rate(on, blockEvery))
	}))
	rt.HandleFunc("GET /debug/pprof/mutex", whileAsked("mutex", func(on bool) {
		runtime.SetMutexProfileFraction(rate(on, mutexEvery))
	}))
}

// How much waiting is sampled: an event for so many nanoseconds that were spent
// blocked, and one of so many that had to wait for a lock.
const (
	blockEvery = 10_000
	mutexEvery = 10
)

func rate(on bool, n int) int {
	if on {
		return n
	}
	return 0
}

// whileAsked serves a profile for which the runtime samples only as long as the
// request takes, as it costs all others time: "?seconds=10".
func whileAsked(name string, sample func(on bool)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		sample(true)
		defer sample(false)
		pprof.Handler(name).ServeHTTP(w, r)
	}
}
