package main

import (
	"os"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
)

// spareHeap is how much garbage may gather before it is collected, in bytes. The
// default, as much as there is in use, means very little in a process that has
// just begun: it would collect many times a second under load.
const spareHeap = 32 << 20

// spaceHeap lets a small heap have spareHeap of garbage, and a large one as much
// as it has in use, as ever. Whoever has set GOGC knows better.
func spaceHeap() {
	if os.Getenv("GOGC") != "" {
		return
	}
	live := []runtimemetrics.Sample{{Name: "/gc/heap/live:bytes"}}
	runtimemetrics.Read(live)
	debug.SetGCPercent(gcPercent(live[0].Value.Uint64()))
}

func gcPercent(live uint64) int { return int(max(100, 100*spareHeap/max(live, 4<<20))) }
