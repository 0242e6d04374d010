package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	api "github.com/stagedoor-live/stagedoor/gen/client"
)

// A crowd are the clients of an SRS on this machine. They come, publish or play,
// and leave; some have no right to come. What each was told is held against the
// record afterwards.
type crowd struct {
	s     *server
	base  string // of s, whose fields belong to the test
	admin account
	name  string
	rooms []api.Room // one for each connection that publishes
	void  string     // a token that is worth nothing any more
	http  *http.Client
	// repeats asks again until somebody could tell, as a proxy between us and the
	// media server may.
	repeats bool
	began   time.Time

	ending  chan struct{}
	workers sync.WaitGroup

	mu     sync.Mutex
	visits []*visit
	counts map[answer]int
	calm   []time.Duration // how long those have waited that were told since somebody could not be
}

// answer is what became of one callback.
type answer string

const (
	notAsked    answer = "not asked"
	yes         answer = "yes"
	no          answer = "no"
	unavailable answer = "unavailable"
	silence     answer = "no answer"
)

// visit is one client.
type visit struct {
	id     string
	scene  string // publish or play
	room   api.Room
	query  string
	forged bool // the query is worth nothing
	start  answer
	end    answer
}

const (
	crowdSize = 16 // connections
	// pace is the pause of each connection between two callbacks.
	pace = 200 * time.Millisecond
	// enough callbacks in a row that somebody could tell are a sign that all goes
	// on as ever, when none of them waited longer than usual.
	enough = 40
	usual  = 5 * time.Second
)

// newCrowd returns when it has come.
func newCrowd(t *testing.T, s *server, admin account, repeats bool) *crowd {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = crowdSize
	t.Cleanup(transport.CloseIdleConnections)
	c := &crowd{s: s, base: s.url, admin: admin, name: path.Base(t.Name()), http: &http.Client{Transport: transport, Timeout: patience}, repeats: repeats,
		began: time.Now(), ending: make(chan struct{}), counts: map[answer]int{}}
	for i := range crowdSize / 4 {
		c.rooms = append(c.rooms, admin.createRoom(t, fmt.Sprint("of connection ", i)))
	}
	token := admin.createToken(t, c.rooms[0].ID)
	admin.destroyToken(t, token.Token)
	c.void = token.PlayToken
	for i := range crowdSize {
		c.workers.Go(func() { c.work(t, i) })
	}
	t.Cleanup(c.stop)
	c.goesOn(t)
	return c
}

// stop ends the callbacks. Whoever is there stays.
func (c *crowd) stop() {
	select {
	case <-c.ending:
	default:
		close(c.ending)
	}
	c.workers.Wait()
}

// work is one connection of the media server, which has one client after the
// other. Those who publish leave before the next one comes, of the others two in
// three do.
func (c *crowd) work(t *testing.T, connection int) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for n := 0; c.turn(tick.C); n++ {
		v := c.newVisit(t, connection, n)
		c.tell(&v.start, c.call(t, "on_"+v.scene, v))
		if v.forged && v.start == yes {
			t.Errorf("%s came in with %s", v.id, v.query)
		}
		if v.start != yes || v.scene == "play" && n%3 == 0 {
			continue
		}
		if !c.turn(tick.C) {
			return
		}
		over := map[string]string{"publish": "on_unpublish", "play": "on_stop"}[v.scene]
		if n%2 == 0 {
			over = "on_close"
		}
		c.tell(&v.end, c.call(t, over, v))
	}
}

func (c *crowd) tell(what *answer, a answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*what = a
}

// rush has many more players come at once, and returns when the first of them is
// told something.
func (c *crowd) rush(t *testing.T, round int) {
	first := make(chan struct{}, 1)
	for i := range 8 * crowdSize {
		c.workers.Go(func() {
			v := c.newVisit(t, crowdSize+i, 12*round) // none of them is forged
			c.tell(&v.start, c.call(t, "on_play", v))
			select {
			case first <- struct{}{}:
			default:
			}
		})
	}
	<-first
}

