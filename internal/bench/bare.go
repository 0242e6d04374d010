package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// playPayload is what SRS posts when somebody wants to play.
type playPayload struct {
	ServerID  string `json:"server_id"`
	ServiceID string `json:"service_id"`
	Action    string `json:"action"`
	ClientID  string `json:"client_id"`
	IP        string `json:"ip"`
	Vhost     string `json:"vhost"`
	App       string `json:"app"`
	Stream    string `json:"stream"`
	TCURL     string `json:"tcUrl"`
	Param     string `json:"param"`
	PageURL   string `json:"pageUrl"`
	StreamURL string `json:"stream_url"`
	StreamID  string `json:"stream_id"`
}

// answerBare is the least that a callback can cost with net/http and
// encoding/json: it decides nothing and remembers nothing.
func answerBare(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		answerBareEdge(w, r)
		return
	}
	var p playPayload
	if err := json.NewDecoder(r.Body).Decode(&p); err != nil {
		http.Error(w, "not JSON", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "0") // a caller that is gone cannot be told
}

// answerBareEdge is the least for an edge, whose question has no body: the
// header with the original URI is there, and the answer is yes.
func answerBareEdge(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Original-Uri") == "" {
		http.Error(w, "not the question of an edge", http.StatusForbidden)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// bareHandler has the plain rooms, too, where there is a database for them.
func bareHandler(ctx context.Context, databaseURL string) (http.Handler, error) {
	if databaseURL == "" {
		return http.HandlerFunc(answerBare), nil
	}
	rooms, err := newPlainRooms(ctx, databaseURL, standard().conns)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == startPath || r.URL.Path == pausePath {
			rooms.ServeHTTP(w, r)
			return
		}
		answerBare(w, r)
	}), err
}

// serveBare serves the bare handlers, tells its address in one line, and ends
// with stdin, which is when the process that started it ends.
func serveBare(ctx context.Context, databaseURL string, stdin io.Reader, stdout io.Writer) error {
	h, err := bareHandler(ctx, databaseURL)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: h}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	if _, err := fmt.Fprintln(stdout, l.Addr()); err != nil {
		return errors.Join(err, srv.Close())
	}
	_, err = io.Copy(io.Discard, stdin)
	err = errors.Join(err, srv.Close())
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return err
}
