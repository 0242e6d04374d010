package main

import (
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/seal"
)

// world is a server of its own with so many rooms and live tokens, and a tenth as
// many rules, all of them written by SQL and loaded when it starts.
type world struct {
	stage
	dir     string
	n       int
	perRule float64 // bytes of memory, as are the next two; 0 for too few to tell
	perTok  float64
	perRoom float64
	ready   time.Duration // of the start with everything in it
	memory  float64       // MiB of the process after that
	edge    load
}

func (w *world) rules() int { return w.n / 10 }

// countable is how many entries stand out of whatever else moves in memory.
const countable = 1000

// endedOf is which share of the rooms has not ended: one in so many, the newest.
const endedOf = 10

// makeWorld fills the database kind by kind and starts the server after each:
// what its memory has grown by is theirs.
func (s *suite) makeWorld(ctx context.Context, n int) (_ *world, err error) {
	w := &world{n: n, dir: filepath.Join(s.dir, "world"+strconv.Itoa(n))}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close(ctx))
		}
	}()
	if err := w.start(ctx, s); err != nil {
		return nil, err
	}
	if err := w.openDatabase(ctx, w.dir); err != nil {
		return nil, err
	}
	before, err := w.heap(ctx)
	if err != nil {
		return nil, err
	}
	for _, kind := range []struct {
		name  string
		fill  func(context.Context) error
		count int
		each  *float64
	}{{"rules", w.fillRules, w.rules(), &w.perRule}, {"tokens", w.fillTokens, n, &w.perTok}, {"rooms", w.fillRooms, n - n/endedOf, &w.perRoom}} {
		began := time.Now()
		after, err := w.grow(ctx, s, kind.fill)
		if err != nil {
			return nil, err
		}
		s.say("%-20s %s filled and started in %s s, of which start %s s", "world", kind.name, number(time.Since(began).Seconds()), number(w.ready.Seconds()))
		if kind.count >= countable {
			*kind.each = (after - before) / float64(kind.count)
		}
		before = after
	}
	if w.memory, err = w.server.memory(); err != nil {
		return nil, err
	}
	s.say("%-20s %d rooms and tokens, %d rules: ready after %s s, %s MiB; %s, %s and %s bytes for a rule, token and ended room", "world",
		n, w.rules(), number(w.ready.Seconds()), number(w.memory), number(w.perRule), number(w.perTok), number(w.perRoom))
	return w, w.enter(ctx)
}

// grow fills the database while the server is down, starts it again and returns
// how many bytes it then has in use.
func (w *world) grow(ctx context.Context, s *suite, fill func(context.Context) error) (float64, error) {
	err := w.server.stop()
	w.server = nil
	if err != nil {
		return 0, err
	}
	if err := fill(ctx); err != nil {
		return 0, err
	}
	if err := w.start(ctx, s); err != nil {
		return 0, err
	}
	return w.heap(ctx)
}

func (w *world) start(ctx context.Context, s *suite) error {
	ops, err := freeAddress()
	if err == nil {
		w.server, w.ready, err = s.start(ctx, w.dir, ops)
	}
	return err
}

// heap returns how many bytes the server has in use after a collection.
func (w *world) heap(ctx context.Context) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.server.ops+"/debug/pprof/heap?gc=1&debug=1", nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	return parseHeap(string(text))
}

func parseHeap(profile string) (float64, error) {
	_, rest, ok := strings.Cut(profile, "\n# HeapAlloc = ")
	line, _, _ := strings.Cut(rest, "\n")
	if !ok {
		return 0, errors.New("the profile does not tell the size of the heap")
	}
	return strconv.ParseFloat(line, 64)
}

// The names of what is written, by number.
func ruleDomain(i int) string  { return fmt.Sprintf("d%d.example.com", i) }
func tokenStream(i int) string { return fmt.Sprintf("s%d", i) }
func playToken(i int) string   { return fmt.Sprintf("play-%d", i) }

// roomID is that of room i, of which the newest is 1.
func roomID(i int) string {
	sum := md5.Sum(fmt.Appendf(nil, "room-%d", i))
	return hex.EncodeToString(sum[:])
}

