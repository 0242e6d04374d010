package urlsign

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// piece is one part of the text that is hashed.
type piece struct {
	kind pieceKind
	text string // of a literal
}

type pieceKind uint8

const (
	pieceText pieceKind = iota // as written
	pieceKey
	pieceTime
	pieceHost
	pieceApp
	pieceStream
	pieceNames // "/app/stream"
	piecePath  // as the URL has it: encoded, extension included
	pieceLink  // the path without its first slash, decoded
	pieceURI   // the path, decoded
	pieceAddr  // the client's address
	pieceKinds
)

// recipe is what is hashed, in its order, and what that asks of a target.
type recipe struct {
	pieces []piece
	// Whether among them is the key, the domain, a path, a name, the time, the
	// client's address.
	key, host, path, names, time, addr bool
}

func newRecipe(pieces ...piece) recipe {
	r := recipe{pieces: pieces}
	for _, p := range pieces {
		switch p.kind {
		case pieceKey:
			r.key = true
		case pieceTime:
			r.time = true
		case pieceHost:
			r.host = true
		case pieceApp, pieceStream, pieceNames:
			r.names = true
		case piecePath, pieceLink, pieceURI:
			r.path = true
		case pieceAddr:
			r.addr = true
		}
	}
	return r
}

// kinds is newRecipe without literals.
func kinds(kinds ...pieceKind) recipe {
	pieces := make([]piece, len(kinds))
	for i, k := range kinds {
		pieces[i].kind = k
	}
	return newRecipe(pieces...)
}

// request is what is hashed beside the names: it is not in a Target when a URL
// is signed, and comes from the client when one is verified.
type request struct {
	path   string
	digits []byte
	addr   netip.Addr
}

// maxAddr is the longest address in text.
const maxAddr = len("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")

// size is how long the text can get.
func (r *recipe) size(t *Target, asked *request, secret int) (n int) {
	names := len("//") + len(t.App) + len(t.Stream)
	for i := range r.pieces {
		switch p := &r.pieces[i]; p.kind {
		case pieceText:
			n += len(p.text)
		case pieceKey:
			n += secret
		case pieceTime:
			n += len(asked.digits)
		case pieceHost:
			n += len(t.Host)
		case pieceApp, pieceStream, pieceNames:
			n += names
		case piecePath, pieceLink, pieceURI:
			n += max(len(asked.path), names+len(".m3u8"))
		case pieceAddr:
			n += maxAddr
		}
	}
	return n
}

// append writes the text. Ext is an extension for a path that is not known.
func (r *recipe) append(dst []byte, t *Target, asked *request, ext string, secret []byte) []byte {
	for i := range r.pieces {
		switch p := &r.pieces[i]; p.kind {
		case pieceText:
			dst = append(dst, p.text...)
		case pieceKey:
			dst = append(dst, secret...)
		case pieceTime:
			dst = append(dst, asked.digits...)
		case pieceHost:
			dst = append(dst, t.Host...)
		case pieceApp:
			dst = append(dst, t.App...)
		case pieceStream:
			dst = append(dst, t.Stream...)
		case pieceNames:
			dst = appendNames(dst, t)
		case pieceAddr:
			dst = plain(asked.addr).AppendTo(dst)
		default:
			dst = appendAsked(dst, p.kind, t, asked.path, ext)
		}
	}
	return dst
}

// appendAsked writes the path in one of its three forms.
func appendAsked(dst []byte, kind pieceKind, t *Target, path, ext string) []byte {
	start := len(dst)
	switch {
	case path == "":
		dst = append(appendNames(dst, t), ext...)
	case kind == piecePath:
		return append(dst, path...)
	default:
		for len(path) > 0 {
			c, n := unescape(path)
			dst, path = append(dst, c), path[n:]
		}
	}
	if kind == pieceLink && len(dst) > start && dst[start] == '/' {
		dst = append(dst[:start], dst[start+1:]...)
	}
	return dst
}

func appendNames(dst []byte, t *Target) []byte {
	dst = append(dst, '/')
	dst = append(dst, t.App...)
	dst = append(dst, '/')
	return append(dst, t.Stream...)
}

// maxExpression bounds what an operator may write.
const maxExpression = 256

// variables are what an expression may name, in the words of nginx and in ours.
var variables = map[string]pieceKind{
	"secure_link_expires": pieceTime, "expires": pieceTime, "uri": pieceURI, "remote_addr": pieceAddr,
	"host": pieceHost, "app": pieceApp, "stream": pieceStream, "key": pieceKey,
}

// parseExpression reads text with variables: $name or ${name}. There are no
// functions, no defaults and no way to write a dollar sign. The errors can be
// shown.
func parseExpression(text string) (recipe, error) {
	if len(text) > maxExpression || printable(text) != text || strings.Contains(text, "\n") {
		return recipe{}, fmt.Errorf("an expression has at most %d printable characters", maxExpression)
	}
	var pieces []piece
	var seen [pieceKinds]bool
	for text != "" {
		literal, rest, found := cut(text, '$')
		if literal != "" {
			pieces = append(pieces, piece{text: literal})
		}
		if !found {
			break
		}
		name, rest, ok := cutVariable(rest)
		kind, known := variables[name]
		if !ok || !known {
			return recipe{}, errors.New("an expression knows $secure_link_expires, $uri, $app, $stream, $host, $remote_addr and $key")
		}
		if seen[kind] {
			return recipe{}, fmt.Errorf("$%s is there twice", name)
		}
		seen[kind] = true
		pieces, text = append(pieces, piece{kind: kind}), rest
	}
	return newRecipe(pieces...), nil
}

// cutVariable reads a name, in braces or not, and returns what follows it.
func cutVariable(s string) (name, rest string, ok bool) {
	braced := strings.HasPrefix(s, "{")
	s = strings.TrimPrefix(s, "{")
	n := 0
	for n < len(s) && (isAlnum(s[n]) || s[n] == '_') {
		n++
	}
	name, rest = s[:n], s[n:]
	if braced {
		rest, ok = strings.CutPrefix(rest, "}")
		return name, rest, ok
	}
	return name, rest, true
}
