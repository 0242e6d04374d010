package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
)

// conn is one HTTP/1.1 connection that writes requests as they are and reads
// just enough of the replies. It costs a fraction of net/http's client, whose
// share of the processors would otherwise be measured too.
type conn struct {
	net.Conn
	r    *bufio.Reader
	body []byte
}

func newConn(c net.Conn) *conn { return &conn{Conn: c, r: bufio.NewReader(c)} }

// reset goes on with another connection and the same buffers.
func (c *conn) reset(to net.Conn) {
	c.Conn = to
	c.r.Reset(to)
}

// roundTrip sends a request and returns the reply. The body is valid until the
// next call.
func (c *conn) roundTrip(request []byte) (status int, body []byte, err error) {
	if _, err := c.Write(request); err != nil {
		return 0, nil, err
	}
	line, err := c.line()
	if err != nil {
		return 0, nil, err
	}
	if status, err = parseStatus(line); err != nil {
		return 0, nil, err
	}
	length, err := c.header()
	if err != nil {
		return 0, nil, err
	}
	c.body = c.body[:0]
	if length == chunked {
		err = c.readChunks()
	} else {
		err = c.read(length)
	}
	return status, c.body, err
}

func parseStatus(line []byte) (int, error) {
	version, rest, _ := bytes.Cut(line, []byte(" "))
	code, _, _ := bytes.Cut(rest, []byte(" "))
	status, err := strconv.Atoi(string(code))
	if err != nil || !bytes.HasPrefix(version, []byte("HTTP/1.")) {
		return 0, fmt.Errorf("not a status line: %.40q", line)
	}
	return status, nil
}

// chunked stands for a length that the body itself tells.
const chunked = -1

// maxLength bounds a body or chunk, in bytes.
const maxLength = 1 << 20

// header skips to the body and returns its length.
func (c *conn) header() (length int, err error) {
	known := false
	for {
		line, err := c.line()
		if err != nil {
			return 0, err
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			known = true
			if length, err = parseLength(value, 10); err != nil {
				return 0, err
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")) && bytes.EqualFold(value, []byte("chunked")):
			return chunked, c.skipHeader()
		}
	}
	if !known {
		return 0, errors.New("a reply of unknown length")
	}
	return length, nil
}

func (c *conn) skipHeader() error {
	for {
		if line, err := c.line(); err != nil || len(line) == 0 {
			return err
		}
	}
}

func (c *conn) readChunks() error {
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		size, _, _ := bytes.Cut(line, []byte(";"))
		n, err := parseLength(bytes.TrimSpace(size), 16)
		if err != nil {
			return err
		}
		if n == 0 {
			return c.skipHeader() // trailers
		}
		if err := c.read(n); err != nil {
			return err
		}
		if end, err := c.line(); err != nil || len(end) > 0 {
			return errors.Join(err, errors.New("a chunk of the wrong length"))
		}
	}
}

func parseLength(text []byte, base int) (int, error) {
	n, err := strconv.ParseUint(string(text), base, 32)
	if err != nil || n > maxLength {
		return 0, fmt.Errorf("bad length %.40q", text)
	}
	return int(n), nil
}

// read appends n bytes to the body.
func (c *conn) read(n int) error {
	start := len(c.body)
	c.body = append(c.body, make([]byte, n)...)
	_, err := io.ReadFull(c.r, c.body[start:])
	return err
}

// line returns a line without its end, valid until the next read.
func (c *conn) line() ([]byte, error) {
	line, err := c.r.ReadSlice('\n')
	if errors.Is(err, io.EOF) && len(line) > 0 {
		err = io.ErrUnexpectedEOF
	}
	return bytes.TrimRight(line, "\r\n"), err
}
