package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	api "github.com/stagedoor-live/stagedoor/gen/client"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
)

// realServer is a media server that runs beside the program.
type realServer interface {
	at() string                                 // host:port of RTMP
	begin(t *testing.T, base string)            // with callbacks at base
	introduce(t *testing.T, s *server)          // tells the node local how to reach it
	publishes(t *testing.T, stream string) bool // whether it has a publisher of the stream
	clients(t *testing.T) int                   // all that are connected
	kill(t *testing.T)                          // as a crash would
	restart(t *testing.T)
}

func (m *mediaServer) at() string                      { return m.rtmp }
func (m *mediaServer) begin(t *testing.T, base string) { t.Helper(); m.start(t, base) }
func (m *mediaServer) introduce(t *testing.T, s *server) {
	t.Helper()
	s.cli(t, "node", "update", "local", "--kind", "nginx-rtmp", "--control-url", m.statURL())
}
func (m *mediaServer) clients(t *testing.T) int { return strings.Count(m.stat(t), "<client><id>") }
func (m *mediaServer) kill(t *testing.T)        { m.proc.signal(syscall.SIGKILL); m.proc.wait(t) }
func (m *mediaServer) restart(t *testing.T)     { t.Helper(); m.run(t, unprivileged(t)) }

func (m *nodeMediaServer) at() string                      { return m.rtmp }
func (m *nodeMediaServer) begin(t *testing.T, base string) { t.Helper(); m.start(t, base, nil) }
func (m *nodeMediaServer) introduce(t *testing.T, s *server) {
	t.Helper()
	s.cliReading(t, nmsPassword+"\n", "node", "update", "local", "--kind", "node-media-server", "--control-url", "http://"+m.web,
		"--username", nmsUser, "--password")
}
func (m *nodeMediaServer) kill(t *testing.T)    { m.proc.signal(syscall.SIGKILL); m.proc.wait(t) }
func (m *nodeMediaServer) restart(t *testing.T) { t.Helper(); m.run(t) }

// TestRealServersThroughAllTroubles takes one stream on each real media server
// through what happens to streams. Whatever happens, the list of streams says in
// the end what is so.
func TestRealServersThroughAllTroubles(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(t *testing.T) realServer{
		"nginx-rtmp":        func(t *testing.T) realServer { return newMediaServer(t) },
		"Node-Media-Server": func(t *testing.T) realServer { return newNodeMediaServer(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newTrouble(t, begin(t))
			for _, step := range []struct {
				title string
				run   func(*testing.T)
			}{
				{"who has no credential is thrown out", x.strangers},
				{"publish and play", x.goesLive},
				{"a second publisher is thrown out, the first stays", x.secondPublisher},
				{"a kick ends publisher and player, who may come back", x.kicked},
				{"a revocation ends them, and they may not", x.revoked},
				{"kill -9 of the encoder", x.losesEncoder},
				{"kill -9 of the media server, and its restart", x.losesServer},
				{"kill -9 of the program", x.losesUs},
				{"all end in good order", x.ends},
			} {
				if !t.Run(step.title, step.run) {
					t.FailNow()
				}
			}
		})
	}
}

// trouble is what the steps share.
type trouble struct {
	*server
	whole   *testing.T // for what lives longer than a step
	media   realServer
	db      *pgxpool.Pool
	admin   account
	machine machine
	token   api.LiveToken
	encoder *client
	player  *client
}

const troubled = "stage" // the stream

func newTrouble(t *testing.T, m realServer) *trouble {
	t.Helper()
	url := dbtest.URL(t)
	db, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	x := &trouble{whole: t, media: m, db: db}
	x.server = newServer(t, map[string]string{"PUSH_DOMAIN": m.at(), "DATABASE_URL": url, "RECONCILE_PERIOD": "1s"})
	m.begin(t, x.url)
	m.introduce(t, x.server)
	x.admin, x.machine = x.logIn(t), x.server.machine(t)
	x.token = x.admin.createToken(t, troubled)
	return x
}

func (x *trouble) address(token string) string {
	return "rtmp://" + x.media.at() + "/live/" + troubled + "?token=" + token
}

func (x *trouble) publish() *client {
	x.whole.Helper()
	return publish(x.whole, x.address(x.token.Token))
}
func (x *trouble) play() *client {
	x.whole.Helper()
	return play(x.whole, x.address(x.token.PlayToken))
}

// listed returns what the list of streams says.
func (x *trouble) listed(t *testing.T) *api.ResponseStream { return x.admin.stream(t, troubled) }

