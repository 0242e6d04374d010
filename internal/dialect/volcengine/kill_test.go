package volcengine

import (
	"context"
	"net/http"
	"slices"
	"testing"

	gen "github.com/stagedoor-live/stagedoor/gen/volcengine"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// kicks notes what shall be ended and answers as a media server might.
type kicks struct {
	asked []media.Stream
	err   error
}

func (k *kicks) KickStream(_ context.Context, st media.Stream) (int, error) {
	k.asked = append(k.asked, st)
	return 1, k.err
}

func TestKillStreamEndsWhatTheNameStandsFor(t *testing.T) {
	t.Parallel()
	b, k := setup(t), &kicks{}
	b.app.Kicks = k
	b.goLive(t, "own.example.com", "own.example.com", "live", "room1")
	for _, body := range []string{`{"Vhost":"push.example.com","App":"live","Stream":"room1"}`, `{"Domain":"own.example.com","App":"live","Stream":"room1"}`,
		`{"Vhost":"__defaultVhost__","App":"live","Stream":"none"}`} {
		b.call(t, post2020("KillStream", body)).done(t)
	}
	b.call(t, post2020("ForbidStream", `{"Vhost":"any.example.com","App":"live","Stream":"room2"}`)).done(t)
	want := []media.Stream{room1, {Vhost: "own.example.com", App: "live", Name: "room1"}, {Vhost: media.DefaultVhost, App: "live", Name: "none"},
		{Vhost: media.DefaultVhost, App: "live", Name: "room2"}}
	if !slices.Equal(k.asked, want) {
		t.Errorf("asked to end\n%v, want\n%v", k.asked, want)
	}
}

func TestWhatAMediaServerSaysIsTold(t *testing.T) {
	t.Parallel()
	b, k := setup(t), &kicks{}
	b.app.Kicks = k
	const body = `{"Vhost":"push.example.com","App":"live","Stream":"room1"}`
	for _, tc := range []struct {
		err    error
		status int
		code   gen.VolcengineErrorCode
	}{
		{errs.New(errs.Conflict, "cannot_kick", "no control API"), http.StatusForbidden, gen.VolcengineErrorCodeRequestForbidden},
		{errs.New(errs.BadGateway, "node_failed", "the media server did not answer"), http.StatusBadGateway, gen.VolcengineErrorCodeInternalServiceError},
	} {
		k.err = tc.err
		b.call(t, post2023("KillStream", body)).fails(t, tc.status, tc.code)
		// The ban holds all the same.
		b.call(t, post2023("ForbidStream", body)).done(t)
		if state, _ := b.state(t, "Vhost", pushHost, "App", "live", "Stream", "room1"); state != "forbidden" {
			t.Errorf("state %s", state)
		}
	}
}

func TestAServerThatCannotBeToldIsNoReasonToLie(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const body = `{"Vhost":"push.example.com","App":"live","Stream":"room1"}`
	b.call(t, post2023("KillStream", body)).done(t) // nothing runs
	b.goLive(t, media.DefaultVhost, pushHost, "live", "room1")
	b.call(t, post2023("KillStream", body)).fails(t, http.StatusForbidden, gen.VolcengineErrorCodeRequestForbidden)
}
