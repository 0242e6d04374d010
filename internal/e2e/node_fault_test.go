package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	api "github.com/stagedoor-live/stagedoor/gen/client"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
)

// badAPI is a control API that does not do what it should.
type badAPI struct {
	address string
	asked   atomic.Int64
	sent    atomic.Int64 // bytes
}

// newBadAPI has serve take each connection once its request is there.
func newBadAPI(t *testing.T, serve func(*badAPI, net.Conn)) *badAPI {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	b := &badAPI{address: l.Addr().String()}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			b.asked.Add(1)
			go func() {
				defer conn.Close()
				serve(b, conn)
			}()
		}
	}()
	return b
}

// mute says nothing.
func mute(_ *badAPI, conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

const answerHead = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"

// drip sends what might become an answer, a byte at a time.
func drip(b *badAPI, conn net.Conn) {
	text := answerHead + `{"code":0,"server":"vid-1","clients":[` + strings.Repeat(" ", 1000)
	for i := range text {
		if _, err := conn.Write([]byte{text[i]}); err != nil {
			return
		}
		b.sent.Add(1)
		time.Sleep(50 * time.Millisecond)
	}
}

// flood answers with a gigabyte.
func flood(b *badAPI, conn net.Conn) {
	chunk := []byte(answerHead + strings.Repeat(`{"code":0,"server":"vid-1","clients":[],`, 20_000))
	for left := 1 << 30; left > 0; left -= len(chunk) {
		n, err := conn.Write(chunk)
		b.sent.Add(int64(n))
		if err != nil {
			return
		}
	}
}

// goodAPI is an SRS with one client that nobody told us of, and one more from when
// it has come until it is kicked.
type goodAPI struct {
	*httptest.Server
	came, kicked atomic.Bool
}

const stranger, doomed = "stranger", "on-good"

func newGoodAPI(t *testing.T, serverID string) *goodAPI {
	g := &goodAPI{}
	player := func(id, ip, url string) map[string]any {
		return map[string]any{"id": id, "ip": ip, "url": url, "type": "rtmp-play", "publish": false, "alive": 60, "send_bytes": 1, "recv_bytes": 1}
	}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete && path.Base(r.URL.Path) == doomed {
			g.kicked.Store(true)
		}
		clients := []any{player(stranger, "192.0.2.9", "/live/strange")}
		if g.came.Load() && !g.kicked.Load() {
			clients = append(clients, player(doomed, "192.0.2.17", "/live/doomed"))
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"code": 0, "server": serverID, "clients": clients})
	}))
	t.Cleanup(g.Close)
	return g
}

// admit has a client of a node let in.
func (c *crowd) admit(t *testing.T, action, secret string, v *visit) {
	t.Helper()
	eventually(t, v.id+" is let in", func() bool { return c.callOf(t, action, secret, v) == yes })
}

// addNode returns the secret of a new node.
func (a account) addNode(t *testing.T, name string, kind api.NewNodeKind, address string) string {
	t.Helper()
	return good[*api.CreateNodeResponse](t)(a.CreateNodeWithResponse(t.Context(), api.NewNode{Name: name, Kind: kind, ControlURL: "http://" + address + "/stat"})).JSON201.Secret
}

// Media servers that say nothing, next to nothing, or far too
// much, when they are asked for their clients or told to cut one off.
func TestNodesThatHang(t *testing.T) {
	t.Parallel()
	s := newServer(t, map[string]string{"DATABASE_URL": dbtest.URL(t), "RECONCILE_PERIOD": "2s"})
	admin := s.logIn(t)
	c := newCrowd(t, s, admin, false)
	before := s.memory(t)

	secrets, apis := map[string]string{}, map[string]*badAPI{}
	for name, serve := range map[string]func(*badAPI, net.Conn){"mute": mute, "drip": drip, "flood": flood} {
		apis[name] = newBadAPI(t, serve)
		for _, kind := range []api.NewNodeKind{"srs", "nginx-rtmp", "zlmediakit"} {
			secret := admin.addNode(t, name+"-"+string(kind), kind, apis[name].address)
			if kind == "srs" {
				secrets[name] = secret
			}
		}
	}
	fine := newGoodAPI(t, c.serverID())
	secrets["good"] = admin.addNode(t, "good", "srs", fine.Listener.Addr().String())

	// Somebody plays on each of the nodes, and may not any more.
	token := admin.createToken(t, "doomed")
	for name, secret := range secrets {
		v := &visit{id: "on-" + name, scene: "play", room: api.Room{ID: "doomed"}, query: "token=" + token.PlayToken}
		c.admit(t, "on_play", secret, v)
		if v.id == doomed {
			fine.came.Store(true)
		}
	}
	// And somebody publishes where nobody can ask whether he still does.
	holder := &visit{id: "holder", scene: "publish", room: c.admin.createRoom(t, "held")}
	holder.query = strings.SplitN(holder.room.PushURLInfo.RTMPURL, "?", 2)[1]
	c.admit(t, "on_publish", secrets["mute"], holder)
	admin.destroyToken(t, token.Token)
	begin := time.Now()
	eventually(t, "who is on the good node is cut off", func() bool { return fine.kicked.Load() })
	say(t, "evicted from the good node after %v", since(begin))
	eventually(t, "the good node is reconciled", func() bool { return s.record(t)[stranger].open == 1 })
	say(t, "and reconciled after %v", since(begin))
	second := &visit{id: "second", scene: "publish", room: holder.room, query: holder.query}
	if got := c.callOf(t, "on_publish", "", second); got == yes || got == silence {
		t.Errorf("a second publisher: %s", got)
	}
	for name, a := range apis {
		eventually(t, name+" was asked again and again", func() bool { return a.asked.Load() >= 9 })
		say(t, "%s was asked %d times and sent %d MB", name, a.asked.Load(), a.sent.Load()>>20)
		eventually(t, name+" is known to be unreachable", func() bool {
			return good[*api.GetNodeResponse](t)(admin.GetNodeWithResponse(t.Context(), name+"-srs")).JSON200.Health.State == "unreachable"
		})
	}
	c.recovers(t)
	most := 256 << 20
	if raceEnabled { // which keeps several bytes for each of ours
		most = 1 << 30
	}
	if grown := s.memory(t) - before; grown > most {
		t.Errorf("the process grew by %d MB", grown>>20)
	} else {
		say(t, "the process grew by %d MB", grown>>20)
	}
}

// memory is the most that the process has had in memory so far, in bytes; zero
// where nobody tells.
func (s *server) memory(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.proc.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(firstMatch(string(text), `(?m)^VmHWM:\s+(\d+) kB`))
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}
