package reconcile_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/ledger"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/node"
	"github.com/stagedoor-live/stagedoor/internal/reconcile"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

func TestASessionThatItsNodeDoesNotHaveEndsAndItsRoomLeavesTheAir(t *testing.T) {
	t.Parallel()
	b := setup(t, access.OpenByDefault)
	s, r := b.srsNode(t, "edge"), b.room(t)
	ghost, there := s.event(media.Publishing, "ghost", r.ID), s.event(media.Playing, "there", r.ID)
	b.allow(t, ghost, there)
	s.lists(later, there)
	b.once(t, s)
	b.wantOpen(t, "ghost there") // both have only just come
	b.wantStatus(t, r.ID, room.On)
	b.clock.advance(later)
	b.once(t, s)
	b.wantOpen(t, "there")
	b.wantEnd(t, "ghost", ledger.GoneFromNode)
	b.wantStatus(t, r.ID, room.Prepare)
	b.wantHealth(t, s, "up vid-1/p1 0/1 ")
	if b.repaired(reconcile.Ended) != 1 || b.repaired(reconcile.Learned) != 0 {
		t.Errorf("repairs %v", b.repairs)
	}
}

func TestAMissedPublisherIsLearnedAndItsRoomGoesOnAir(t *testing.T) {
	t.Parallel()
	b := setup(t, access.OpenByDefault)
	s, r := b.srsNode(t, "edge"), b.room(t)
	missed := s.event(media.Publishing, "missed", r.ID)
	s.lists(later, missed)
	b.once(t, s)
	b.wantOpen(t, "missed")
	b.wantStatus(t, r.ID, room.On)
	b.once(t, s)
	if n := b.repaired(reconcile.Learned); n != 1 {
		t.Errorf("learned %d times", n)
	}
	if got := b.text(t, "SELECT bytes_in || ' ' || address || ' ' || server_id FROM sessions"); got != "1000 192.0.2.7 vid-1/p1" {
		t.Errorf("session %q", got)
	}
	b.allow(t, s.event(media.Unpublished, "missed", r.ID)) // its callbacks find it
	b.wantOpen(t, "")
	b.wantStatus(t, r.ID, room.Prepare)
}

func TestWhoShouldNotBeThereIsOnRecordAndEvicted(t *testing.T) {
	t.Parallel()
	b := setup(t, access.OpenByDefault)
	s, r := b.srsNode(t, "edge"), b.room(t)
	if _, err := b.rooms.Stop(t.Context(), "alice", r.ID); err != nil {
		t.Fatal(err)
	}
	if err := b.access.Reload(t.Context(), b.pool); err != nil {
		t.Fatal(err)
	}
	first, second := s.event(media.Publishing, "first", "x"), s.event(media.Publishing, "second", "x")
	b.allow(t, first)
	s.lists(later, first, second, s.event(media.Publishing, "late", r.ID))
	for range 2 {
		b.once(t, s)
		b.wantOpen(t, "first late!room_ended second!already_publishing")
	}
	if got := b.text(t, `SELECT string_agg(s.client_id || ' ' || e.reason, ', ' ORDER BY s.client_id) FROM evictions e JOIN sessions s ON s.id = e.session_id`); got != "late room_ended, second already_publishing" {
		t.Errorf("evictions: %s", got)
	}
	if n := b.repaired(reconcile.Refused); n != 2 {
		t.Errorf("refused %d", n)
	}
	// Who was refused keeps nobody from publishing.
	b.allow(t, s.event(media.Unpublished, "first", "x"), s.event(media.Publishing, "third", "x"))
	streams, err := b.ledger.Streams(t.Context())
	if err != nil || len(streams) != 1 || streams[0].Publisher.ClientID != "third" {
		t.Errorf("on air: %+v, %v", streams, err)
	}
	// And is off record once its node says so.
	s.lists(later, s.event(media.Publishing, "third", "x"))
	b.clock.advance(later)
	b.once(t, s)
	b.wantOpen(t, "third")
}

