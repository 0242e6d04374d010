package e2e

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
)

// Callers that vanish in the middle of a callback, and callers that take their
// time with it. Nobody else notices, and nothing is left of them.
func TestClientsThatVanishOrDawdle(t *testing.T) {
	t.Parallel()
	s := newServer(t, map[string]string{"DATABASE_URL": dbtest.URL(t)})
	c := newCrowd(t, s, s.logIn(t), false)
	before := s.descriptors(t)

	slow := dawdle(t, c, 200)
	const callers = 4
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for n := range 60 {
				c.vanish(t, fmt.Sprintf("vanished-%d-%d", i, n), vanishings[n%len(vanishings)])
			}
		})
	}
	wg.Wait()
	c.goesOn(t)
	for _, conn := range slow {
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(conn); isTimeout(err) {
			t.Fatalf("a caller that never ends its request got %q, %v", text, err)
		}
	}
	c.recovers(t)
	record, answered := s.record(t), 0
	for i := range callers {
		for n := range 60 {
			v := vanishings[n%len(vanishings)]
			switch got := record[fmt.Sprintf("vanished-%d-%d", i, n)]; {
			case v.upTo < 1 && got != onRecord{}, got.sessions > 1, got.open > got.sessions:
				t.Errorf("%s: on record %+v", v.name, got)
			case got.open > 0:
				answered++
			}
		}
	}
	say(t, "%d of %d who vanished were answered before that showed", answered, callers*60)
	eventually(t, "as many files are open as before", func() bool { return s.descriptors(t) <= before+5 })
}

func isTimeout(err error) bool {
	n, ok := err.(net.Error)
	return ok && n.Timeout()
}

// vanishing is how far a request gets, and whether the connection is reset.
type vanishing struct {
	name   string
	upTo   float64
	resets bool
}

var vanishings = []vanishing{
	{"within the header", 0.2, true}, {"within the body", 0.9, true}, {"within the body, in good order", 0.9, false},
	{"before the answer", 1, true}, {"before the answer, in good order", 1, false},
}

// request is a callback as SRS sends it.
func (c *crowd) request(t *testing.T, id string) string {
	room := c.rooms[0]
	u, err := url.Parse(room.PullURLInfo.RTMPURL)
	if err != nil {
		t.Error(err)
	}
	body := fmt.Sprintf(`{"action":"on_play","client_id":%q,"ip":"192.0.2.18","vhost":"__defaultVhost__","app":"live","stream":%q,"tcUrl":"rtmp://127.0.0.1/live","param":%q}`,
		id, room.ID, "?"+u.RawQuery)
	return fmt.Sprintf("POST /callback/on_play HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func (c *crowd) dial(t *testing.T) *net.TCPConn {
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.base, "http://"))
	if err != nil {
		t.Error(err)
		return nil
	}
	return conn.(*net.TCPConn)
}

func (c *crowd) vanish(t *testing.T, id string, how vanishing) {
	conn := c.dial(t)
	if conn == nil {
		return
	}
	defer conn.Close()
	text := c.request(t, id)
	if _, err := conn.Write([]byte(text[:int(how.upTo*float64(len(text)))])); err != nil {
		t.Error(err)
	}
	if how.resets {
		_ = conn.SetLinger(0)
	}
}

// dawdle has callers send one byte after the other.
func dawdle(t *testing.T, c *crowd, n int) (conns []net.Conn) {
	t.Helper()
	for range n {
		conn := c.dial(t)
		if conn == nil {
			t.FailNow()
		}
		t.Cleanup(func() { _ = conn.Close() })
		conns = append(conns, conn)
	}
	go func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		text := c.request(t, "slow")
		for i := 0; i < len(text) && t.Context().Err() == nil; i++ {
			for _, conn := range conns {
				_, _ = conn.Write([]byte{text[i]}) // until it is closed
			}
			<-tick.C
		}
	}()
	return conns
}

// descriptors counts what the process has open; zero where nobody tells.
func (s *server) descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.proc.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	return len(entries)
}
