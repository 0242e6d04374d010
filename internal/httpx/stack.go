package httpx

// deepStack is what the frames below the chain take, in bytes: events and
// decisions are large, and go through many hands.
const deepStack = 12 << 10

// growStack makes room on the stack for everything that is to come. The stack of
// a new connection's goroutine is small, and to move it costs by the frame: here
// there are few of them, and at the bottom, where it would otherwise be moved,
// many. In profiles of connections with one request each, moving stacks takes less
// than half of what it did.
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