func TestAClientWhoseCredentialNobodyKnowsIsOnRecordOnTrust(t *testing.T) {
	t.Parallel()
	b := setup(t, access.DenyByDefault)
	s := b.srsNode(t, "edge")
	s.lists(later, s.event(media.Publishing, "old", "x"))
	b.once(t, s)
	b.wantOpen(t, "old")
	if got := b.text(t, "SELECT credential_kind FROM sessions"); got != string(access.Unproven) {
		t.Errorf("admitted by %q", got)
	}
}

func TestAClientThatWasNotAskedThoughItsDoorAsksIsEvicted(t *testing.T) {
	t.Parallel()
	b := setup(t, access.DenyByDefault)
	s := b.srsNode(t, "edge")
	mine := s.event(media.Publishing, "mine", "mine")
	mine.Query = "token=" + b.token(t, "mine")
	b.allow(t, mine)
	b.clock.advance(time.Hour)
	s.lists(later, mine, s.event(media.Publishing, "intruder", "x"), s.event(media.Playing, "viewer", "x"))
	b.once(t, s)
	b.wantOpen(t, "intruder!no_credential mine viewer")
}

func TestAnEndThatWasWrongIsPutRightWithTheSameCredential(t *testing.T) {
	t.Parallel()
	b := setup(t, access.DenyByDefault)
	s := b.srsNode(t, "edge")
	mine := s.event(media.Publishing, "mine", "mine")
	mine.Query = "token=" + b.token(t, "mine")
	b.allow(t, mine, s.event(media.Unpublished, "mine", "mine"))
	s.lists(time.Second, mine)
	b.once(t, s)
	b.wantOpen(t, "") // the list may be a little old
	b.clock.advance(later)
	s.lists(later, mine)
	b.once(t, s)
	b.wantOpen(t, "mine")
	if got := b.text(t, "SELECT credential_kind || ' ' || subject FROM sessions WHERE ended_at IS NULL"); got != "live_token alice" {
		t.Errorf("admitted by %q", got)
	}
}

func TestANodeThatDoesNotAnswerKeepsItsSessionsUntilTheLeaseIsOver(t *testing.T) {
	t.Parallel()
	b := setup(t, access.OpenByDefault)
	s := b.srsNode(t, "edge")
	p := s.event(media.Publishing, "p", "x")
	b.allow(t, p)
	s.lists(later, p)
	b.clock.advance(2 * lease)
	b.once(t, s)
	for said, answer := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"its control API fails (502): what does its own log say?": func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusBadGateway); return true },
		"it does not answer as its control API should: are kind and control URL right? The log says more": func(w http.ResponseWriter, _ *http.Request) bool {
			_, _ = w.Write([]byte(`{"code":1}`))
			return true
		},
		"it refuses us (401): are username and password those of its control API, and may our address ask?": func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusUnauthorized); return true },
	} {
		s.answers(answer)
		b.clock.advance(later)
		b.once(t, s)
		b.wantOpen(t, "p")
		b.wantHealth(t, s, "unreachable vid-1/p1 1/1 "+said)
	}
	b.clock.advance(lease - 10*time.Minute)
	b.once(t, s)
	b.wantOpen(t, "p")
	b.clock.advance(10 * time.Minute)
	b.once(t, s)
	b.wantOpen(t, "")
	b.wantEnd(t, "p", ledger.LeaseExpired)
	// It was there all along: then it is learned again.
	s.answers(nil)
	s.lists(2*lease, p)
	b.clock.advance(later)
	b.once(t, s)
	b.wantOpen(t, "p")
	b.wantHealth(t, s, "up vid-1/p1 1/1 ")
}

