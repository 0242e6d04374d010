package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	api "github.com/stagedoor-live/stagedoor/gen/client"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
)

// Three processes that were first started at once, on an empty database, are one
// service: whatever is asked of any of them, and whichever of them goes.
func TestSeveralProcessesAreOneService(t *testing.T) {
	t.Parallel()
	x := newTroupe(t, map[string]string{"DATABASE_URL": dbtest.EmptyURL(t), "RECONCILE_PERIOD": "1s"})
	t.Run("a room lives on all of them", x.roomLives)
	t.Run("one is stopped", x.losesNothingToAStop)
	t.Run("one is killed", x.survivesAKill)
	t.Run("what is made or taken away counts on all of them", x.agrees)
	t.Run("what a command changes counts on all of them", x.hearsCommands)
	t.Run("lists are the same", x.listsAlike)
	t.Run("duties are handed over", x.handsDutiesOver)
}

// roomLives asks another process at each step.
func (x *troupe) roomLives(t *testing.T) {
	one, two, three := x.members[0], x.members[1], x.members[2]
	token := one.logIn(t).token
	admin := two.withToken(t, "admin", token)
	room := admin.createRoom(t, "of three")
	encoder := guest{stream: room.ID, id: "encoder", param: query(room.PushURLInfo.RTMPURL)}
	if !three.hook(t, "on_publish", encoder) {
		t.Fatal("the third process does not let the encoder in")
	}
	for _, s := range x.members {
		here := s.withToken(t, "admin", token)
		if got := here.room(t, room.ID); got.Status != 1 || here.stream(t, room.ID) == nil {
			t.Errorf("%s: status %d, stream %v", s.url, got.Status, here.stream(t, room.ID))
		}
		if s.hook(t, "on_publish", guest{stream: room.ID, id: "second at " + s.url[7:], param: encoder.param}) {
			t.Errorf("%s lets a second encoder in", s.url)
		}
		viewer := guest{stream: room.ID, id: "viewer at " + s.url[7:], param: query(room.PullURLInfo.RTMPURL)}
		if !s.hook(t, "on_play", viewer) {
			t.Errorf("%s refuses a viewer", s.url)
		}
	}
	if m := admin.room(t, room.ID).Metrics; m == nil || m.OnlineCount != 3 || m.Pv != 3 {
		t.Errorf("three viewers: %+v", m)
	}
	if !one.hook(t, "on_unpublish", encoder) {
		t.Error("the first process refuses the end")
	}
	for _, s := range x.members {
		if got := s.withToken(t, "admin", token).room(t, room.ID); got.Status != 0 {
			t.Errorf("%s: status %d after the end", s.url, got.Status)
		}
	}
}

// agrees makes and takes away what decides who comes in, each time through
// another process.
func (x *troupe) agrees(t *testing.T) {
	d := x.doors(t)
	x.revokesToken(t, d)
	x.rotatesSecret(t, d)
	x.shutsAccountOut(t, d)
	x.changesRoutes(t, d)
}

// doors are those of all processes, at which players knock.
type doors struct {
	*troupe
	admins []account // at each of them
	knocks int
}

func (x *troupe) doors(t *testing.T) *doors {
	d := &doors{troupe: x}
	for _, s := range x.members {
		d.admins = append(d.admins, s.logIn(t))
	}
	return d
}

func (d *doors) knock(t *testing.T, s *server, g guest) answer {
	d.knocks++
	g.id = fmt.Sprint("player ", d.knocks)
	return s.tells(t, "on_play", g)
}

func (d *doors) open(t *testing.T, to string, g guest) {
	t.Helper()
	d.everywhere(t, to+" opens every door", func(s *server) bool { return d.knock(t, s, g) == yes })
}

func (d *doors) shut(t *testing.T, to string, g guest) {
	t.Helper()
	began := time.Now()
	d.everywhere(t, to+" opens no door", func(s *server) bool { return d.knock(t, s, g) == no })
	say(t, "%s: refused by all after %v", to, time.Since(began).Round(time.Millisecond))
}

