package node

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// Signs reports whether servers of a kind sign their callbacks with the secret
// of their node. They name the node in the callback URL, which then holds no
// secret. Only their secrets are kept in memory.
func Signs(kind string) bool { return kind == KindOME || kind == KindAliyun }

// AuthenticateSigned says which node of a kind signed a callback: the one of
// this name, or whichever of the kind did where name is empty, if the source is
// one of its addresses. Verify is called with secrets and says whether one of
// them made the signature; it must take the same time for all that are wrong.
// Error: Forbidden.
func (s *Service) AuthenticateSigned(kind, name string, source netip.Addr, verify func(key []byte) bool) (media.Node, error) {
	source = source.Unmap().WithZone("")
	for _, n := range s.signing(kind, name) {
		if verify(n.key) && n.admits(source) {
			return n.Node, nil
		}
	}
	return media.Node{}, errUnauthenticated
}

// signing lists the nodes that may have signed, by name. Where there is none,
// it is one that admits nobody, so that the answer takes as long as any other.
func (s *Service) signing(kind, name string) []Node {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []Node
	for _, n := range s.byName {
		if n.Kind == kind && len(n.key) > 0 && (name == "" || n.Name == name) {
			out = append(out, n)
		}
	}
	if len(out) == 0 {
		return []Node{{Sources: []netip.Prefix{{}}, key: make([]byte, 40)}}
	}
	slices.SortFunc(out, func(a, b Node) int { return strings.Compare(a.Name, b.Name) })
	return out
}