func TestANodeThatDoesNotAnswerIsLoggedOnceAndWhenItAnswersAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, access.OpenByDefault)
	s := b.srsNode(t, "edge")
	var log strings.Builder
	b.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	answer := func(status int) {
		s.answers(func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(status)
			return status != http.StatusOK
		})
		b.clock.advance(later)
		b.once(t, s)
	}
	for range 2 {
		answer(http.StatusOK)
	}
	if log.Len() != 0 {
		t.Fatalf("of a node that is well: %s", &log)
	}
	for range 3 {
		answer(http.StatusBadGateway)
	}
	answer(http.StatusUnauthorized) // another trouble
	answer(http.StatusBadGateway)
	b.Reconciler = reconcile.New(b.Config) // another process takes over
	answer(http.StatusBadGateway)
	for range 2 {
		answer(http.StatusOK)
	}
	var lines []string
	for line := range strings.Lines(log.String()) {
		_, text, _ := strings.Cut(strings.TrimSpace(line), "level=")
		lines = append(lines, regexp.MustCompile(` (since|error)=("[^"]*"|\S*)`).ReplaceAllString(text, ""))
	}
	want := []string{
		`WARN msg="node does not answer" node=edge trouble="its control API fails (502): what does its own log say?"`,
		`WARN msg="node does not answer" node=edge trouble="it refuses us (401): are username and password those of its control API, and may our address ask?"`,
		`WARN msg="node does not answer" node=edge trouble="its control API fails (502): what does its own log say?"`,
		`INFO msg="node answers again" node=edge away=6m0s`,
	}
	if !slices.Equal(lines, want) {
		t.Errorf("logged\n%s", &log)
	}
}

func TestARestartedServerIsEmpty(t *testing.T) {
	t.Parallel()
	b := setup(t, access.OpenByDefault)
	s, r := b.srsNode(t, "edge"), b.room(t)
	b.allow(t, s.event(media.Publishing, "p", r.ID), s.event(media.Playing, "v", r.ID))
	b.clock.advance(later)
	s.restart()
	b.once(t, s)
	b.wantOpen(t, "")
	b.wantEnd(t, "p", ledger.ServerRestarted)
	b.wantEnd(t, "v", ledger.ServerRestarted)
	b.wantStatus(t, r.ID, room.Prepare)
	b.wantHealth(t, s, "up vid-1/p1x 0/0 ")
}

func TestSessionsOfADeletedNodeEnd(t *testing.T) {
	t.Parallel()
	b := setup(t, access.OpenByDefault)
	s, kept := b.srsNode(t, "edge"), b.srsNode(t, "kept")
	b.allow(t, s.event(media.Publishing, "p", "x"), kept.event(media.Publishing, "q", "y"))
	if err := b.nodes.Delete(t.Context(), "edge"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"p q", "q"} {
		if err := b.EndOrphans(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.wantOpen(t, want)
		b.clock.advance(later)
	}
	b.wantEnd(t, "p", ledger.NodeDeleted)
	// A visit that was under way leaves nothing behind.
	b.once(t, s)
	if got := b.text(t, "SELECT count(*)::text FROM node_health WHERE node = 'edge'"); got != "0" {
		t.Errorf("%s rows of a deleted node", got)
	}
}

func TestSessionsOfANodeThatCannotBeAskedHaveALease(t *testing.T) {
	t.Parallel()
	b := setup(t, access.OpenByDefault)
	b.configure(t, "blind", node.Settings{Kind: node.KindAny})
	b.configure(t, "pageless", node.Settings{Kind: node.KindNginxRTMP})
	for _, name := range []string{"blind", "pageless"} {
		s := &server{service: "p1"}
		s.node, _ = b.nodes.Get(name)
		b.allow(t, s.event(media.Publishing, name, name))
		b.clock.advance(lease - time.Hour)
		b.once(t, s)
		b.wantOpen(t, name)
		b.wantHealth(t, s, "unknown  0/0 ")
		b.clock.advance(2 * time.Hour)
		b.once(t, s)
		b.wantOpen(t, "")
		b.wantEnd(t, name, ledger.LeaseExpired)
	}
}

func TestCapturedListsAreUnderstood(t *testing.T) {
	t.Parallel()
	for kind, c := range map[string]struct{ file, open, server string }{
		node.KindSRS:       {"srs-clients.json", "", "vid-7272250/zh4a6x53"},
		node.KindNginxRTMP: {"nginx-rtmp-stat.xml", "", "25112"},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := setup(t, access.OpenByDefault)
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				http.ServeFile(w, r, filepath.Join("testdata", c.file))
			}))
			defer web.Close()
			if _, err := os.Stat(filepath.Join("testdata", c.file)); err != nil {
				t.Fatal(err)
			}
			b.configure(t, "edge", node.Settings{Kind: kind, ControlURL: web.URL + "/stat"})
			n, _ := b.nodes.Get("edge")
			for range 2 { // who has only just come is learned later
				if err := b.Once(t.Context(), n); err != nil {
					t.Fatal(err)
				}
				b.clock.advance(later)
			}
			if got := b.text(t, "SELECT server_id || ' ' || streams || '/' || clients FROM node_health"); got != c.server+map[string]string{node.KindSRS: " 1/4", node.KindNginxRTMP: " 1/2"}[kind] {
				t.Errorf("health %q", got)
			}
			publisher := map[string]string{node.KindSRS: "kb3908d5", node.KindNginxRTMP: "1"}[kind]
			if got := b.text(t, "SELECT client_id FROM sessions WHERE scene = 'publish' AND ended_at IS NULL"); got != publisher {
				t.Errorf("publisher %q", got)
			}
		})
	}
}

