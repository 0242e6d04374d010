package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/client"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// stage is what the load needs: our server with its database, the bare one
// beside it, and somebody who is logged in.
type stage struct {
	server   *server
	bare     *bareServer
	database *pg.Private
	db       *pgx.Conn
	token    string
	api      *client.ClientWithResponses
	room     string   // id
	play     *url.URL // the room's for RTMP, signed, as are the next two
	flv, hls *url.URL
	viewers  *viewers
	capacity float64 // callbacks in a second, once it has been measured
}

// openStage starts everything on the data directory of the last first start.
func (s *suite) openStage(ctx context.Context) (_ *stage, err error) {
	st := &stage{}
	defer func() {
		if err != nil {
			err = errors.Join(err, st.close(ctx))
		}
	}()
	ops := ""
	if len(s.profiles) > 0 {
		if ops, err = freeAddress(); err != nil {
			return nil, err
		}
	}
	if st.server, _, err = s.start(ctx, s.dataDir(), ops); err != nil {
		return nil, err
	}
	if err := st.openDatabase(ctx, s.dataDir()); err != nil {
		return nil, err
	}
	if st.bare, err = startBare(st.database.URL()); err != nil {
		return nil, err
	}
	return st, st.logIn(ctx)
}

// close ends everything that was opened.
func (st *stage) close(ctx context.Context) error {
	var problems []error
	if st.db != nil {
		problems = append(problems, st.db.Close(context.WithoutCancel(ctx)))
	}
	if st.bare != nil {
		problems = append(problems, st.bare.stop())
	}
	if st.server != nil {
		problems = append(problems, st.server.stop())
	}
	if st.database != nil {
		stopDatabase(ctx, st.database)
	}
	return errors.Join(problems...)
}

// stopDatabase ends our use of a private PostgreSQL, and the server itself when
// nobody else uses it.
func stopDatabase(ctx context.Context, p *pg.Private) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	_ = p.Stop(ctx) // the directory is removed in any case
}

// openDatabase joins the server's private PostgreSQL, to count what it kept and
// to let pgbench at it, and makes sure that it really keeps things.
func (st *stage) openDatabase(ctx context.Context, dataDir string) (err error) {
	if st.database, err = pg.StartPrivate(ctx, pg.PrivateConfig{Dir: dataDir, Log: slog.New(slog.DiscardHandler)}); err != nil {
		return err
	}
	if st.db, err = pgx.Connect(ctx, st.database.URL()); err != nil {
		return err
	}
	for _, setting := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
		var value string
		if err := st.db.QueryRow(ctx, "SELECT current_setting($1)", setting).Scan(&value); err != nil {
			return err
		}
		if value != "on" {
			return fmt.Errorf("%s of the database is %s: commits are not durable", setting, value)
		}
	}
	return nil
}

// enter gets a token, and a client that shows it.
func (st *stage) enter(ctx context.Context) error {
	var err error
	st.api, err = client.NewClientWithResponses("http://"+st.server.addr, client.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		if st.token != "" {
			r.Header.Set("Authorization", "Bearer "+st.token)
		}
		return nil
	}))
	if err != nil {
		return err
	}
	login, err := st.api.AppLoginV1WithResponse(ctx, client.LoginRequest{Username: adminName, Password: adminPassword})
	if err != nil {
		return err
	}
	if login.JSON200 == nil {
		return fmt.Errorf("log in: %s %s", login.Status(), login.Body)
	}
	st.token = login.JSON200.Token
	return nil
}

// logIn gets a token and a room's signed play URLs as an app would.
func (st *stage) logIn(ctx context.Context) error {
	if err := st.enter(ctx); err != nil {
		return err
	}
	room, err := st.api.CreateRoomV2WithResponse(ctx, client.RoomCreateV2{Title: "watched", Anchor: adminName, IMServer: []client.IMServer{client.IMServerAliyunNew}})
	if err != nil {
		return err
	}
	if room.JSON200 == nil {
		return fmt.Errorf("create a room: %s %s", room.Status(), room.Body)
	}
	st.room = room.JSON200.ID
	pull := room.JSON200.PullURLInfo
	for text, to := range map[string]**url.URL{pull.RTMPURL: &st.play, pull.FLVURL: &st.flv, pull.HLSURL: &st.hls} {
		if *to, err = url.Parse(text); err != nil {
			return err
		}
	}
	return nil
}

// count returns the number that a query finds.
func (st *stage) count(ctx context.Context, query string, args ...any) (n int64, err error) {
	return n, st.db.QueryRow(ctx, query, args...).Scan(&n)
}
