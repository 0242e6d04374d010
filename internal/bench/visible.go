package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stagedoor-live/stagedoor/gen/client"
)

// visibleTimeout bounds one revocation: a process that still admits then never
// heard of it.
const visibleTimeout = 15 * time.Second

// visible measures, with several processes on one PostgreSQL, how long after a
// revocation was acknowledged by one of them the last of them still admits. Half
// of what is revoked are live tokens, half access tokens of an account.
func (s *suite) visible(ctx context.Context) (_ []row, err error) {
	c := &crowd{dir: filepath.Join(s.dir, "visible")}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := c.open(ctx, s, s.plan.processes); err != nil {
		return nil, err
	}
	took, err := c.revocations(ctx, s.plan.visible)
	if err != nil {
		return nil, err
	}
	s.say("%-20s p50 %s, slowest %s ms", "revoke_visible", number(quantile(took, 0.5)), number(slices.Max(took)))
	return []row{
		figure("revoke_visible_p50", quantile(took, 0.5), "ms"),
		figure("revoke_visible_p99", quantile(took, 0.99), "ms").aim(figureAtMost(100)),
	}, nil
}

// revocations returns the milliseconds that each of some took.
func (c *crowd) revocations(ctx context.Context, n int) (took []float64, err error) {
	for i := range n {
		revoke := c.liveToken
		if i%2 == 1 {
			revoke = c.accessToken
		}
		d, err := c.measure(ctx, i, revoke)
		if err != nil {
			return nil, fmt.Errorf("revocation %d: %w", i, err)
		}
		took = append(took, d.Seconds()*1000)
	}
	return took, nil
}

// crowd is several processes on one database.
type crowd struct {
	dir     string
	members []*member
	refresh string // the refresh token of the account whose access tokens are revoked
	next    string // and its access token
}

// member is one process, with a connection over which it is asked.
type member struct {
	server *server
	api    *client.ClientWithResponses
	conn   *conn
	asked  *players // all of them together, so that no two players have one id
}

func (c *crowd) open(ctx context.Context, s *suite, n int) error {
	asked := &players{}
	for range n {
		srv, _, err := s.start(ctx, c.dir, "")
		if err != nil {
			return err
		}
		c.members = append(c.members, &member{server: srv, asked: asked})
	}
	st := &stage{server: c.members[0].server}
	if err := st.logIn(ctx); err != nil {
		return err
	}
	for _, m := range c.members {
		tcp, err := new(net.Dialer).DialContext(ctx, "tcp", m.server.addr) // when all have started: nobody waits long for a first request
		if err != nil {
			return err
		}
		m.conn = newConn(tcp)
		m.api, err = client.NewClientWithResponses("http://"+m.server.addr, client.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+st.token)
			return nil
		}))
		if err != nil {
			return err
		}
	}
	login, err := c.members[0].api.IpchubLoginWithResponse(ctx, client.IpchubCredentials{Username: adminName, Password: adminPassword})
	if err != nil {
		return err
	}
	if login.JSON200 == nil {
		return fmt.Errorf("log in: %s", login.Status())
	}
	c.next, c.refresh = login.JSON200.AccessToken, login.JSON200.RefreshToken
	return nil
}

func (c *crowd) close() error {
	var problems []error
	for _, m := range slices.Backward(c.members) { // the first one owns PostgreSQL
		if m.conn != nil {
			_ = m.conn.Close() // it may have failed
		}
		problems = append(problems, m.server.stop())
	}
	return errors.Join(problems...)
}

// revocable is a credential of a player, and what takes it away.
type revocable struct {
	stream, token string
	revoke        func(ctx context.Context, by *member) error
}

func (c *crowd) liveToken(ctx context.Context, i int) (revocable, error) {
	stream := "visible" + strconv.Itoa(i)
	created, err := c.members[i%len(c.members)].api.CreateLiveTokenWithResponse(ctx, &client.CreateLiveTokenParams{Stream: stream})
	if err != nil {
		return revocable{}, err
	}
	if created.JSON200 == nil {
		return revocable{}, fmt.Errorf("create a live token: %s", created.Status())
	}
	return revocable{stream, created.JSON200.PlayToken, func(ctx context.Context, by *member) error {
		resp, err := by.api.DestroyLiveTokenWithResponse(ctx, &client.DestroyLiveTokenParams{Token: created.JSON200.Token})
		if err == nil && resp.StatusCode() != http.StatusOK {
			err = fmt.Errorf("destroy a live token: %s", resp.Status())
		}
		return err
	}}, nil
}

// accessToken is revoked when its login is refreshed.
func (c *crowd) accessToken(_ context.Context, i int) (revocable, error) {
	return revocable{"visible" + strconv.Itoa(i), c.next, func(ctx context.Context, by *member) error {
		resp, err := by.api.IpchubRefreshWithResponse(ctx, &client.IpchubRefreshParams{Token: c.refresh})
		if err != nil {
			return err
		}
		if resp.JSON200 == nil {
			return fmt.Errorf("refresh: %s", resp.Status())
		}
		c.next, c.refresh = resp.JSON200.AccessToken, resp.JSON200.RefreshToken
		return nil
	}}, nil
}

// measure returns the time from the acknowledgement until every process has
// refused a callback. Each is asked without a pause.
func (c *crowd) measure(ctx context.Context, i int, obtain func(context.Context, int) (revocable, error)) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, visibleTimeout)
	defer cancel()
	r, err := obtain(ctx, i)
	if err != nil {
		return 0, err
	}
	play := &url.URL{Scheme: "rtmp", Host: "live.example.com", Path: "/live/" + r.stream, RawQuery: "token=" + r.token}
	for _, m := range c.members {
		admitted, err := m.ask(ctx, play)
		if err == nil && !admitted {
			err = fmt.Errorf("%s is not admitted to %s", r.token, r.stream)
		}
		if err != nil {
			return 0, err
		}
	}
	if err := r.revoke(ctx, c.members[(i+1)%len(c.members)]); err != nil {
		return 0, err
	}
	acknowledged := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	for _, m := range c.members {
		group.Go(func() error {
			for admitted := true; admitted; {
				var err error
				if admitted, err = m.ask(ctx, play); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err = group.Wait()
	return time.Since(acknowledged), err
}

// ask makes one callback and says whether the player was let in.
func (m *member) ask(ctx context.Context, play *url.URL) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, fmt.Errorf("still admitted: %w", err)
	}
	request, err := playRequest(m.server.addr, play)
	if err != nil {
		return false, err
	}
	shot := &playShots{players: m.asked, request: request, id: bytes.Index(request, []byte(clientIDRoom))}
	status, body, err := m.conn.roundTrip(shot.next())
	if err == nil && status >= http.StatusInternalServerError {
		err = fmt.Errorf("%d %.200q", status, body)
	}
	return status == http.StatusOK && string(body) == "0", err
}
