package access

import (
	"github.com/stagedoor-live/stagedoor/gen/db"
)

// tokens are live tokens in memory: a million of them, in which the garbage
// collector finds nothing to look at. A pair of secrets is one entry, found by the
// half of either hash; the whole hash is compared then. An entry keeps its place
// as long as it lives. The zero value holds nothing and can take nothing.
type tokens struct {
	places  map[halfHash]place32 // of both hashes of a pair
	byID    map[int64]uint32
	blocks  []*[pairsPerBlock]pair
	free    []uint32
	used    uint32 // entries of blocks, free ones among them
	long    map[uint32]string
	apps    names
	holders holders
}

type halfHash [16]byte

// place32 is twice the number of an entry, and one more for the publish secret.
type place32 uint32

// pairsPerBlock entries are allocated at once: 30 kB.
const pairsPerBlock = 256

// inlineStream is the longest name of a stream that an entry has room for: the
// ids of rooms have that length. Longer ones are kept beside it.
const inlineStream = 32

// pair is a live token. It has no pointers.
type pair struct {
	publish, play tokenHash
	stream        [inlineStream]byte
	id            int64
	holder, app   uint32 // numbers in holders and apps
	streamLen     uint8  // more than inlineStream: the name is in long
	revoked       bool
}

func newTokens() tokens {
	return tokens{places: map[halfHash]place32{}, byID: map[int64]uint32{}, long: map[uint32]string{}, apps: newNames(), holders: newHolders()}
}

// liveToken is what a secret is.
type liveToken struct {
	id                    int64
	app, stream, username string
	publish, revoked      bool
}

// get finds a secret by its hash. The stream that is asked about saves a copy of
// its name where it is the right one.
func (t *tokens) get(h tokenHash, stream string) (liveToken, bool) {
	at, ok := t.places[halfHash(h[:16])]
	if !ok {
		return liveToken{}, false
	}
	number, publish := uint32(at>>1), at&1 == 1
	p := t.at(number)
	if publish && p.publish != h || !publish && p.play != h {
		return liveToken{}, false
	}
	holder := t.holders.list[p.holder]
	out := liveToken{id: p.id, app: t.apps.list[p.app], stream: stream, username: holder.username, publish: publish, revoked: p.revoked || holder.disabled}
	if !t.named(number, p, stream) {
		out.stream = t.streamOf(number, p)
	}
	return out, true
}

func (t *tokens) at(number uint32) *pair {
	return &t.blocks[number/pairsPerBlock][number%pairsPerBlock]
}

func (t *tokens) named(number uint32, p *pair, stream string) bool {
	if p.streamLen > inlineStream {
		return t.long[number] == stream
	}
	return string(p.stream[:p.streamLen]) == stream
}

func (t *tokens) streamOf(number uint32, p *pair) string {
	if p.streamLen > inlineStream {
		return t.long[number]
	}
	return string(p.stream[:p.streamLen])
}

func (t *tokens) has(id int64) bool {
	_, ok := t.byID[id]
	return ok
}

// tokenRow is a row of live_token_access.
type tokenRow struct {
	id                                   int64
	app, stream, username, publish, play []byte
	revoked, disabled                    bool
}

// put keeps a token as the row has it.
func (t *tokens) put(row db.LiveTokenAccess, older bool) {
	t.set(tokenRow{id: row.ID, app: []byte(row.App), stream: []byte(row.Stream), username: []byte(row.Username), publish: row.TokenHash, play: row.PlayHash,
		revoked: row.RevokedAt != nil, disabled: row.DisabledAt != nil}, older)
}

// set keeps a token as the row has it. Its holder stands as the row says, unless
// the row may be older than what is known.
func (t *tokens) set(row tokenRow, older bool) {
	number := t.place(row.id)
	p := t.at(number)
	*p = pair{publish: tokenHash(row.publish), play: tokenHash(row.play), id: row.id, app: t.apps.number(row.app), revoked: row.revoked,
		holder: t.holders.put(row.username, row.disabled, older), streamLen: uint8(min(len(row.stream), inlineStream+1))}
	if len(row.stream) > inlineStream {
		t.long[number] = string(row.stream)
	} else {
		copy(p.stream[:], row.stream)
	}
	t.places[halfHash(p.publish[:16])] = place32(number<<1 | 1)
	t.places[halfHash(p.play[:16])] = place32(number << 1)
}

// place returns the number of an entry to write to.
func (t *tokens) place(id int64) uint32 {
	if _, there := t.byID[id]; there {
		t.drop(id)
	}
	number := t.used
	if n := len(t.free); n > 0 {
		number, t.free = t.free[n-1], t.free[:n-1]
	} else {
		if t.used%pairsPerBlock == 0 {
			t.blocks = append(t.blocks, new([pairsPerBlock]pair))
		}
		t.used++
	}
	t.byID[id] = number
	return number
}

func (t *tokens) drop(id int64) {
	number, there := t.byID[id]
	if !there {
		return
	}
	p := t.at(number)
	delete(t.places, halfHash(p.publish[:16]))
	delete(t.places, halfHash(p.play[:16]))
	delete(t.byID, id)
	delete(t.long, number)
	*p = pair{}
	t.free = append(t.free, number)
}

// names are texts that many entries share, by number. What was named once stays
// until the next Reload.
type names struct {
	list   []string
	byText map[string]uint32
}

func newNames() names { return names{byText: map[string]uint32{}} }

func (n *names) number(text []byte) uint32 {
	if i, ok := n.byText[string(text)]; ok {
		return i
	}
	i := uint32(len(n.list))
	n.list = append(n.list, string(text))
	n.byText[n.list[i]] = i
	return i
}

// holder is the account of live tokens, which stand and fall with it.
type holder struct {
	username string
	disabled bool
}

// holders are accounts by number. They stay until the next Reload.
type holders struct {
	list   []holder
	byName map[string]uint32
}

func newHolders() holders { return holders{byName: map[string]uint32{}} }

// put says how an account stands, and returns its number. What may be older than
// what is known changes nothing.
func (o *holders) put(username []byte, disabled, older bool) uint32 {
	i, known := o.byName[string(username)]
	switch {
	case !known:
		i = uint32(len(o.list))
		o.list = append(o.list, holder{string(username), disabled})
		o.byName[o.list[i].username] = i
	case !older:
		o.list[i].disabled = disabled
	}
	return i
}
