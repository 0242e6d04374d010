package ipchub

import (
	"runtime/metrics"
	"sync"
	"time"

	"github.com/prometheus/procfs"

	gen "github.com/stagedoor-live/stagedoor/gen/ipchub"
)

// usage tells what the process takes of the machine. Anybody may ask, so it must
// not stop the process to look, as reading runtime.MemStats would.
type usage struct {
	mu   sync.Mutex
	at   time.Time
	busy float64 // seconds of processor time until then
	cpu  float64 // percent of one processor, at that time
}

// read tells the processor time since the figures were last asked for, or since
// the start. Within a second the answer stays, or it would be noise.
func (u *usage) read(started, now time.Time) gen.IpchubProcess {
	stat, ok := self()
	if !ok {
		stat = estimate()
	}
	out := gen.IpchubProcess{Priv: stat.resident >> 10, Virt: stat.virtual >> 10, Uptime: int64(max(now.Sub(started), 0) / time.Second)}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.at.IsZero() {
		u.at = started
	}
	if took := now.Sub(u.at).Seconds(); took >= 1 {
		u.cpu = max(0, 100*(stat.busy-u.busy)/took)
		u.at, u.busy = now, stat.busy
	}
	out.CPU = u.cpu
	return out
}

type stat struct {
	resident, virtual int64   // bytes
	busy              float64 // seconds of processor time
}

// self asks the system, where it has a /proc.
func self() (stat, bool) {
	p, err := procfs.Self()
	if err != nil {
		return stat{}, false
	}
	s, err := p.Stat()
	return stat{resident: int64(s.ResidentMemory()), virtual: int64(s.VirtualMemory()), busy: s.CPUTime()}, err == nil
}

// estimate asks the Go runtime, which does not know of what is not its own.
func estimate() stat {
	all := sample("/memory/classes/total:bytes", "/memory/classes/heap/released:bytes", "/cpu/classes/total:cpu-seconds", "/cpu/classes/idle:cpu-seconds")
	return stat{resident: int64(all[0] - all[1]), virtual: int64(all[0]), busy: all[2] - all[3]}
}

// sample reads figures of the runtime. One that it does not have is zero.
func sample(names ...string) []float64 {
	samples, out := make([]metrics.Sample, len(names)), make([]float64, len(names))
	for i, name := range names {
		samples[i].Name = name
	}
	metrics.Read(samples)
	for i, s := range samples {
		switch s.Value.Kind() {
		case metrics.KindUint64:
			out[i] = float64(s.Value.Uint64())
		case metrics.KindFloat64:
			out[i] = s.Value.Float64()
		}
	}
	return out
}

// extra tells what the Go runtime does with its memory.
func extra() gen.IpchubExtra {
	v := sample("/memory/classes/heap/objects:bytes", "/memory/classes/heap/unused:bytes", "/memory/classes/heap/free:bytes",
		"/memory/classes/heap/released:bytes", "/gc/heap/objects:objects",
		"/memory/classes/metadata/mcache/inuse:bytes", "/memory/classes/metadata/mcache/free:bytes",
		"/memory/classes/metadata/mspan/inuse:bytes", "/memory/classes/metadata/mspan/free:bytes",
		"/memory/classes/heap/stacks:bytes", "/memory/classes/os-stacks:bytes",
		"/memory/classes/metadata/other:bytes", "/memory/classes/total:bytes",
		"/sched/goroutines:goroutines", "/sched/gomaxprocs:threads",
		"/cpu/classes/gc/total:cpu-seconds", "/cpu/classes/total:cpu-seconds")
	k := func(bytes ...float64) (sum int64) {
		for _, b := range bytes {
			sum += int64(b)
		}
		return sum >> 10
	}
	memory := func(inuse, rest float64) gen.IpchubMemory {
		return gen.IpchubMemory{Inuse: k(inuse), Sys: k(inuse, rest)}
	}
	objects, unused, free, released := v[0], v[1], v[2], v[3]
	return gen.IpchubExtra{
		Heap: gen.IpchubHeap{Inuse: k(objects, unused), Sys: k(objects, unused, free, released), Alloc: k(objects),
			Idle: k(free, released), Released: k(released), Objects: int64(v[4])},
		Mcache: memory(v[5], v[6]), Mspan: memory(v[7], v[8]), Stack: memory(v[9], v[10]),
		Gc: gen.IpchubCollector{CPU: share(v[15], v[16]), Sys: k(v[11])},
		Go: gen.IpchubGo{Count: int64(v[13]), Procs: int64(v[14]), Sys: k(v[12]), Alloc: k(objects)},
	}
}

func share(part, whole float64) float64 {
	if whole <= 0 {
		return 0
	}
	return min(max(part/whole, 0), 1)
}