func (x *troupe) revokesToken(t *testing.T, d *doors) {
	pair := d.admins[0].createToken(t, "tokened")
	g := guest{stream: "tokened", param: "?token=" + pair.PlayToken}
	d.open(t, "a live token", g)
	d.admins[1].destroyToken(t, pair.Token)
	d.shut(t, "a live token that was destroyed", g)
}

// hearsCommands does the same with what a command has changed beside them.
func (x *troupe) hearsCommands(t *testing.T) {
	d := x.doors(t)
	room := d.admins[1].createRoom(t, "signed")
	g := guest{stream: room.ID, param: query(room.PullURLInfo.RTMPURL)}
	d.open(t, "a signed URL", g)
	x.front.cli(t, "ban", "add", "live/"+room.ID, "--for", "1h")
	d.shut(t, "a URL of a banned stream", g)
	x.front.cli(t, "ban", "remove", "live/"+room.ID)
	d.open(t, "a URL of a stream that is banned no more", g)
	x.revokeKeys(t, "play")
	d.shut(t, "a URL whose key was revoked", g)
}

func (x *troupe) rotatesSecret(t *testing.T, d *doors) {
	made, err := d.admins[2].CreateNodeWithResponse(t.Context(), api.NewNode{Name: "edge", Kind: "srs", Sources: []string{"127.0.0.1"}})
	if err != nil || made.JSON201 == nil {
		t.Fatalf("create a node: %v, %s", err, body(made))
	}
	pair := d.admins[0].createToken(t, "at-the-edge")
	g := guest{stream: "at-the-edge", param: "?token=" + pair.PlayToken, secret: made.JSON201.Secret}
	d.open(t, "a node's secret", g)
	rotated, err := d.admins[0].RotateNodeSecretWithResponse(t.Context(), "edge")
	if err != nil || rotated.JSON200 == nil {
		t.Fatalf("rotate a secret: %v, %s", err, body(rotated))
	}
	d.shut(t, "a node's old secret", g)
}

func (x *troupe) shutsAccountOut(t *testing.T, d *doors) {
	bob := x.members[1].newAccount(t, "bob")
	knows := func(s *server) bool {
		me, err := s.withToken(t, "bob", bob.token).ReadUsersMeWithResponse(t.Context())
		return err == nil && me.StatusCode() == http.StatusOK
	}
	x.everywhere(t, "bob is known", knows)
	disabled := true
	resp, err := d.admins[2].UpdateAccountWithResponse(t.Context(), "bob", api.AccountUpdate{Disabled: &disabled})
	if err != nil || resp.StatusCode() != http.StatusOK {
		t.Fatalf("disable an account: %v, %s", err, body(resp))
	}
	x.everywhere(t, "bob is shut out", func(s *server) bool { return !knows(s) })
}

func (x *troupe) changesRoutes(t *testing.T, d *doors) {
	route := api.IpchubRoute{Pattern: "/hr/door", URL: "rtsp://192.0.2.1/1"}
	saved, err := d.admins[1].IpchubSaveRouteWithResponse(t.Context(), route)
	if err != nil || saved.StatusCode() != http.StatusOK {
		t.Fatalf("save a route: %v, %s", err, body(saved))
	}
	has := func(s *server) bool {
		resp, err := s.withToken(t, "admin", d.admins[0].token).IpchubGetRouteWithResponse(t.Context(), route.Pattern)
		return err == nil && resp.StatusCode() == http.StatusOK
	}
	x.everywhere(t, "the route is there", has)
	deleted, err := d.admins[2].IpchubDeleteRouteWithResponse(t.Context(), route.Pattern)
	if err != nil || deleted.StatusCode() >= 300 {
		t.Fatalf("delete a route: %v, %s", err, body(deleted))
	}
	x.everywhere(t, "the route is gone", func(s *server) bool { return !has(s) })
}

