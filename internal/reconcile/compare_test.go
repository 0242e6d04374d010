package reconcile

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/ledger"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func named(name string) media.Stream {
	return media.Stream{Vhost: media.DefaultVhost, App: "live", Name: name}
}

// on is a session that began some time before noon.
func on(id int64, client string, scene media.Scene, ago time.Duration) ledger.Session {
	return ledger.Session{ID: id, Node: "n", ClientID: client, Scene: scene, Stream: named("x"), Protocol: "rtmp", StartedAt: noon.Add(-ago),
		Credential: access.BySignature}
}

// lists is a client on a list that connected some time before noon.
func lists(client string, scene media.Scene, ago time.Duration) media.LiveClient {
	return media.LiveClient{Client: media.Client{ID: client, Stream: named("x"), Protocol: "rtmp"}, Scene: scene, Uptime: ago}
}

func whole(clients ...media.LiveClient) media.Census {
	return media.Census{Publishers: true, Players: true, Clients: clients}
}

func TestWhoIsNotOnTheListIsGone(t *testing.T) {
	t.Parallel()
	of := func(server string) ledger.Session {
		s := on(1, "a", media.Publish, time.Hour)
		s.ServerID = server
		return s
	}
	process := func(server string, clients ...media.LiveClient) media.Census {
		c := whole(clients...)
		c.ServerID = server
		return c
	}
	seen := func(ago time.Duration) ledger.Session {
		s := on(1, "a", media.Publish, time.Hour)
		s.SeenAt = noon.Add(-ago)
		return s
	}
	worker := func(age time.Duration, clients ...media.LiveClient) media.Census {
		c := whole(clients...)
		c.Process, c.Age = "7", age
		return c
	}
	renumbered := lists("a", media.Publish, time.Minute)
	renumbered.Serial = 1
	elsewhere := lists("a", media.Publish, time.Hour)
	elsewhere.ServerID = "s/2"
	blank := lists("a", media.Publish, time.Hour)
	blank.Stream.Name = ""
	relay := lists("a", media.Publish, time.Hour)
	relay.Relay = true
	other := lists("a", media.Publish, time.Hour)
	other.Stream = named("y")
	for name, c := range map[string]struct {
		session ledger.Session
		census  media.Census
		want    string
	}{
		"listed":                                {of(""), whole(lists("a", media.Publish, time.Hour)), ""},
		"not listed":                            {of(""), whole(), ledger.GoneFromNode},
		"another client":                        {of(""), whole(lists("b", media.Publish, time.Hour)), ledger.GoneFromNode},
		"listed as a player":                    {of(""), whole(lists("a", media.Play, time.Hour)), ledger.GoneFromNode},
		"listed on another stream":              {of(""), whole(other), ledger.GoneFromNode},
		"listed without its name":               {of(""), whole(blank), ""},
		"a relay with its number":               {of(""), whole(relay), ledger.GoneFromNode},
		"just arrived":                          {on(1, "a", media.Publish, grace-1), whole(), ""},
		"arrived a moment ago":                  {on(1, "a", media.Publish, grace), whole(), ledger.GoneFromNode},
		"same process":                          {of("s/1"), process("s/1", lists("a", media.Publish, time.Hour)), ""},
		"process unknown to the list":           {of("s/1"), process("", lists("a", media.Publish, time.Hour)), ""},
		"process unknown to the ledger":         {of(""), process("s/1", lists("a", media.Publish, time.Hour)), ""},
		"new process":                           {of("s/1"), process("s/2", lists("a", media.Publish, time.Hour)), ledger.ServerRestarted},
		"new process of a deeper name":          {of("s/t/1"), process("s/t/2"), ledger.ServerRestarted},
		"another server":                        {of("s/1"), process("r/2"), ledger.GoneFromNode},
		"another server of a longer name":       {of("s/t/1"), process("s/2"), ledger.GoneFromNode},
		"same client of another process":        {of("s/1"), process("s/1", elsewhere), ledger.GoneFromNode},
		"no list of publishers":                 {of(""), media.Census{Players: true}, ""},
		"no list of publishers, but restarted":  {of("s/1"), media.Census{ServerID: "s/2"}, ledger.ServerRestarted},
		"no list of players":                    {on(1, "a", media.Play, time.Hour), media.Census{Publishers: true}, ""},
		"its number given to another":           {of(""), whole(renumbered), ledger.GoneFromNode},
		"before the worker":                     {of(""), worker(time.Minute), ledger.ServerRestarted},
		"after the worker began":                {of(""), worker(2 * time.Hour), ledger.GoneFromNode},
		"alive in the worker before the reload": {seen(20 * time.Second), worker(time.Minute), ""},
		"no longer alive there":                 {seen(2 * time.Minute), worker(time.Hour / 2), ledger.ServerRestarted},
		"alive only before the reload":          {seen(65 * time.Second), worker(time.Minute), ledger.ServerRestarted},
		"alive a moment ago and not listed":     {seen(time.Second), worker(2 * time.Hour), ledger.GoneFromNode},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := map[string][]int64{}
			if c.want != "" {
				want[c.want] = []int64{1}
			}
			if got := newMemory().compare(noon, []ledger.Session{c.session}, c.census); !reflect.DeepEqual(got.gone, want) {
				t.Errorf("gone %v, want %v", got.gone, want)
			}
		})
	}
}

