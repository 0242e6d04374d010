package media

import "context"

type nodeKey struct{}

// WithNode returns a context that carries the node whose callback is being
// served, once the callback has proved to come from it.
func WithNode(ctx context.Context, n Node) context.Context {
	return context.WithValue(ctx, nodeKey{}, n)
}

// NodeFrom returns the node that WithNode stored. A zero Node means that nobody
// was authenticated; adapters refuse then.
func NodeFrom(ctx context.Context) Node {
	n, _ := ctx.Value(nodeKey{}).(Node)
	return n
}
