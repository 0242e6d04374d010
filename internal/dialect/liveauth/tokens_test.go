package liveauth

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	gen "github.com/stagedoor-live/stagedoor/gen/liveauth"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/im"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

const (
	otherUsers    = `{"detail":"The stream belongs to another user"}`
	tokenNotFound = `{"detail":"Token not found"}`
)

func TestLiveTokenOpensItsDoorsAndNoOther(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pair := b.createToken(t, b.alice, "room1")
	if pair.Username != "alice" || pair.Stream != "room1" || pair.PermissionsLevel != 0 {
		t.Errorf("got %+v", pair)
	}
	for name, tc := range map[string]struct {
		action media.Action
		secret string
		want   media.Reason
	}{
		"publish with token":      {media.Publishing, pair.Token, media.Allowed},
		"play with token":         {media.Playing, pair.Token, media.Allowed},
		"play with play_token":    {media.Playing, pair.PlayToken, media.Allowed},
		"publish with play_token": {media.Publishing, pair.PlayToken, media.WrongScene},
		"made up":                 {media.Publishing, "made-up", media.TokenUnknown},
	} {
		if got := b.reason(t, tc.action, tc.secret); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
	other := b.createToken(t, b.alice, "room2")
	if got := b.reason(t, media.Publishing, other.Token); got != media.WrongStream {
		t.Errorf("the token of room2 at room1: %s", got)
	}
}

func TestSecretsAreLongAndPassEveryMediaServersParser(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pair := b.createToken(t, b.alice, "room1")
	alphabet := regexp.MustCompile(`^[A-Za-z0-9_-]{22,}$`)
	if !alphabet.MatchString(pair.Token) || !alphabet.MatchString(pair.PlayToken) || pair.Token == pair.PlayToken {
		t.Errorf("got %q and %q", pair.Token, pair.PlayToken)
	}
}

func TestCreatingAgainRotatesBothSecrets(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.createToken(t, b.alice, "room1")
	second := b.createToken(t, b.alice, "live/room1") // the same stream
	if second.Stream != "room1" {
		t.Errorf("stream %q", second.Stream)
	}
	for _, old := range []string{first.Token, first.PlayToken} {
		if got := b.reason(t, media.Playing, old); got != media.TokenRevoked {
			t.Errorf("an old secret: %s", got)
		}
	}
	if got := b.reason(t, media.Publishing, second.Token); got != media.Allowed {
		t.Errorf("the new secret: %s", got)
	}
	if got := b.listTokens(t, b.alice); len(got) != 1 || got[0] != second {
		t.Errorf("listed %+v", got)
	}
}

func TestCreatingAtTheSameTimeLeavesOnePairPerStream(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			r := b.send(t, ask("POST", "/live/create_token?stream=room1", b.alice))
			if r.Status != http.StatusOK {
				t.Errorf("the owner is told %d %s", r.Status, r.Body)
			}
		})
	}
	wg.Wait()
	listed := b.listTokens(t, b.alice)
	if len(listed) != 1 {
		t.Fatalf("%d pairs", len(listed))
	}
	if got := b.reason(t, media.Publishing, listed[0].Token); got != media.Allowed {
		t.Errorf("the pair that is listed: %s", got)
	}
}

func TestStreamsOfSomebodyElseAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pair := b.createToken(t, b.alice, "room1")
	for _, token := range []string{b.bob, b.carol, b.admin} {
		b.send(t, ask("POST", "/live/create_token?stream=room1", token)).want(t, http.StatusForbidden, otherUsers)
	}
	if got := b.reason(t, media.Publishing, pair.Token); got != media.Allowed {
		t.Errorf("the owner's secret afterwards: %s", got)
	}
	b.createToken(t, b.bob, "other/room1") // another application, another stream
}

func TestRoomsOfSomebodyElseAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r, err := b.rooms.Create(t.Context(), "alice", room.Input{Title: "Evening show", Anchor: "alice", IMServers: []string{im.ServerNew}})
	if err != nil {
		t.Fatal(err)
	}
	b.send(t, ask("POST", "/live/create_token?stream="+r.ID, b.bob)).want(t, http.StatusForbidden, otherUsers)
	b.createToken(t, b.alice, r.ID)
}