// awaitLive waits until publisher and player are on the air and on record.
func (x *trouble) awaitLive(t *testing.T) {
	t.Helper()
	eventually(t, "the media server and the list have the stream", func() bool {
		return x.media.publishes(t, troubled) && x.listed(t) != nil
	})
}

// awaitNothing waits until nobody is on record any more, as a publisher or as a
// player.
func (x *trouble) awaitNothing(t *testing.T) {
	t.Helper()
	eventually(t, "nobody is on record", func() bool { return x.listed(t) == nil && x.sessions(t) == 0 })
}

// sessions counts who is on record as admitted and there.
func (x *trouble) sessions(t *testing.T) int {
	t.Helper()
	return x.count(t, "SELECT count(*) FROM sessions WHERE ended_at IS NULL AND refused = ''")
}

func (x *trouble) count(t *testing.T, query string) (n int) {
	t.Helper()
	if err := x.db.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func (x *trouble) strangers(t *testing.T) {
	for _, c := range []*client{publish(t, withoutQuery(x.address(""))), play(t, x.address("nobody"))} {
		c.wait(t)
	}
	x.awaitNothing(t)
}

func (x *trouble) goesLive(t *testing.T) {
	began := time.Now()
	x.encoder = x.publish()
	x.awaitLive(t)
	x.player = x.play()
	x.player.watch(t, 2)
	eventually(t, "both are on record", func() bool { return x.sessions(t) == 2 })
	say(t, "publisher and player are there after %v", since(began))
}

func (x *trouble) secondPublisher(t *testing.T) {
	x.publish().wait(t)
	if x.encoder.ended() || x.listed(t) == nil {
		t.Error("the first publisher is gone")
	}
	eventually(t, "two are on record", func() bool { return x.sessions(t) == 2 })
}

func (x *trouble) kicked(t *testing.T) {
	began := time.Now()
	x.machine.call(t, "KillStream", `{"Domain":"localhost","App":"live","Stream":"`+troubled+`"}`, nil)
	x.encoder.wait(t)
	x.player.wait(t)
	say(t, "both are cut off after %v", since(began))
	x.awaitNothing(t)
	say(t, "and off the record after %v", since(began))
	x.goesLive(t)
}

func (x *trouble) revoked(t *testing.T) {
	began := time.Now()
	x.admin.destroyToken(t, x.token.Token)
	x.encoder.wait(t)
	x.player.wait(t)
	say(t, "both are cut off after %v", since(began))
	x.awaitNothing(t)
	x.publish().wait(t)
	x.play().wait(t)
	if n := x.decisions(t, "publish", "deny", "token_revoked"); n == 0 {
		t.Error("the publisher that came back was not refused")
	}
	x.awaitNothing(t)
	x.token = x.admin.createToken(t, troubled)
	x.goesLive(t)
}

func (x *trouble) losesEncoder(t *testing.T) {
	began := time.Now()
	x.encoder.signal(syscall.SIGKILL)
	eventually(t, "the stream is off the list", func() bool { return x.listed(t) == nil })
	say(t, "the stream is off the list after %v", since(began))
	x.player.drop(t)
	x.awaitNothing(t)
	x.goesLive(t)
}

func (x *trouble) losesServer(t *testing.T) {
	x.media.kill(t)
	x.encoder.wait(t)
	x.player.wait(t)
	began := time.Now()
	x.media.restart(x.whole)
	x.awaitNothing(t)
	say(t, "nobody is on record %v after the restart", since(began))
	x.goesLive(t)
}

// losesUs is about what happens while nobody is there to ask or to tell.
func (x *trouble) losesUs(t *testing.T) {
	x.server.kill(t)
	x.player.drop(t)
	x.server.start(x.whole)
	began := time.Now()
	eventually(t, "the player that left meanwhile is off the record", func() bool { return x.sessions(t) == 1 })
	say(t, "the player that left meanwhile is off the record after %v", since(began))
	if x.listed(t) == nil || x.encoder.ended() {
		t.Error("the publisher is gone")
	}
	x.player = x.play()
	x.player.watch(t, 2)
}

func (x *trouble) ends(t *testing.T) {
	x.player.drop(t)
	x.encoder.quit(t)
	x.awaitNothing(t)
	eventually(t, "nobody is connected", func() bool { return x.media.clients(t) == 0 })
	eventually(t, "nobody is on record, refused or not", func() bool { return x.count(t, "SELECT count(*) FROM sessions WHERE ended_at IS NULL") == 0 })
}
