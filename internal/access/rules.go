package access

import (
	"hash/maphash"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// ruleKey is the place and scene that a rule is for. One of domain and vhost is
// empty.
type ruleKey struct {
	domain, vhost, app string
	scene              media.Scene
}

// rules are auth rules by place and by id. Rules of one hash, which hardly ever
// are two, hang together.
type rules struct {
	seed   maphash.Seed
	byHash map[uint64]*rule
	byID   map[int64]*rule
	// vhosts counts the rules of a vhost: mostly there is none to look for.
	vhosts  int
	collide bool // all hashes are the same, in a test
}

func newRules() rules {
	return rules{seed: maphash.MakeSeed(), byHash: map[uint64]*rule{}, byID: map[int64]*rule{}}
}

func (rs *rules) hash(k ruleKey) uint64 {
	h := maphash.String(rs.seed, k.app)
	switch {
	case k.domain != "":
		h = h*31 + maphash.String(rs.seed, k.domain)
	case k.vhost != "":
		h = h*33 + maphash.String(rs.seed, k.vhost)
	}
	switch {
	case rs.collide:
		return 0
	case k.scene == media.Publish:
		return h + 1
	}
	return h
}

func (rs *rules) find(k ruleKey) (*rule, bool) {
	for r := rs.byHash[rs.hash(k)]; r != nil; r = r.next {
		if r.key() == k {
			return r, true
		}
	}
	return nil, false
}

// put has a rule in the place of any other one of the same place.
func (rs *rules) put(r *rule) {
	k := r.key()
	if old, there := rs.find(k); there {
		rs.unlink(old)
	}
	h := rs.hash(k)
	r.next = rs.byHash[h]
	rs.byHash[h], rs.byID[r.id] = r, r
	if k.vhost != "" {
		rs.vhosts++
	}
}

// drop leaves a newer rule of the same place alone.
func (rs *rules) drop(id int64) {
	r, ok := rs.byID[id]
	delete(rs.byID, id)
	if !ok {
		return
	}
	if now, _ := rs.find(r.key()); now == r {
		rs.unlink(r)
	}
}

// unlink takes a rule out of its place. Readers that have it keep it.
func (rs *rules) unlink(r *rule) {
	h := rs.hash(r.key())
	if first := rs.byHash[h]; first != r {
		for ; first.next != r; first = first.next {
		}
		first.next = r.next
	} else if r.next != nil {
		rs.byHash[h] = r.next
	} else {
		delete(rs.byHash, h)
	}
	if r.vhost() != "" {
		rs.vhosts--
	}
}
