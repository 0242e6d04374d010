package e2e

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
)

// Two processes on one database: what one of them, or the command line, says
// about an account is what the other one tells the media server.
func TestAccessTokensOpenWhatTheirAccountHasTheRightTo(t *testing.T) {
	t.Parallel()
	here := newServer(t, map[string]string{"DATABASE_URL": dbtest.URL(t), "MASTER_KEY": strings.Repeat("ab", 32)})
	there := here.neighbour(t)
	here.logIn(t).addAccount(t, "alice")
	here.cli(t, "user", "update", "alice", "--push", "/live/alice", "--pull", "/live/*")
	token := there.logInAs(t, "alice", newPassword).token
	srs := func(s *server, action, stream, credential string) (allowed bool) {
		t.Helper()
		resp, err := http.Post(s.url+"/callback/"+action, "application/json", strings.NewReader(fmt.Sprintf(
			`{"server_id":"vid-1","action":%q,"client_id":"c1","ip":"192.0.2.7","vhost":"__defaultVhost__","app":"live","stream":%q,"param":"?token=%s"}`,
			action, stream, credential)))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return err == nil && resp.StatusCode == http.StatusOK && string(text) == "0"
	}
	for _, s := range []*server{here, there} {
		eventually(t, "the right is known", func() bool { return srs(s, "on_play", "bob", token) })
		if srs(s, "on_publish", "bob", token) || srs(s, "on_play", "bob", token[:len(token)-20]) {
			t.Error("let in without the right, or with half a token")
		}
	}
	if !srs(here, "on_publish", "alice", token) {
		t.Error("the publisher was refused")
	}
	here.cli(t, "user", "update", "alice", "--pull", "")
	for _, s := range []*server{here, there} {
		eventually(t, "the right is gone", func() bool { return !srs(s, "on_play", "carol", token) })
	}
	here.cli(t, "user", "update", "alice", "--pull", "*")
	eventually(t, "the right is back", func() bool { return srs(there, "on_play", "dora", token) })
	here.cli(t, "user", "delete", "alice")
	for _, s := range []*server{here, there} {
		eventually(t, "the account is gone", func() bool { return !srs(s, "on_play", "eve", token) })
	}
	say(t, "rights, and the end of an account, are known to both processes")
}

// neighbour starts another process on the same database.
func (s *server) neighbour(t *testing.T) *server {
	t.Helper()
	own, release := addresses(t, 1)
	other := &server{spec: s.spec, data: t.TempDir(), log: &logBook{}, settings: maps.Clone(s.settings), release: release, password: s.password}
	other.settings["LISTEN"], other.settings["DATA_DIR"] = own[0], other.data
	t.Cleanup(func() { other.finish(t) })
	other.start(t)
	return other
}
