package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// decisions measures an edge of nginx that asks by auth_request: about the
// signed URL of HTTP-FLV, which is decided and leaves nothing behind; about that
// of a playlist, which begins a session in a cookie; and about a segment, which
// that cookie admits.
func (s *suite) decisions(ctx context.Context, st *stage) ([]row, error) {
	cookie, err := playlistCookie(ctx, st)
	if err != nil {
		return nil, err
	}
	segment := &url.URL{Host: st.hls.Host, Path: strings.TrimSuffix(st.hls.Path, path.Ext(st.hls.Path)) + "-17.ts"}
	var rows []row
	for _, c := range []struct {
		name   string
		target *url.URL
		cookie string
		rounds int
	}{
		{"decision_only", st.flv, "", s.plan.decisionRounds},
		{"decision_playlist", st.hls, "", s.plan.decisionRounds / 2},
		{"decision_segment", segment, cookie, s.plan.decisionRounds / 2},
	} {
		ours := edgeLoad(st.server.addr, s.plan.conns, c.target, c.cookie)
		bare := edgeLoad(st.bare.addr, s.plan.conns, c.target, c.cookie)
		a, b, err := s.alternate(c.name, max(c.rounds, 1),
			func() (float64, error) { return ours.closedLoop(ctx, s.plan.decisionRound) },
			func() (float64, error) { return bare.closedLoop(ctx, s.plan.decisionRound) })
		if err != nil {
			return nil, err
		}
		rows = append(rows, figure(c.name, a, "1/s").beside(b, "bare handler, reads the header and answers 200"))
	}
	rows[0] = rows[0].aim(ratioAtLeast(0.80))
	return rows, nil
}

// edgeLoad is nginx asking for players over connections that stay.
func edgeLoad(addr string, clients int, target *url.URL, cookie string) load {
	request := edgeRequest(addr, target, cookie)
	return newLoad(addr, clients, func() shots { return edgeShots{request} })
}

// edgeRequest is what nginx sends with our lines in its configuration, when its
// connections to us stay open.
func edgeRequest(addr string, target *url.URL, cookie string) []byte {
	header := ""
	if cookie != "" {
		header = "Cookie: " + cookie + "\r\n"
	}
	return fmt.Appendf(nil, "GET /callback/nginx HTTP/1.1\r\nHost: %s\r\n%sX-Original-URI: %s\r\nX-Original-Host: %s\r\n"+
		"X-Original-Addr: 192.0.2.17\r\nX-Original-Proto: https\r\n\r\n", addr, header, target.RequestURI(), target.Hostname())
}

// edgeShots ask the same again and again.
type edgeShots struct{ request []byte }

func (e edgeShots) next() []byte { return e.request }

func (edgeShots) check(status int, body []byte) error {
	if status != http.StatusOK || len(body) > 0 {
		return fmt.Errorf("the player was not let in: %d %.200q", status, body)
	}
	return nil
}

// playlistCookie is what a player of the playlist is given for its segments.
func playlistCookie(ctx context.Context, st *stage) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+st.server.addr+"/callback/nginx", nil)
	if err != nil {
		return "", err
	}
	for name, value := range map[string]string{"X-Original-URI": st.hls.RequestURI(), "X-Original-Host": st.hls.Hostname(), "X-Original-Proto": "https"} {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	cookies := resp.Cookies()
	if resp.StatusCode != http.StatusOK || len(cookies) != 1 {
		return "", errors.New("a player of the playlist gets no session: " + resp.Status)
	}
	return cookies[0].Name + "=" + cookies[0].Value, nil
}