// OvenMediaEngine lists streams, and who publishes one without an id; it does not
// list players at all. ZLMediaKit lists players, but not those of HLS.
func TestWhatANodeDoesNotTellProvesNothing(t *testing.T) {
	t.Parallel()
	nameless := lists("", media.Publish, time.Hour)
	elsewhere, relay := nameless, nameless
	elsewhere.Stream, relay.Relay = named("y"), true
	hls := on(1, "a", media.Play, time.Hour)
	hls.Protocol = "hls"
	but := whole()
	but.Unlisted = []string{"hls"}
	for name, c := range map[string]struct {
		session ledger.Session
		census  media.Census
		want    string
		untold  int
	}{
		"its stream has a publisher":      {on(1, "a", media.Publish, time.Hour), whole(nameless), "", 0},
		"another stream has one":          {on(1, "a", media.Publish, time.Hour), whole(elsewhere), ledger.GoneFromNode, 0},
		"its stream is fetched":           {on(1, "a", media.Publish, time.Hour), whole(relay), ledger.GoneFromNode, 0},
		"a player of a published stream":  {on(1, "a", media.Play, time.Hour), whole(nameless), ledger.GoneFromNode, 0},
		"a player where none is listed":   {on(1, "a", media.Play, time.Hour), media.Census{Publishers: true}, "", 1},
		"a player whose protocol is not":  {hls, but, "", 1},
		"a player whose protocol is":      {on(1, "a", media.Play, time.Hour), but, ledger.GoneFromNode, 0},
		"a player that only just came in": {on(1, "a", media.Play, grace-1), media.Census{Publishers: true}, "", 0},
	} {
		want := map[string][]int64{}
		if c.want != "" {
			want[c.want] = []int64{1}
		}
		got := newMemory().compare(noon, []ledger.Session{c.session}, c.census)
		if !reflect.DeepEqual(got.gone, want) || len(got.untold) != c.untold || len(got.missed) != 0 && name != "a player of a published stream" {
			t.Errorf("%s: gone %v, untold %v, missed %v", name, got.gone, got.untold, got.missed)
		}
	}
}