func TestAHangingNodeDelaysNoOther(t *testing.T) {
	t.Parallel()
	b := setupOn(t, dbtest.Pool(t), access.OpenByDefault, always{}, 50*time.Millisecond)
	hanging, s := b.srsNode(t, "a-hanging"), b.srsNode(t, "edge")
	release := make(chan struct{})
	defer close(release)
	hanging.answers(func(http.ResponseWriter, *http.Request) bool { <-release; return true })
	b.allow(t, s.event(media.Publishing, "p", "x"), hanging.event(media.Publishing, "h", "y"))
	b.clock.advance(later)
	start(t, b.Run)
	eventually(t, "the ghost of the other node ends", func() bool { return b.repaired(reconcile.Ended) == 1 })
	b.wantOpen(t, "h")
}

func TestAnotherProcessTakesOverANodeFromOneThatDied(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	firstLeader, firstPool, kill := leads(t, url)
	secondLeader, secondPool, _ := leads(t, url)
	first := setupOn(t, firstPool, access.OpenByDefault, firstLeader, 50*time.Millisecond)
	s := first.srsNode(t, "edge")
	start(t, first.Run)
	eventually(t, "the first leads", func() bool { return firstLeader.Hold(t.Context(), "reconcile edge") })
	second := setupOn(t, secondPool, access.OpenByDefault, secondLeader, 50*time.Millisecond)
	if err := second.nodes.Reload(t.Context(), secondPool); err != nil {
		t.Fatal(err)
	}
	start(t, second.Run)
	ghost := func(id string) {
		first.allow(t, s.event(media.Publishing, id, id))
		first.clock.advance(later)
		second.clock.advance(later)
	}
	ghost("one")
	eventually(t, "the first repairs", func() bool { return first.repaired(reconcile.Ended) == 1 })
	if second.repaired(reconcile.Ended) != 0 {
		t.Error("two processes look after one node")
	}
	kill()
	ghost("two")
	eventually(t, "the second repairs", func() bool { return second.repaired(reconcile.Ended) == 1 })
	first.wantOpen(t, "")
}

func TestNothingIsRepairedByWhoDoesNotLead(t *testing.T) {
	t.Parallel()
	b := setupOn(t, dbtest.Pool(t), access.OpenByDefault, never{asked: make(chan string, 1000)}, 20*time.Millisecond)
	s := b.srsNode(t, "edge")
	b.allow(t, s.event(media.Publishing, "p", "x"))
	b.clock.advance(later)
	start(t, b.Run)
	eventually(t, "asked for the lead often", func() bool { return len(b.Leader.(never).asked) > 10 })
	b.wantOpen(t, "p")
}

type never struct{ asked chan string }

func (n never) Hold(_ context.Context, name string) bool {
	select {
	case n.asked <- name:
	default:
	}
	return false
}
