package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	api "github.com/stagedoor-live/stagedoor/gen/client"
)

// account is somebody who has logged in, with the public client.
type account struct {
	*api.ClientWithResponses
	name  string
	token string
}

// anonymous is the public client without a token. What it sends and gets is
// held against openapi.yaml.
func (s *server) anonymous(t *testing.T, opts ...api.ClientOption) *api.ClientWithResponses {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	opts = append(opts, api.WithHTTPClient(&http.Client{Transport: polite{s.spec.Transport(transport)}, Timeout: patience}))
	c, err := api.NewClientWithResponses(s.url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// polite comes again when a server is busy, as that asks: passwords are hashed
// with what processors others leave, and there may be none for a while.
type polite struct{ http.RoundTripper }

// hashing are the paths where that may take all the time that a request has.
var hashing = []string{"/auth/token", "/users/create", "/login", "/api/v1/login", "/api/v1/live/login", "/api/v1/users"}

func busy(resp *http.Response) bool {
	return resp.StatusCode == http.StatusTooManyRequests ||
		resp.StatusCode == http.StatusServiceUnavailable && slices.Contains(hashing, resp.Request.URL.Path)
}

func (p polite) RoundTrip(r *http.Request) (*http.Response, error) {
	for {
		resp, err := p.RoundTripper.RoundTrip(r)
		if err != nil || !busy(resp) || r.Body != nil && r.GetBody == nil {
			return resp, err
		}
		_ = resp.Body.Close() // nobody reads it
		seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
		if err != nil {
			return nil, fmt.Errorf("%s without telling when to come again: %w", resp.Status, err)
		}
		select {
		case <-r.Context().Done():
			return nil, r.Context().Err()
		case <-time.After(time.Duration(seconds) * time.Second):
		}
		r = r.Clone(r.Context())
		if r.GetBody != nil {
			if r.Body, err = r.GetBody(); err != nil {
				return nil, err
			}
		}
	}
}

// logIn returns the first administrator.
func (s *server) logIn(t *testing.T) account {
	t.Helper()
	return s.logInAs(t, "admin", s.password)
}

func (s *server) logInAs(t *testing.T, name, password string) account {
	t.Helper()
	resp, err := s.anonymous(t).AppLoginV1WithResponse(t.Context(), api.LoginRequest{Username: name, Password: password})
	if err != nil || resp.JSON200 == nil {
		t.Fatalf("log in: %v, %s", err, body(resp))
	}
	return s.withToken(t, name, resp.JSON200.Token)
}

// withToken is somebody who has logged in, here or elsewhere.
func (s *server) withToken(t *testing.T, name, token string) account {
	t.Helper()
	bearer := func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+token)
		return nil
	}
	return account{ClientWithResponses: s.anonymous(t, api.WithRequestEditorFn(bearer)), name: name, token: token}
}

// closing asks for a connection of its own.
func closing(_ context.Context, r *http.Request) error {
	r.Close = true
	return nil
}

// body shows an unexpected answer; the response may be a nil pointer.
func body(resp interface{ GetBody() []byte }) (text string) {
	defer func() { _ = recover() }()
	return string(bytes.TrimSpace(resp.GetBody()))
}

func (a account) createRoom(t *testing.T, title string) api.Room {
	t.Helper()
	resp, err := a.CreateRoomV2WithResponse(t.Context(), roomNamed(title, a.name))
	if err != nil || resp.JSON200 == nil {
		t.Fatalf("create a room: %v, %s", err, body(resp))
	}
	return *resp.JSON200
}

func roomNamed(title, anchor string) api.RoomCreateV2 {
	return api.RoomCreateV2{Title: title, Anchor: anchor, IMServer: []api.IMServer{api.IMServerAliyunNew}}
}

func (a account) room(t *testing.T, id string) api.Room {
	t.Helper()
	resp, err := a.GetRoomWithResponse(t.Context(), api.RoomGetRequest{ID: id, UserID: a.name})
	if err != nil || resp.JSON200 == nil {
		t.Fatalf("get room %s: %v, %s", id, err, body(resp))
	}
	return *resp.JSON200
}

// awaitStatus waits until a room is in a state.
func (a account) awaitStatus(t *testing.T, id string, want api.RoomStatus) {
	t.Helper()
	eventually(t, "room has status "+strconv.Itoa(int(want)), func() bool { return a.room(t, id).Status == want })
}

func (a account) stopRoom(t *testing.T, id string) {
	t.Helper()
	resp, err := a.StopRoomWithResponse(t.Context(), api.RoomRef{ID: id, UserID: a.name})
	if err != nil || resp.JSON200 == nil || resp.JSON200.Status != 2 {
		t.Fatalf("stop room %s: %v, %s", id, err, body(resp))
	}
}

// stream returns what /streams/list says of a stream, or nil.
func (a account) stream(t *testing.T, name string) *api.ResponseStream {
	t.Helper()
	resp, err := a.ListStreamsWithResponse(t.Context())
	if err != nil || resp.JSON200 == nil {
		t.Fatalf("list streams: %v, %s", err, body(resp))
	}
	for _, s := range resp.JSON200.Streams {
		if s.Name == name || strings.HasSuffix(s.Name, "/"+name) {
			return &s
		}
	}
	return nil
}

func (a account) createToken(t *testing.T, stream string) api.LiveToken {
	t.Helper()
	resp, err := a.CreateLiveTokenWithResponse(t.Context(), &api.CreateLiveTokenParams{Stream: stream})
	if err != nil || resp.JSON200 == nil {
		t.Fatalf("create a live token: %v, %s", err, body(resp))
	}
	return *resp.JSON200
}

func (a account) destroyToken(t *testing.T, token string) {
	t.Helper()
	resp, err := a.DestroyLiveTokenWithResponse(t.Context(), &api.DestroyLiveTokenParams{Token: token})
	if err != nil || resp.StatusCode() != http.StatusOK {
		t.Fatalf("destroy a live token: %v, %s", err, body(resp))
	}
}

// decisions reads a counter of /metrics.
func (s *server) decisions(t *testing.T, scene, result, reason string) int {
	t.Helper()
	resp, err := s.anonymous(t).MetricsWithResponse(t.Context())
	if err != nil || resp.StatusCode() != http.StatusOK {
		t.Fatalf("metrics: %v, %s", err, body(resp))
	}
	line := `stagedoor_decisions_total{reason="` + reason + `",result="` + result + `",scene="` + scene + `"} `
	_, rest, found := strings.Cut(string(resp.Body), "\n"+line)
	if !found {
		return 0
	}
	text, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s%s", line, text)
	}
	return n
}

// refuses demands that a client is thrown out, and that log and metrics tell
// why, once.
func (s *server) refuses(t *testing.T, scene, stream, reason string, attempt func() *client) {
	t.Helper()
	match := refusal(stream, reason)
	counted, logged := s.decisions(t, scene, "deny", reason), s.log.count(match)
	attempt().mustBeRefused(t)
	eventually(t, reason+" in the log", func() bool { return s.log.count(match) > logged })
	if n := s.log.count(match) - logged; n != 1 {
		t.Errorf("%d lines in the log say %s", n, reason)
	}
	if n := s.decisions(t, scene, "deny", reason) - counted; n != 1 {
		t.Errorf("metrics count %d times %s", n, reason)
	}
}