func TestLevelIsBoundedByTheOwners(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tooHigh := `{"detail":"The level exceeds your permission level"}`
	b.send(t, ask("POST", "/live/create_token?stream=a&level=1", b.alice)).want(t, http.StatusForbidden, tooHigh)
	b.send(t, ask("POST", "/live/create_token?stream=a&level=4", b.carol)).want(t, http.StatusForbidden, tooHigh)
	pair := decode[gen.LiveToken](t, b.send(t, ask("POST", "/live/create_token?stream=a&level=3", b.carol)))
	if pair.PermissionsLevel != 3 || b.listTokens(t, b.carol)[0].PermissionsLevel != 3 {
		t.Errorf("got level %d", pair.PermissionsLevel)
	}
}

func TestListShowsOwnPairsAndManagersAll(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.send(t, ask("GET", "/live/list_tokens", b.alice)).want(t, http.StatusOK, `[]`)
	ofAlice, ofBob := b.createToken(t, b.alice, "room1"), b.createToken(t, b.bob, "vod/room2")
	if ofBob.Stream != "vod/room2" {
		t.Errorf("stream %q, want it with its application", ofBob.Stream)
	}
	if got := b.listTokens(t, b.alice); len(got) != 1 || got[0] != ofAlice {
		t.Errorf("alice sees %+v", got)
	}
	for _, token := range []string{b.carol, b.admin} {
		if got := b.listTokens(t, token); len(got) != 2 || got[0] != ofAlice || got[1] != ofBob {
			t.Errorf("a manager sees %+v", got)
		}
	}
}

func TestDestroyRevokesBothSecretsAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pair := b.createToken(t, b.alice, "room1")
	destroy := ask("DELETE", "/live/destroy_token?token="+pair.Token, b.alice)
	r := b.send(t, destroy).want(t, http.StatusOK, `"OK"`)
	if r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("Content-Type %q", r.Header.Get("Content-Type"))
	}
	for _, secret := range []string{pair.Token, pair.PlayToken} {
		if got := b.reason(t, media.Playing, secret); got != media.TokenRevoked {
			t.Errorf("a destroyed secret: %s", got)
		}
	}
	b.send(t, destroy).want(t, http.StatusNotFound, tokenNotFound)
	b.send(t, ask("GET", "/live/list_tokens", b.alice)).want(t, http.StatusOK, `[]`)
	b.createToken(t, b.bob, "room1") // the stream is nobody's now
}

func TestDestroyCutsOffWhoCameInByThePair(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pair, other := b.createToken(t, b.alice, "room1"), b.createToken(t, b.alice, "room2")
	enter := func(client string, a media.Action, name, secret string) {
		e := event(a, secret)
		e.ClientID, e.Stream.Name = client, name
		if v, err := b.ledger.Handle(t.Context(), e); err != nil || !v.Allow {
			t.Fatalf("%s: %v, %v", client, v, err)
		}
	}
	enter("publisher", media.Publishing, "room1", pair.Token)
	enter("viewer", media.Playing, "room1", pair.PlayToken)
	enter("gone", media.Playing, "room1", pair.PlayToken)
	enter("gone", media.Stopped, "room1", pair.PlayToken)
	enter("of another pair", media.Publishing, "room2", other.Token)

	b.send(t, ask("DELETE", "/live/destroy_token?token="+pair.Token, b.bob)).want(t, http.StatusNotFound, tokenNotFound)
	if len(b.media.kicked) > 0 {
		t.Errorf("a stranger cuts off %q", b.media.kicked)
	}
	b.send(t, ask("DELETE", "/live/destroy_token?token="+pair.Token, b.alice)).want(t, http.StatusOK, `"OK"`)
	slices.Sort(b.media.kicked)
	if !slices.Equal(b.media.kicked, []string{"publisher", "viewer"}) {
		t.Errorf("cut off: %q", b.media.kicked)
	}

	// The pair is gone even where the media server is away.
	b.media.tell(errs.New(errs.BadGateway, "media_server_unavailable", "away"))
	b.send(t, ask("DELETE", "/live/destroy_token?token="+other.Token, b.alice)).want(t, http.StatusOK, `"OK"`)
	if got := b.reason(t, media.Playing, other.PlayToken); got == media.Allowed {
		t.Errorf("afterwards: %s", got)
	}
}

