package ledger

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/node"
	"github.com/stagedoor-live/stagedoor/internal/room"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// willing is a media server that can be told to cut clients off.
type willing struct{}

func (willing) Kick(context.Context, media.Node, media.Client) (bool, error) { return true, nil }

// withKicks makes SRS and nginx-rtmp able to cut clients off.
func withKicks(b *bench) {
	b.Controls = media.Controls{node.KindSRS: {Kicker: willing{}}, node.KindNginxRTMP: {Kicker: willing{}}}
}

// stage is a ledger behind a rule for publishing with two keys, which are two
// identities.
type stage struct {
	*bench
	keys []urlsign.Key
}

const alice, bob = 0, 1

func onStage(t testing.TB, takeover access.Takeover, options ...option) *stage {
	t.Helper()
	s := &stage{bench: setup(t, append([]option{withKicks, closedDoor}, options...)...)}
	secrets := []string{"the-secret-of-alice", "the-secret-of-bob"}
	r, err := s.access.CreateRule(t.Context(), access.NewRule{Scene: media.Publish, Secret: secrets[alice], Takeover: takeover})
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.access.AddKey(t.Context(), r.ID, secrets[bob], false)
	if err != nil {
		t.Fatal(err)
	}
	s.keys = []urlsign.Key{{ID: r.Keys[0].ID, Secret: []byte(secrets[alice])}, {ID: second.ID, Secret: []byte(secrets[bob])}}
	return s
}

// as is the start of a connection with a credential.
func (s *stage) as(who int, c client) media.Event {
	e := c.publish()
	scheme, _ := urlsign.Lookup("stagedoor")
	e.Query = string(scheme.AppendQuery(nil, urlsign.Target{Scene: urlsign.Publish, App: c.stream.App, Stream: c.stream.Name}, s.keys[who],
		urlsign.SignOptions{Expires: s.clock.advance(0).Add(24 * time.Hour)}))
	return e
}

// wantOnRecord checks who publishes, who is there only until it is cut off, and
// that the eviction of the latter is asked for.
func (s *stage) wantOnRecord(t *testing.T, publisher client, replaced ...client) {
	t.Helper()
	var live string
	lost, evicted := map[string]bool{}, s.count(t, "SELECT count(*) FROM evictions e JOIN sessions s ON s.id = e.session_id WHERE s.ended_at IS NULL AND e.reason = 'replaced'")
	for _, o := range s.open(t) {
		switch o.Refused {
		case "":
			live += o.ClientID
		case Replaced:
			lost[o.ClientID] = true
		default:
			t.Errorf("session %+v", o)
		}
	}
	if live != publisher.id || len(lost) != len(replaced) || evicted != len(replaced) {
		t.Errorf("on air is %q, want %q; replaced are %v, want %d; %d evictions", live, publisher.id, lost, len(replaced), evicted)
	}
	for _, c := range replaced {
		if !lost[c.id] {
			t.Errorf("%s is not on record as replaced", c.id)
		}
	}
}

func TestReplacePutsTheNewcomerInThePlaceOfWhoeverPublishes(t *testing.T) {
	t.Parallel()
	for server, connect := range servers {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			s := onStage(t, access.Takeover{Policy: access.TakeoverReplace})
			r := s.room(t, room.ModePlain)
			first, second := connect(stream(r.ID)), connect(stream(r.ID))
			s.allow(t, s.as(alice, first))
			s.allow(t, s.as(bob, second))
			s.wantOnRecord(t, second, first)
			s.wantStatus(t, r.ID, room.On)
			// What the old one still says ends nothing but itself.
			s.allow(t, first.recorded("rec/x.flv", "/var"), first.unpublish(), first.close(), first.unpublish())
			s.wantOnRecord(t, second)
			s.wantStatus(t, r.ID, room.On)
			if n := s.count(t, "SELECT count(*) FROM recordings"); n != 1 {
				t.Errorf("%d recordings of who was on air until then", n)
			}
			past, total, err := s.Closed(t.Context(), ClosedFilter{Limit: 10})
			if err != nil || total != 1 || past[0].ClientID != first.id {
				t.Errorf("the history has %+v, %v", past, err)
			}
			s.allow(t, second.unpublish())
			s.wantStatus(t, r.ID, room.Prepare)
		})
	}
}

// SRS lets its hook admit a second publisher and then refuses it as busy, with
// on_close and no on_unpublish: its encoder succeeds when it comes again.
func TestANewcomerThatItsServerRefusesSucceedsWhenItComesAgain(t *testing.T) {
	t.Parallel()
	s := onStage(t, access.Takeover{Policy: access.TakeoverReplace})
	r := s.room(t, room.ModePlain)
	old, refused, again := onSRS(stream(r.ID)), onSRS(stream(r.ID)), onSRS(stream(r.ID))
	s.allow(t, s.as(alice, old))
	s.allow(t, s.as(alice, refused))
	s.allow(t, refused.close())
	s.allow(t, old.unpublish(), old.close()) // it was cut off
	s.wantStatus(t, r.ID, room.Prepare)
	s.allow(t, s.as(alice, again))
	s.wantOnRecord(t, again)
	s.wantStatus(t, r.ID, room.On)
}

