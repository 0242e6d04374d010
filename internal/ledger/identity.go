package ledger

import (
	"bytes"
	"crypto/sha256"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// identity is which session an event is about: four bytes for the node, four for
// the server on it, eight for the connection, and twelve for what that does. So
// all of a node, of a server and of a connection stand together in an index. The
// database computes the same in session_identity; changing it takes a migration.
type identity [28]byte

const nodePart, serverPart, connectionPart = 4, 8, 16

// connection is the part of an identity that tells connections apart.
type connection [connectionPart]byte

func (id *identity) connection() connection { return connection(id[:connectionPart]) }

func identityOf(node, serverID, clientID string, scene media.Scene, st media.Stream) (id identity) {
	digest(id[:nodePart], node)
	digest(id[nodePart:serverPart], serverID)
	digest(id[serverPart:connectionPart], clientID)
	digest(id[connectionPart:], string(scene), st.Vhost, st.App, st.Name)
	return id
}

// identify is identityOf what an event is about.
func identify(e media.Event) identity {
	return identityOf(e.Node, e.ServerID, e.ClientID, e.Scene(), e.Stream)
}

// digest fills to with the hash of texts, between which it puts zeros: no text
// holds one.
func digest(to []byte, texts ...string) {
	var room [256]byte
	all := room[:0]
	for i, text := range texts {
		if i > 0 {
			all = append(all, 0)
		}
		all = append(all, text...)
	}
	sum := sha256.Sum256(all)
	copy(to, sum[:])
}

// span returns the first and the last identity that begin as told.
func span(beginning []byte) (first, last []byte) {
	last = bytes.Repeat([]byte{0xff}, len(identity{}))
	copy(last, beginning)
	return bytes.Clone(beginning), last
}