// unheard counts those who wait for an answer and are on record already.
func (c *crowd) unheard(record map[string]onRecord) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, v := range c.visits {
		if v.start == notAsked && record[v.id].open > 0 || v.start == yes && v.end == notAsked && record[v.id] == (onRecord{1, 0}) {
			n++
		}
	}
	return n
}

func (c *crowd) turn(tick <-chan time.Time) bool {
	select {
	case <-c.ending:
		return false
	case <-tick:
		return true
	}
}

func (c *crowd) newVisit(t *testing.T, connection, n int) *visit {
	v := &visit{id: fmt.Sprintf("%s-%d-%d", c.name, connection, n), scene: "play", room: c.rooms[n%len(c.rooms)], start: notAsked, end: notAsked}
	if connection < len(c.rooms) {
		v.scene, v.room = "publish", c.rooms[connection]
	}
	link := map[string]string{"publish": v.room.PushURLInfo.RTMPURL, "play": v.room.PullURLInfo.RTMPURL}[v.scene]
	v.forged = n%4 == 3
	switch n % 12 {
	case 3:
		link = laterExpiry(link)
	case 7:
		link = withoutQuery(link)
	case 11:
		link = withoutQuery(c.rooms[0].PullURLInfo.RTMPURL) + "?token=" + c.void
		v.scene, v.room = "play", c.rooms[0]
	}
	u, err := url.Parse(link)
	if err != nil {
		t.Error(err)
	}
	v.query = u.RawQuery
	c.mu.Lock()
	defer c.mu.Unlock()
	c.visits = append(c.visits, v)
	return v
}

// serverID is that of the media server that the crowd comes to.
func (c *crowd) serverID() string { return "vid-" + c.name }

// call reports what the door said.
func (c *crowd) call(t *testing.T, action string, v *visit) answer { return c.callOf(t, action, "", v) }

// callOf does so for the node that has a secret, or for the one on this machine.
func (c *crowd) callOf(t *testing.T, action, secret string, v *visit) answer {
	body, err := json.Marshal(map[string]string{"server_id": c.serverID(), "action": action, "client_id": v.id, "ip": "192.0.2.17", "vhost": "__defaultVhost__",
		"app": "live", "stream": v.room.ID, "tcUrl": "rtmp://127.0.0.1/live", "param": "?" + v.query, "stream_url": "/live/" + v.room.ID})
	if err != nil {
		t.Error(err)
	}
	for {
		begin := time.Now()
		a := c.post(t, c.base+"/callback/"+action+"?secret="+secret, body)
		c.note(a, time.Since(begin))
		if a == yes || a == no || !c.repeats || t.Context().Err() != nil {
			return a
		}
		time.Sleep(pace)
	}
}

func (c *crowd) post(t *testing.T, address string, body []byte) answer {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return silence
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return silence
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return silence
	}
	switch {
	case resp.StatusCode == http.StatusOK && string(text) == "0":
		return yes
	case resp.StatusCode == http.StatusForbidden:
		return no
	case resp.StatusCode == http.StatusServiceUnavailable:
		return unavailable
	}
	t.Errorf("%s answered %d %s", address, resp.StatusCode, text)
	return no
}

func (c *crowd) note(a answer, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[a]++
	c.calm = append(c.calm[max(0, len(c.calm)-enough+1):], took)
	if a != yes && a != no {
		c.calm = c.calm[:0]
	}
}

func (c *crowd) told(a answer) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[a]
}

// hears waits until more callbacks were answered so, and goes on with deeds.
func (c *crowd) hears(t *testing.T, a answer, deeds ...func()) {
	t.Helper()
	before := c.told(a)
	eventually(t, "more callbacks are told "+string(a), func() bool {
		for _, deed := range deeds {
			deed()
		}
		return c.told(a) >= before+enough/4
	})
}

