package access

import "encoding/hex"

// rooms is a set of room ids. Those that we make, 32 hexadecimal digits, take
// half of their length.
type rooms struct {
	ours   map[[16]byte]struct{}
	others map[string]struct{}
}

func newRooms() rooms { return rooms{ours: map[[16]byte]struct{}{}, others: map[string]struct{}{}} }

func (r *rooms) add(id string) {
	if key, ok := roomKey(id); ok {
		r.ours[key] = struct{}{}
		return
	}
	r.others[id] = struct{}{}
}

func (r *rooms) remove(id string) {
	if key, ok := roomKey(id); ok {
		delete(r.ours, key)
		return
	}
	delete(r.others, id)
}

func (r *rooms) has(id string) bool {
	if key, ok := roomKey(id); ok {
		_, there := r.ours[key]
		return there
	}
	_, there := r.others[id]
	return there
}

// roomKey says whether an id is 32 lower-case hexadecimal digits, and which.
func roomKey(id string) (key [16]byte, ok bool) {
	if len(id) != hex.EncodedLen(len(key)) {
		return key, false
	}
	for i := range len(id) {
		if c := id[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return key, false
		}
	}
	_, err := hex.Decode(key[:], []byte(id))
	return key, err == nil
}