func TestRejectIsWhatHappensByDefault(t *testing.T) {
	t.Parallel()
	s := onStage(t, access.Takeover{})
	first := onSRS(stream("s"))
	s.allow(t, s.as(alice, first))
	s.refuse(t, s.as(alice, onSRS(stream("s"))), media.AlreadyPublishing)
	s.wantOnRecord(t, first)
}

func TestResumeIsForTheSameIdentityWithinTheWindow(t *testing.T) {
	t.Parallel()
	s := onStage(t, access.Takeover{Policy: access.TakeoverResume, Window: time.Hour})
	first, second, third := onSRS(stream("s")), onNginx(stream("s")), onSRS(stream("s"))
	s.allow(t, s.as(alice, first))
	s.refuse(t, s.as(bob, onSRS(stream("s"))), media.AlreadyPublishing)
	s.clock.advance(59 * time.Minute)
	s.allow(t, s.as(alice, second)) // on another node, even
	s.wantOnRecord(t, second, first)
	s.clock.advance(59 * time.Minute)
	s.allow(t, s.as(alice, third)) // the window is that of the second now
	s.wantOnRecord(t, third, first, second)
	s.clock.advance(61 * time.Minute)
	s.refuse(t, s.as(alice, onSRS(stream("s"))), media.AlreadyPublishing)
}

func TestTheSamePersonIsOneIdentityWhateverTheToken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind, id, subject string
		credential        access.Credential
		want              bool
	}{
		{"live_token", "7", "alice", access.Credential{Kind: access.ByAccessToken, ID: "j1", Subject: "Alice"}, true},
		{"live_token", "7", "alice", access.Credential{Kind: access.ByLiveToken, ID: "7", Subject: "bob"}, false},
		{"signature", "1/k1", "", access.Credential{Kind: access.BySignature, ID: "1/k1"}, true},
		{"signature", "1/k1", "", access.Credential{Kind: access.BySignature, ID: "1/k2"}, false},
		{"signature", "1/k1", "", access.Credential{Kind: access.ByLiveToken, ID: "1/k1", Subject: "alice"}, false},
		{"policy", "", "", access.Credential{Kind: access.ByPolicy}, false},
	} {
		s := db.OpenSession{CredentialKind: c.kind, CredentialID: c.id, Subject: c.subject}
		if sameIdentity(s, c.credential) != c.want {
			t.Errorf("%+v and %+v are the same: %v", s, c.credential, !c.want)
		}
	}
}

// Two encoders with one key that take the stream from each other must come to
// rest.
func TestFlappingPublishersComeToRest(t *testing.T) {
	t.Parallel()
	s := onStage(t, access.Takeover{Policy: access.TakeoverReplace})
	holder := onSRS(stream("s"))
	s.allow(t, s.as(alice, holder))
	for i := range maxTakeovers {
		holder = onSRS(stream("s"))
		s.allow(t, s.as(i%2, holder))
	}
	for range 5 {
		s.refuse(t, s.as(bob, onSRS(stream("s"))), media.AlreadyPublishing)
		s.clock.advance(time.Second)
	}
	if open := s.rows(t, "SELECT * FROM sessions WHERE ended_at IS NULL AND refused = ''"); len(open) != 1 || open[0].ClientID != holder.id {
		t.Errorf("on air is %+v", open)
	}
	other := onSRS(stream("t"))
	s.allow(t, s.as(alice, onSRS(stream("t"))), s.as(bob, other)) // another stream is another matter
	s.clock.advance(takeoverWindow)
	s.allow(t, s.as(bob, onSRS(stream("s"))))
}

// A callback that comes twice, or late, takes nothing back.
func TestWhoLostTheStreamDoesNotTakeItBackByTheSameConnection(t *testing.T) {
	t.Parallel()
	for server, connect := range servers {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			s := onStage(t, access.Takeover{Policy: access.TakeoverReplace})
			first, second := connect(stream("s")), connect(stream("s"))
			s.allow(t, s.as(alice, first))
			s.allow(t, s.as(alice, second))
			s.refuse(t, s.as(alice, first), media.AlreadyPublishing)
			s.wantOnRecord(t, second, first)
			s.allow(t, first.unpublish())
			s.refuse(t, s.as(alice, first), media.AlreadyPublishing)
			s.wantOnRecord(t, second)
			if v := s.must(t, s.as(alice, second)); v.Reason != media.Duplicate {
				t.Errorf("the second publisher again: %+v", v)
			}
		})
	}
}

// Where the old one cannot be cut off it would go on, whatever we wrote down.
func TestAServerThatCannotCutItsClientsOffKeepsThem(t *testing.T) {
	t.Parallel()
	s := onStage(t, access.Takeover{Policy: access.TakeoverReplace})
	first := onSRS(stream("s")).at(localNode)
	s.allow(t, s.as(alice, first))
	s.refuse(t, s.as(bob, onSRS(stream("s"))), media.AlreadyPublishing)
	s.wantOnRecord(t, first)
}