// goesOn waits until everything is as ever.
func (c *crowd) goesOn(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	c.calm = c.calm[:0]
	c.mu.Unlock()
	eventually(t, "callbacks are answered as usual", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.calm) == enough && slices.Max(c.calm) < usual
	})
	eventually(t, "ready", func() bool {
		resp, err := c.http.Get(c.base + "/readyz")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// tally tells how much happened.
func (c *crowd) tally() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	total, starts, ends, forged := 0, 0, 0, 0
	for _, n := range c.counts {
		total += n
	}
	for _, v := range c.visits {
		switch {
		case v.forged:
			forged++
		case v.start == yes && v.end == yes:
			starts, ends = starts+1, ends+1
		case v.start == yes:
			starts++
		}
	}
	took := time.Since(c.began)
	return fmt.Sprintf("%d callbacks in %v (%.0f/s): %d yes, %d no, %d unavailable, %d without an answer; %d starts and %d ends acknowledged, %d forged credentials",
		total, took.Round(time.Second/10), float64(total)/took.Seconds(), c.counts[yes], c.counts[no], c.counts[unavailable], c.counts[silence], starts, ends, forged)
}

// settled ends the callbacks and demands that the record comes to agree with
// what was said. Where the process was killed, nobody knows what became of a
// start that was not answered, nor of an end; what was acknowledged is known.
func (c *crowd) settled(t *testing.T, killed bool) {
	t.Helper()
	c.stop()
	say(t, "%s", c.tally())
	var wrong []string
	defer func() {
		if len(wrong) > 0 {
			t.Errorf("%d differences, such as\n%s", len(wrong), strings.Join(wrong[:min(len(wrong), 10)], "\n"))
		}
	}()
	eventually(t, "the record agrees with what was said", func() bool {
		wrong = c.differences(t, killed)
		return len(wrong) == 0
	})
}

// onRecord is what the ledger says of one client.
type onRecord struct{ sessions, open int }

func (c *crowd) differences(t *testing.T, killed bool) (wrong []string) {
	t.Helper()
	record, onAir := c.s.record(t), map[string]bool{}
	for _, v := range c.visits {
		got := record[v.id]
		if !v.agrees(got, killed) {
			wrong = append(wrong, fmt.Sprintf("%s: %s: start %s, end %s, forged %t, on record %+v", v.id, v.scene, v.start, v.end, v.forged, got))
		}
		if v.scene == "publish" && got.open > 0 {
			onAir[v.room.ID] = true
		}
	}
	for _, r := range c.rooms {
		if got := c.admin.room(t, r.ID); (got.Status == 1) != onAir[r.ID] {
			wrong = append(wrong, fmt.Sprintf("room %s: status %d, on air %t", r.ID, got.Status, onAir[r.ID]))
		}
	}
	return wrong
}

// agrees says whether the record of a client is what it was told.
func (v *visit) agrees(got onRecord, killed bool) bool {
	unknown := killed && (v.start == silence || v.start == unavailable || v.end == silence || v.end == unavailable)
	switch {
	case v.forged, v.start == no:
		return got == onRecord{}
	case v.start == yes && v.end == notAsked:
		return got == onRecord{1, 1}
	case v.start == yes && !unknown:
		return got == onRecord{1, 0}
	case v.start == yes:
		return got.sessions == 1
	case unknown:
		return got.sessions <= 1
	}
	return got == onRecord{} // refused, by silence too: taken back
}

// record reads what the ledger says of every client there ever was.
func (s *server) record(t *testing.T) map[string]onRecord {
	t.Helper()
	conn := s.database(t)
	defer conn.Close(context.Background())
	rows, err := conn.Query(t.Context(), `SELECT client_id, count(*) FILTER (WHERE started_at IS NOT NULL), count(*) FILTER (WHERE ended_at IS NULL)
		FROM sessions GROUP BY client_id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := map[string]onRecord{}
	for rows.Next() {
		var id string
		var r onRecord
		if err := rows.Scan(&id, &r.sessions, &r.open); err != nil {
			t.Fatal(err)
		}
		all[id] = r
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
