package e2e

import (
	"encoding/json"
	"syscall"
	"testing"
	"time"

	api "github.com/stagedoor-live/stagedoor/gen/client"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
)

// pair is an encoder and a player of one stream.
type pair struct {
	stream, push, pull string
	encoder, player    *client
}

// start brings both on air.
func (p *pair) start(t *testing.T, nginx *mediaServer) *pair {
	t.Helper()
	p.encoder = publish(t, p.push)
	eventually(t, p.stream+" runs", func() bool { return nginx.publishes(t, p.stream) })
	p.player = play(t, p.pull)
	p.player.watch(t, 2)
	return p
}

// cut waits until both were thrown out.
func (p *pair) cut(t *testing.T, by string, began time.Time) {
	t.Helper()
	p.encoder.wait(t)
	took := since(began)
	p.player.wait(t)
	say(t, "%s: encoder cut off after %v, player after %v", by, took, since(began))
}

// Whatever is taken away cuts a real encoder and its player off a real media
// server, also where we are killed right after we said that it is, and nobody
// comes back by it.
func TestWhatIsTakenAwayCutsOffRealClients(t *testing.T) {
	t.Parallel()
	nginx := newMediaServer(t)
	s := newServer(t, map[string]string{"PUSH_DOMAIN": nginx.rtmp, "DATABASE_URL": dbtest.URL(t)})
	nginx.start(t, s.url)
	s.cli(t, "node", "update", "local", "--kind", "nginx-rtmp", "--control-url", nginx.statURL())
	admin, bob := s.logIn(t), s.newAccount(t, "bob")
	tokened := func(a account, stream string) (*pair, string) {
		secret := a.createToken(t, stream)
		base := "rtmp://" + nginx.rtmp + "/live/" + stream + "?token="
		return &pair{stream: stream, push: base + secret.Token, pull: base + secret.PlayToken}, secret.Token
	}
	inRoom := func(title string) (*pair, string) {
		room := admin.createRoom(t, title)
		return &pair{stream: room.ID, push: room.PushURLInfo.RTMPURL, pull: room.PullURLInfo.RTMPURL}, room.ID
	}
	again := func(p *pair, reason string) {
		t.Helper()
		s.refuses(t, "publish", "live/"+p.stream, reason, func() *client { return publish(t, p.push) })
	}

	p, token := tokened(admin, "destroyed")
	p.start(t, nginx)
	began := time.Now()
	admin.destroyToken(t, token)
	p.cut(t, "live token destroyed", began)
	again(p, "token_revoked")

	p, _ = tokened(bob, "of-bob")
	p.start(t, nginx)
	began = time.Now()
	s.cli(t, "user", "disable", "bob")
	p.cut(t, "account disabled on the command line", began)
	again(p, "token_revoked")

	p, room := inRoom("stopped")
	p.start(t, nginx)
	began = time.Now()
	admin.stopRoom(t, room)
	p.cut(t, "room stopped", began)
	again(p, "room_ended")

	p, token = tokened(admin, "killed")
	p.start(t, nginx)
	nginx.proc.signal(syscall.SIGSTOP)
	admin.destroyToken(t, token) // acknowledged, while nginx cannot be told
	s.kill(t)
	nginx.proc.signal(syscall.SIGCONT)
	if p.encoder.ended() || p.player.ended() {
		t.Error("cut off by a process that could not")
	}
	began = time.Now()
	s.start(t)
	p.cut(t, "killed right after a live token was destroyed, started again", began)
	again(p, "token_revoked")

	p, _ = inRoom("signed")
	p.start(t, nginx)
	var rules []struct {
		ID   string `json:"id"`
		Keys []struct {
			ID string `json:"id"`
		} `json:"keys"`
	}
	if err := json.Unmarshal([]byte(s.cli(t, "rule", "list", "--json")), &rules); err != nil || len(rules) != 2 {
		t.Fatal(err, rules)
	}
	began = time.Now()
	for _, r := range rules {
		s.cli(t, "rule", "key", "revoke", r.ID, r.Keys[0].ID)
	}
	p.cut(t, "signing keys revoked on the command line", began)
	again(p, "key_revoked")
}

// newPassword is that of accounts that tests create.
const newPassword = "correct horse battery"

// newAccount creates an account and logs it in.
func (s *server) newAccount(t *testing.T, name string) account {
	t.Helper()
	s.logIn(t).addAccount(t, name)
	return s.logInAs(t, name, newPassword)
}

func (a account) addAccount(t *testing.T, name string) {
	t.Helper()
	good[*api.CreateUserResponse](t)(a.CreateUserWithResponse(t.Context(),
		api.UserCreate{Username: name, Email: name + "@example.com", FullName: name, Password: newPassword}))
}
