package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// answering returns a connection whose other end gives these replies, one for
// each request, and then closes.
func answering(t *testing.T, replies ...string) *conn {
	t.Helper()
	ours, theirs := net.Pipe()
	t.Cleanup(func() { _ = ours.Close() })
	go func() {
		defer theirs.Close()
		r := bufio.NewReader(theirs)
		for _, reply := range replies {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, req.Body)
			if _, err := io.WriteString(theirs, reply); err != nil {
				return
			}
		}
	}()
	return newConn(ours)
}

const someRequest = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"

func TestRepliesAreReadInEveryFraming(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reply  string
		status int
		body   string
	}{
		"length":          {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n0", 200, "0"},
		"empty":           {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, ""},
		"odd spelling":    {"HTTP/1.0 403 Forbidden\r\nX: y\r\ncontent-LENGTH:   3  \r\nZ: \r\n\r\nno\n", 403, "no\n"},
		"no reason":       {"HTTP/1.1 503\r\nContent-Length: 0\r\n\r\n", 503, ""},
		"bare newlines":   {"HTTP/1.1 200 OK\nContent-Length: 2\n\nab", 200, "ab"},
		"chunks":          {"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nA: b\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: u\r\n\r\n", 200, "abc0123456789"},
		"length, chunked": {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 200, "x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := answering(t, c.reply, c.reply)
			for range 2 { // the second shows that the first was read to its end
				status, body, err := conn.roundTrip([]byte(someRequest))
				if err != nil || status != c.status || string(body) != c.body {
					t.Fatalf("got %d %q, %v", status, body, err)
				}
			}
		})
	}
}

func TestRepliesThatCannotBeTrustedAreErrors(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]string{
		"nothing":         "",
		"not HTTP":        "SSH-2.0-OpenSSH\r\n\r\n",
		"no status":       "HTTP/1.1 OK\r\n\r\n",
		"no length":       "HTTP/1.1 200 OK\r\n\r\n0",
		"bad length":      "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"huge length":     "HTTP/1.1 200 OK\r\nContent-Length: 4000000000\r\n\r\n",
		"cut header":      "HTTP/1.1 200 OK\r\nContent-Le",
		"cut body":        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n012",
		"cut chunk":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
		"no last chunk":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
		"bad chunk size":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
		"overlong chunk":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n0\r\n\r\n",
		"overlong header": "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<16) + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, body, err := answering(t, reply).roundTrip([]byte(someRequest))
			if err == nil {
				t.Fatalf("got %d %q", status, body)
			}
		})
	}
}

func TestCutRepliesAreNotTakenForTheEnd(t *testing.T) {
	t.Parallel()
	_, _, err := answering(t, "HTTP/1.1 200 O").roundTrip([]byte(someRequest))
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
}

func TestConnectionSpeaksWithNetHTTP(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789abcdef", 1000) // net/http sends it in chunks
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if string(body) == "long" {
			_, _ = io.WriteString(w, long)
			return
		}
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write(body)
	}))
	t.Cleanup(srv.Close)
	to, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := newConn(to)
	t.Cleanup(func() { _ = c.Close() })
	for _, text := range []string{"short", "long", "", "long", "again"} {
		status, body, err := c.roundTrip(fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(text), text))
		wantStatus, want := http.StatusAccepted, text
		if text == "long" {
			wantStatus, want = http.StatusOK, long
		}
		if err != nil || status != wantStatus || string(body) != want {
			t.Fatalf("%q: %d, %d bytes, %v", text, status, len(body), err)
		}
	}
}

func TestReadingAReplyAllocatesNothing(t *testing.T) {
	c := newConn(&loop{reply: []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\n0")})
	request := []byte(someRequest)
	if n := testing.AllocsPerRun(100, func() { _, _, _ = c.roundTrip(request) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// loop gives the same reply for ever.
type loop struct {
	net.Conn
	reply []byte
}

func (l *loop) Write(b []byte) (int, error) { return len(b), nil }
func (l *loop) Read(b []byte) (int, error)  { return copy(b, l.reply), nil }