func TestWhoIsOnTheListOnlyWasMissed(t *testing.T) {
	t.Parallel()
	change := func(f func(*media.LiveClient)) media.LiveClient {
		c := lists("a", media.Publish, time.Hour)
		f(&c)
		return c
	}
	for name, c := range map[string]struct {
		client media.LiveClient
		missed bool
	}{
		"there for long":      {lists("a", media.Publish, time.Hour), true},
		"there for the grace": {lists("a", media.Play, grace), true},
		"just arrived":        {lists("a", media.Publish, grace-1), false},
		"of unknown age":      {lists("a", media.Publish, 0), false},
		"a relay":             {change(func(c *media.LiveClient) { c.Relay = true }), false},
		"without a scene":     {change(func(c *media.LiveClient) { c.Scene = "" }), false},
		"without a name":      {change(func(c *media.LiveClient) { c.Stream.Name = "" }), false},
		"without an id":       {change(func(c *media.LiveClient) { c.ID = "" }), false},
	} {
		got := newMemory().compare(noon, nil, whole(c.client)).missed
		if (len(got) == 1) != c.missed {
			t.Errorf("%s: missed %+v", name, got)
		}
	}
}

func TestAClientOfUnknownAgeIsMissedOnceItWasSeenForLongEnough(t *testing.T) {
	t.Parallel()
	m, list := newMemory(), whole(lists("a", media.Publish, 0))
	for i, want := range []int{0, 0, 1, 1} {
		if got := m.compare(noon.Add(time.Duration(i)*grace/2), nil, list).missed; len(got) != want {
			t.Errorf("look %d: missed %+v", i, got)
		}
	}
	m.compare(noon.Add(time.Minute), nil, whole())
	if got := m.compare(noon.Add(2*time.Minute), nil, list).missed; len(got) != 0 {
		t.Errorf("came back: missed %+v at once", got)
	}
	m.silent()
	if got := m.compare(noon.Add(3*time.Minute), nil, list).missed; len(got) != 0 {
		t.Errorf("after silence: missed %+v at once", got)
	}
}

func TestWhatIsLearntOfAMissedClient(t *testing.T) {
	t.Parallel()
	live := media.LiveClient{Client: media.Client{ID: "a", Stream: named("x"), Address: "192.0.2.7", Protocol: "srt"}, Scene: media.Play, Serial: 3,
		Query: "token=t", Uptime: time.Hour}
	census := whole(live)
	census.ServerID = "s/1"
	want := []ledger.Found{{Told: true, Began: noon.Add(-time.Hour), Event: media.Event{Action: media.Playing, ServerID: "s/1", ClientID: "a", Serial: 3,
		Stream: named("x"), Address: "192.0.2.7", Protocol: "srt", Query: "token=t"}}}
	if got := newMemory().compare(noon, nil, census).missed; !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	live.Query, live.QueryTold = "", true
	if got := newMemory().compare(noon, nil, whole(live)).missed; !got[0].Told {
		t.Error("an empty query that was told counts as not told")
	}
}