// fillRules writes rules of as many domains, each with a key of its own.
func (w *world) fillRules(ctx context.Context) error {
	box, err := w.box()
	if err != nil {
		return err
	}
	return w.quietly(ctx, []string{"auth_rules", "signing_keys"}, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `INSERT INTO auth_rules (domain, scene, scheme, created_at, updated_at)
			SELECT 'd' || n || '.example.com', 'play', 'stagedoor', now(), now() FROM generate_series(1, $1::int) n RETURNING id`, w.rules())
		if err != nil {
			return err
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			return err
		}
		now := time.Now()
		_, err = tx.CopyFrom(ctx, pgx.Identifier{"signing_keys"}, []string{"rule_id", "kid", "secret_sealed", "state", "created_at", "changed_at"},
			pgx.CopyFromSlice(len(ids), func(i int) ([]any, error) {
				secret, kid := rand.Text()+rand.Text(), "bench1"
				return []any{ids[i], kid, box.Seal([]byte(secret), fmt.Sprintf("signing_key/%d/%s", ids[i], kid)), "active", now, now}, nil
			}))
		return err
	})
}

// fillTokens writes live tokens of the administrator. Memory does not hold the
// sealed values, which stay empty.
func (w *world) fillTokens(ctx context.Context) error {
	return w.quietly(ctx, []string{"live_tokens"}, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO live_tokens (account_id, app, stream, token_hash, play_hash, token_sealed, play_sealed, created_at)
			SELECT a.id, 'live', 's' || n, sha256(('publish-' || n)::bytea), sha256(('play-' || n)::bytea), '', '', now()
			FROM accounts a, generate_series(1, $1::int) n WHERE a.username = $2`, w.n, adminName)
		return err
	})
}

// fillRooms writes rooms of a hundred anchors, the first the newest. One in ten
// has not ended; these are the newest.
func (w *world) fillRooms(ctx context.Context) error {
	return w.quietly(ctx, []string{"rooms"}, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO rooms (id, app, title, anchor_id, chat_id, im_servers, status, created_at, updated_at, started_at, stopped_at)
			SELECT md5('room-' || n), 'live', 'room ' || n, 'anchor' || n % 100, md5('room-' || n), '{aliyun_new}',
				CASE WHEN n <= $1::int / $2::int THEN n % 2 ELSE 2 END, at, at, at, CASE WHEN n > $1 / $2 THEN at + interval '1 second' END
			FROM generate_series(1, $1) n, LATERAL (SELECT now() - n * interval '1 second' AS at) t`, w.n, endedOf)
		return err
	})
}

// quietly writes many rows without a notification and a look at other tables for
// each, builds the indexes when all are there, and has PostgreSQL know about them
// as it does some time after they have come. All of that only saves time.
func (w *world) quietly(ctx context.Context, tables []string, fill func(pgx.Tx) error) error {
	err := pgx.BeginFunc(ctx, w.db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL session_replication_role = replica"); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE pg_index SET indisready = false, indisvalid = false WHERE indrelid = ANY($1::text[]::regclass[])", tables); err != nil {
			return err
		}
		return fill(tx)
	})
	after := []string{"SET maintenance_work_mem = '256MB'"}
	for _, t := range tables {
		after = append(after, "REINDEX TABLE "+t, "VACUUM (ANALYZE) "+t)
	}
	for _, statement := range append(after, "CHECKPOINT") {
		if err == nil {
			_, err = w.db.Exec(ctx, statement)
		}
	}
	if err != nil {
		return fmt.Errorf("fill %s: %w", strings.Join(tables, ", "), err)
	}
	return nil
}

func (w *world) box() (*seal.Box, error) {
	key, err := seal.LoadOrCreateKey(w.dir, rand.Reader)
	if err != nil {
		return nil, err
	}
	return seal.New(key)
}

// knowledge returns what the server knows, in this process.
func (w *world) knowledge(ctx context.Context) (*access.Service, error) {
	box, err := w.box()
	if err != nil {
		return nil, err
	}
	a := access.New(access.Config{DB: w.db, Box: box, Now: time.Now, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler), App: "live",
		PublishHost: "127.0.0.1", PlayHost: "127.0.0.1", Policy: access.DenyByDefault})
	return a, a.Reload(ctx, w.db)
}