func TestDestroyTellsUnknownFromForeignToNobody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pair := b.createToken(t, b.alice, "room1")
	for _, token := range []string{pair.Token, "unknown", pair.PlayToken} {
		b.send(t, ask("DELETE", "/live/destroy_token?token="+token, b.bob)).want(t, http.StatusNotFound, tokenNotFound)
	}
	// Not even the owner destroys by the play secret, which is given away.
	b.send(t, ask("DELETE", "/live/destroy_token?token="+pair.PlayToken, b.alice)).want(t, http.StatusNotFound, tokenNotFound)
	if got := b.reason(t, media.Publishing, pair.Token); got != media.Allowed {
		t.Errorf("afterwards: %s", got)
	}
	b.send(t, ask("DELETE", "/live/destroy_token?token="+pair.Token, b.carol)).want(t, http.StatusOK, `"OK"`)
}

func TestPairsOfADisabledAccountAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pair := b.createToken(t, b.alice, "room1")
	disabled := true
	if _, err := b.accounts.Update(t.Context(), account.System(), "alice", account.Changes{Disabled: &disabled}); err != nil {
		t.Fatal(err)
	}
	if err := b.access.Reload(t.Context(), b.pool); err != nil { // what the change feed does
		t.Fatal(err)
	}
	if got := b.reason(t, media.Publishing, pair.Token); got != media.TokenRevoked {
		t.Errorf("got %s", got)
	}
}

func TestSecretsNeverReachTheLog(t *testing.T) {
	t.Parallel()
	b := setupWith(t, openRegistration)
	login := decode[gen.Token](t, b.send(t, grant("alice", password))).AccessToken
	b.send(t, dialecttest.JSON("/users/create", "", dave)).want(t, http.StatusOK, "")
	b.bad(t, dialecttest.JSON("/users/create", "", dave+"x")).want(t, http.StatusUnprocessableEntity, "")
	first := b.createToken(t, b.alice, "room1")
	second := b.createToken(t, b.alice, "room1")
	b.send(t, ask("DELETE", "/live/destroy_token?token="+first.Token, b.alice)).want(t, http.StatusNotFound, "")
	b.bad(t, ask("DELETE", "/live/destroy_token?token=a&token="+second.Token, b.alice)).want(t, http.StatusUnprocessableEntity, "")
	b.bad(t, ask("POST", "/live/create_token?stream=x&level="+second.Token, b.alice)).want(t, http.StatusUnprocessableEntity, "")
	b.bad(t, ask("DELETE", "/live/destroy_token/?token="+second.Token, b.alice)).want(t, http.StatusTemporaryRedirect, "")
	b.bad(t, ask("GET", "/live/none?token="+second.Token, b.alice)).want(t, http.StatusNotFound, "")
	b.send(t, ask("GET", "/users/me", login[:len(login)-2])).want(t, http.StatusUnauthorized, "")
	b.reason(t, media.Publishing, first.Token)
	b.publish(t, b.alice, "live", "room3")
	b.send(t, ask("DELETE", "/live/destroy_token?token="+second.Token, b.alice)).want(t, http.StatusOK, "")

	log := b.log.String()
	if !strings.Contains(log, `"path":"/live/destroy_token"`) {
		t.Fatal("this is not the access log")
	}
	signature := login[strings.LastIndexByte(login, '.')+1:]
	for _, secret := range []string{password, url.QueryEscape(password), "a fine password", login, signature[:20],
		first.Token, first.PlayToken, second.Token, second.PlayToken} {
		if strings.Contains(log, secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
}