func TestWhoCameThroughADoorThatAskedHadToBringACredential(t *testing.T) {
	t.Parallel()
	admitted := func(change func(*ledger.Session)) []ledger.Session {
		s := on(1, "a", media.Publish, time.Hour)
		change(&s)
		return []ledger.Session{s}
	}
	same := func(*ledger.Session) {}
	for name, c := range map[string]struct {
		open []ledger.Session
		came time.Duration
		told bool
	}{
		"nobody was asked":            {nil, time.Minute, false},
		"somebody was asked before":   {admitted(same), time.Minute, true},
		"somebody was asked later":    {admitted(same), 2 * time.Hour, false},
		"somebody with no credential": {admitted(func(s *ledger.Session) { s.Credential = access.ByPolicy }), time.Minute, false},
		"somebody on trust":           {admitted(func(s *ledger.Session) { s.Credential = access.Unproven }), time.Minute, false},
		"somebody refused":            {admitted(func(s *ledger.Session) { s.Credential = "" }), time.Minute, false},
		"another scene":               {admitted(func(s *ledger.Session) { s.Scene = media.Play }), time.Minute, false},
		"another application":         {admitted(func(s *ledger.Session) { s.Stream.App = "internal" }), time.Minute, false},
		"another protocol":            {admitted(func(s *ledger.Session) { s.Protocol = "srt" }), time.Minute, false},
		"another stream":              {admitted(func(s *ledger.Session) { s.Stream.Name = "y" }), time.Minute, true},
	} {
		got := newMemory().compare(noon, c.open, whole(lists("b", media.Publish, c.came))).missed
		if len(got) != 1 || got[0].Told != c.told {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestBytesOfPublishersAreNotedWhenTheyGrow(t *testing.T) {
	t.Parallel()
	s, player := on(1, "a", media.Publish, time.Hour), on(2, "b", media.Play, time.Hour)
	live, watching := lists("a", media.Publish, time.Hour), lists("b", media.Play, time.Hour)
	live.BytesIn, watching.BytesOut = 500, 500
	got := newMemory().compare(noon, []ledger.Session{s, player}, whole(live, watching))
	if want := []ledger.Carried{{ID: 1, In: 500}}; !reflect.DeepEqual(got.carried, want) || got.publishers != 1 || got.clients != 2 {
		t.Errorf("got %+v", got)
	}
	s.BytesIn = 500
	if got := newMemory().compare(noon, []ledger.Session{s}, whole(live)); got.carried != nil {
		t.Errorf("got %+v", got)
	}
}

func TestSeveralProcessesBehindOneAddressEndNothing(t *testing.T) {
	t.Parallel()
	open := []ledger.Session{on(1, "a", media.Publish, 2*time.Hour)}
	worker := func(pid string, age time.Duration) media.Census {
		c := whole()
		c.Process, c.Age = pid, age
		return c
	}
	looks := func(t *testing.T, want string, censuses ...media.Census) {
		t.Helper()
		m, got := newMemory(), ""
		for i, c := range censuses {
			f := m.compare(noon.Add(time.Duration(i)*grace), open, c)
			got += fmt.Sprint(len(f.gone))
			if (f.warning != "") != (len(f.gone) == 0) {
				t.Errorf("look %d: %+v", i, f)
			}
		}
		if got != want {
			t.Errorf("ended %s, want %s", got, want)
		}
	}
	t.Run("workers of one age", func(t *testing.T) {
		looks(t, "100", worker("7", time.Hour), worker("8", time.Hour), worker("8", time.Hour))
	})
	t.Run("a restart", func(t *testing.T) { looks(t, "11", worker("7", time.Hour), worker("8", time.Second)) })
	t.Run("without ages, by turns", func(t *testing.T) { looks(t, "1100", worker("7", 0), worker("8", 0), worker("7", 0), worker("8", 0)) })
	t.Run("without names", func(t *testing.T) { looks(t, "111", worker("", 0), worker("", 0), worker("", 0)) })
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	m := newMemory()
	for i := range 10_000 {
		s := on(1, "a", media.Publish, time.Hour)
		s.Stream.App = fmt.Sprint(i)
		c := whole(lists(fmt.Sprint(i), media.Publish, 0))
		c.ServerID = fmt.Sprint(i)
		m.compare(noon, []ledger.Session{s}, c)
	}
	if len(m.asks) > maxDoors || len(m.former) > maxFormer || len(m.missing) > 1 {
		t.Errorf("%d doors, %d identities, %d missing", len(m.asks), len(m.former), len(m.missing))
	}
}

func FuzzComparisonOfAnything(f *testing.F) {
	f.Add("s/1", "s/2", "a", int64(5), int64(-5), "x")
	f.Fuzz(func(t *testing.T, then, now, id string, uptime, age int64, name string) {
		s := on(1, id, media.Play, time.Hour)
		s.ServerID = then
		live := lists(id, media.Play, time.Duration(uptime))
		live.Stream.Name = name
		c := whole(live)
		c.ServerID, c.Age = now, time.Duration(age)
		got := newMemory().compare(noon, []ledger.Session{s}, c)
		if len(got.gone) > 1 || len(got.missed) > 1 || restarted(then, then) {
			t.Errorf("%+v", got)
		}
	})
}
