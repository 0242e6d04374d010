package httpx

// deepStack is what the frames below the chain take, in bytes: events and
// decisions are large, and go through many hands. A callback of SRS with a signed
// URL goes deepest, and must stay within a stack of 16 KiB: one that outgrows it is
// moved once more, from the bottom, and the next size does not come from a cache.
const deepStack = 12 << 10

// growStack makes room on the stack for everything that is to come. The stack of
// a new connection's goroutine is small, and to move it costs by the frame: here
// there are few of them, and at the bottom, where it would otherwise be moved,
// many. For connections with one request each that is a tenth of the whole time.
//
//go:noinline
func growStack(use bool) {
	if use { // never: the room itself is all that is wanted, and clearing it would cost
		var room [deepStack]byte
		touch(&room)
	}
}

//go:noinline
func touch(room *[deepStack]byte) { room[0]++ }
