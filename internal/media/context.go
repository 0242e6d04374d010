package media

import "context"

type nodeKey struct{}

// nodeContext holds a node by itself, where context.WithValue would put it behind
// an interface.
type nodeContext struct {
	context.Context
	node Node
}

func (c *nodeContext) Value(key any) any {
	if _, ours := key.(nodeKey); ours {
		return &c.node
	}
	return c.Context.Value(key)
}

// WithNode returns a context that carries the node whose callback is being
// served, once the callback has proved to come from it.
func WithNode(ctx context.Context, n Node) context.Context {
	return &nodeContext{Context: ctx, node: n}
}

// NodeFrom returns the node that WithNode stored. A zero Node means that nobody
// was authenticated; adapters refuse then.
func NodeFrom(ctx context.Context) Node {
	if n, ok := ctx.Value(nodeKey{}).(*Node); ok {
		return *n
	}
	return Node{}
}