// revokeKeys takes every key for a scene away.
func (x *troupe) revokeKeys(t *testing.T, scene string) {
	t.Helper()
	var rules []struct {
		ID    string `json:"id"`
		Scene string `json:"scene"`
		Keys  []struct {
			ID string `json:"id"`
		} `json:"keys"`
	}
	decode(t, x.front.cli(t, "rule", "list", "--json"), &rules)
	for _, r := range rules {
		if r.Scene == scene {
			x.front.cli(t, "rule", "key", "revoke", r.ID, r.Keys[0].ID)
		}
	}
}

// listsAlike compares what each process lists, byte for byte.
func (x *troupe) listsAlike(t *testing.T) {
	token := x.members[0].logIn(t).token
	for what, list := range map[string]func(account) (interface{ GetBody() []byte }, error){
		"streams": func(a account) (interface{ GetBody() []byte }, error) { return a.ListStreamsWithResponse(t.Context()) },
		"tokens": func(a account) (interface{ GetBody() []byte }, error) {
			return a.ListLiveTokensWithResponse(t.Context())
		},
		"routes": func(a account) (interface{ GetBody() []byte }, error) {
			return a.IpchubListRoutesWithResponse(t.Context(), nil)
		},
		"accounts": func(a account) (interface{ GetBody() []byte }, error) {
			return a.ListAccountsWithResponse(t.Context(), nil)
		},
		"nodes": func(a account) (interface{ GetBody() []byte }, error) {
			return a.ListNodesWithResponse(t.Context(), nil)
		},
	} {
		var first string
		eventually(t, what+" are listed alike", func() bool {
			alike := true
			for i, s := range x.members {
				resp, err := list(s.withToken(t, "admin", token))
				if err != nil {
					t.Fatal(err)
				}
				if i == 0 {
					first = string(resp.GetBody())
				}
				alike = alike && string(resp.GetBody()) == first
			}
			return alike
		})
	}
	eventually(t, "rooms are listed alike", func() bool {
		var rooms [3]string
		for i, s := range x.members {
			listed, err := s.withToken(t, "admin", token).ListRoomsWithResponse(t.Context(), api.RoomListRequest{UserID: "admin"})
			if err != nil || listed.JSON200 == nil {
				t.Fatalf("list rooms: %v, %s", err, body(listed))
			}
			for _, r := range *listed.JSON200 { // their URLs are signed anew
				rooms[i] += fmt.Sprint(r.ID, r.Title, r.Status, r.Metrics)
			}
		}
		return rooms[0] == rooms[1] && rooms[1] == rooms[2]
	})
}

// losesNothingToAStop drains one process under load.
func (x *troupe) losesNothingToAStop(t *testing.T) {
	admin := x.front.logIn(t)
	room := admin.createRoom(t, "watched")
	hooks := x.front.anonymous(t, api.WithRequestEditorFn(closing))
	all := &load{}
	all.start(t, 2, admin.creating())
	all.start(t, 4, x.front.playing(hooks, room.PullURLInfo.RTMPURL, 1000))
	all.awaitMore(t, http.StatusOK, 100)
	x.members[1].stop(t)
	all.awaitMore(t, http.StatusOK, 100)
	outcomes := all.finish()
	say(t, "SIGTERM of one of three: %v, slowest %v", tally(outcomes), slowest(outcomes))
	for _, o := range outcomes {
		if o.status != http.StatusOK {
			t.Errorf("lost: %d, %v", o.status, o.err)
		}
	}
	admin.assertKept(t, outcomes)
	x.members[1].start(x.whole)
}

// survivesAKill ends a process in the middle of its work. Whoever got no answer
// asks again, and is answered by another.
func (x *troupe) survivesAKill(t *testing.T) {
	c := newCrowd(t, x.front, x.front.logIn(t), true)
	x.members[0].kill(t)
	c.hears(t, yes)
	x.members[0].start(x.whole)
	c.recovers(t)
}