// What a node lists is there already and takes no place.
func TestAListTakesNothingOver(t *testing.T) {
	t.Parallel()
	s := onStage(t, access.Takeover{Policy: access.TakeoverReplace})
	first := onSRS(stream("s"))
	s.allow(t, s.as(alice, first))
	if v, err := s.Learn(t.Context(), Found{Event: s.as(bob, onSRS(stream("s"))), Told: true}); err != nil || v.Allow || v.Reason != media.AlreadyPublishing {
		t.Errorf("%+v, %v", v, err)
	}
	if live := s.rows(t, "SELECT * FROM sessions WHERE ended_at IS NULL AND refused = ''"); len(live) != 1 || live[0].ClientID != first.id {
		t.Errorf("on air is %+v", live)
	}
}

func TestOfManyWhoTakeOverAtOnceOneIsOnAir(t *testing.T) {
	t.Parallel()
	s := onStage(t, access.Takeover{Policy: access.TakeoverReplace})
	s.allow(t, s.as(alice, onSRS(stream("s"))))
	const many = 30
	answers := make(chan bool, many)
	for i := range many {
		e := s.as(i%2, onSRS(stream("s")))
		go func() {
			v, err := s.Handle(t.Context(), e)
			answers <- err == nil && v.Allow
		}()
	}
	admitted := 0
	for range many {
		if <-answers {
			admitted++
		}
	}
	live := s.count(t, "SELECT count(*) FROM sessions WHERE ended_at IS NULL AND refused = ''")
	asked := s.count(t, "SELECT count(*) FROM evictions")
	if admitted != maxTakeovers || live != 1 || asked != maxTakeovers {
		t.Errorf("%d were admitted, %d are on air, %d are to be cut off", admitted, live, asked)
	}
}

// Starts wait for their answers, so their order is that of their servers; ends
// and repetitions come whenever they like. The outcome is that of the starts.
func TestTakeoversEndTheSameInAnyOrder(t *testing.T) {
	t.Parallel()
	s := onStage(t, access.Takeover{Policy: access.TakeoverReplace})
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for stage := range 8 { // they share commits
		t.Run(fmt.Sprint(stage), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(seed, uint64(stage)))
			for n := range 25 {
				s.playTakeover(t, rnd, s.room(t, room.ModePlain), n)
			}
		})
	}
}

// playTakeover has up to three connections publish one stream one after the
// other, and their ends and repetitions come in any order after their starts.
func (s *stage) playTakeover(t *testing.T, rnd *rand.Rand, r room.Room, n int) {
	t.Helper()
	connect := onSRS
	if n%2 == 1 {
		connect = onNginx
	}
	var events []media.Event
	told := ""
	for i := range 2 + rnd.IntN(2) {
		c := connect(stream(r.ID))
		start := s.as(rnd.IntN(2), c)
		at := len(events)
		if i == 0 {
			at = 0
		}
		events = append(events, start)
		for _, e := range []media.Event{start, c.unpublish(), c.close()} {
			if rnd.IntN(2) == 0 { // else it is lost
				events = slices.Insert(events, at+1+rnd.IntN(len(events)-at), e)
			}
		}
	}
	started, ended := map[string]bool{}, map[string]bool{}
	owner := ""
	for _, e := range events {
		v := s.must(t, e)
		told += fmt.Sprintf(" %s(%s)=%s", e.Action, e.ClientID, v.Reason)
		switch {
		case e.Action == media.Publishing && !started[e.ClientID]:
			started[e.ClientID], owner = true, e.ClientID
		case e.Action != media.Publishing && e.ClientID == owner:
			ended[owner] = true
		case e.Action == media.Publishing && ended[e.ClientID] && owner == e.ClientID:
			owner = "" // a start behind its own end: no list is here to tell
		}
	}
	if owner == "" {
		return
	}
	want := room.On
	if ended[owner] {
		want, owner = room.Prepare, ""
	}
	live := ""
	for _, o := range s.rows(t, "SELECT * FROM sessions WHERE ended_at IS NULL AND refused = '' AND stream = $1", r.ID) {
		live += o.ClientID
	}
	if live != owner {
		t.Fatalf("on air is %q, want %q after%s", live, owner, told)
	}
	s.wantStatus(t, r.ID, want)
}

// Who lost the stream and is still to be cut off gets no reason that nobody knows.
func TestWhoIsStillToBeCutOffStaysRefused(t *testing.T) {
	t.Parallel()
	s := onStage(t, access.Takeover{Policy: access.TakeoverReplace})
	first, second := onSRS(stream("s")), onSRS(stream("s"))
	s.allow(t, s.as(alice, first))
	s.allow(t, s.as(alice, second))
	s.allow(t, second.unpublish())
	s.refuse(t, s.as(alice, first), media.AlreadyPublishing)
}
