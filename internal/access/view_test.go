package access

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/seal"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

func change(table, key string) pg.Change { return pg.Change{Table: table, Key: key} }

// room makes a room row.
func (b *bundle) room(t testing.TB, id string) {
	t.Helper()
	b.exec(t, `INSERT INTO rooms (id, app, title, anchor_id, chat_id, im_servers, created_at, updated_at)
		VALUES ($1, 'live', 't', 'alice', $1, '{}', now(), now())`, id)
}

// follower is another process that follows the database.
type follower struct {
	*bundle
	*dbtest.Following
}

// follow starts another process that follows the database.
func (b *bundle) follow(t testing.TB) follower {
	t.Helper()
	there := b.another(t)
	return follower{there, dbtest.Follow(t, b.pool, there)}
}

func TestOtherProcessesFollowRulesAndKeys(t *testing.T) {
	t.Parallel()
	here := setup(t)
	there := here.follow(t)
	here.rule(t, NewRule{Scene: media.Play})
	there.CatchUp(t)
	there.reason(t, play("x", here.signed(t)), media.Allowed)
	here.reason(t, play("x", there.signed(t)), media.Allowed)

	r := here.rule(t, NewRule{Domain: "pull.example", Scene: media.Play})
	there.CatchUp(t)
	old := here.signed(t)
	there.reason(t, play("x", old), media.Allowed)
	if _, err := here.AddKey(t.Context(), r.ID, "", true); err != nil {
		t.Fatal(err)
	}
	there.CatchUp(t)
	there.reason(t, play("x", old), media.Allowed)
	there.reason(t, play("x", here.signed(t)), media.Allowed)
	if err := here.SetKeyState(t.Context(), r.ID, r.Keys[0].ID, KeyRevoked); err != nil {
		t.Fatal(err)
	}
	there.CatchUp(t)
	there.reason(t, play("x", old), media.KeyRevoked)

	if _, err := here.SetRuleEnabled(t.Context(), r.ID, false); err != nil {
		t.Fatal(err)
	}
	there.CatchUp(t)
	told := play("x", "")
	told.Stream.Vhost = "pull.example"
	there.reason(t, told, media.OpenPolicy)
	if err := here.DeleteRule(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	there.CatchUp(t)
	there.reason(t, told, media.NoCredential)
}

func TestNotingAKeysUseAnnouncesNothing(t *testing.T) {
	t.Parallel()
	here := setup(t)
	there := here.follow(t)
	here.rule(t, NewRule{Scene: media.Play})
	there.CatchUp(t)
	here.reason(t, play("x", here.signed(t)), media.Allowed)
	before := len(there.Applied())
	if err := here.FlushKeyUse(t.Context()); err != nil {
		t.Fatal(err)
	}
	there.CatchUp(t)
	if got := there.Applied(); len(got) != before {
		t.Errorf("changes %v", got[before:])
	}
}

func TestOtherProcessesFollowTokensAndTheirAccounts(t *testing.T) {
	t.Parallel()
	here := setup(t)
	there := here.follow(t)
	alice := here.account(t, "alice", 0)
	lt := here.token(t, alice, "x")
	there.CatchUp(t)
	before := there.spy.statements.Load()
	there.reason(t, publish("x", "token="+lt.Token), media.Allowed)
	if there.spy.statements.Load() != before {
		t.Error("the feed had brought it, and it was looked up all the same")
	}
	here.exec(t, "UPDATE accounts SET disabled_at = now()")
	there.CatchUp(t)
	there.reason(t, publish("x", "token="+lt.Token), media.TokenRevoked)
	here.exec(t, "UPDATE accounts SET disabled_at = NULL")
	there.CatchUp(t)
	there.reason(t, publish("x", "token="+lt.Token), media.Allowed)
	if err := destroy(t, here, alice, lt.Token); err != nil {
		t.Fatal(err)
	}
	there.CatchUp(t)
	there.reason(t, publish("x", "token="+lt.Token), media.TokenRevoked)

	// A purge brings the row's deletion.
	here.clock.advance(revokedKept + time.Second)
	if err := here.PurgeTokens(t.Context()); err != nil {
		t.Fatal(err)
	}
	there.CatchUp(t)
	there.reason(t, publish("x", "token="+lt.Token), media.TokenUnknown)
	if n := len(there.view.tokens.places) + len(there.view.tokens.byID); n != 0 {
		t.Errorf("%d entries stay in memory", n)
	}
}

func TestOtherProcessesFollowTheEndOfRooms(t *testing.T) {
	t.Parallel()
	here := setup(t)
	there := here.follow(t)
	here.room(t, "stopped")
	here.room(t, "deleted")
	here.room(t, "open")
	for _, id := range []string{"stopped", "deleted", "open"} {
		there.reason(t, publish(id, ""), media.NoCredential)
	}
	here.exec(t, "UPDATE rooms SET status = 1 WHERE id = 'open'") // costs no notification
	here.exec(t, "UPDATE rooms SET status = 2 WHERE id = 'stopped'")
	there.CatchUp(t)
	if got := there.Applied(); len(got) != 1 || got[0] != change("rooms", "stopped") {
		t.Errorf("announced: %v", got)
	}
	there.reason(t, publish("stopped", ""), media.RoomEnded)
	here.exec(t, "UPDATE rooms SET deleted_at = now() WHERE id = 'deleted'")
	there.CatchUp(t)
	there.reason(t, publish("deleted", ""), media.RoomEnded)
	there.reason(t, publish("open", ""), media.NoCredential)
}

func TestReloadReplacesTheWholeView(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice := b.account(t, "alice", 0)
	gone := b.rule(t, NewRule{Domain: "gone.example", Scene: media.Play, Disabled: true})
	kept := b.rule(t, NewRule{Scene: media.Play})
	lost, live, revoked := b.token(t, alice, "lost"), b.token(t, alice, "live"), b.token(t, alice, "revoked")
	if err := destroy(t, b, alice, revoked.Token); err != nil {
		t.Fatal(err)
	}
	b.room(t, "ended")
	b.exec(t, "UPDATE rooms SET status = 2")
	b.RoomClosed("never-was")
	b.exec(t, "DELETE FROM auth_rules WHERE id = $1", gone.ID)
	b.exec(t, "DELETE FROM live_tokens WHERE stream = 'lost'")

	for _, s := range []*bundle{b, b.another(t)} {
		if err := s.Reload(t.Context(), b.pool); err != nil {
			t.Fatal(err)
		}
		if len(s.view.rules.byHash) != 1 || len(s.view.rules.byID) != 1 || s.view.rules.byID[kept.ID].key() != (ruleKey{scene: media.Play}) {
			t.Errorf("rules %v", s.view.rules.byID)
		}
		if len(s.view.tokens.byID) != 2 || len(s.view.tokens.places) != 4 {
			t.Errorf("%d pairs, %d tokens", len(s.view.tokens.byID), len(s.view.tokens.places))
		}
		s.reason(t, publish("live", "token="+live.Token), media.Allowed)
		s.reason(t, publish("lost", "token="+lost.Token), media.TokenUnknown)
		s.reason(t, publish("revoked", "token="+revoked.Token), media.TokenRevoked)
		s.reason(t, publish("ended", ""), media.RoomEnded)
		s.reason(t, publish("never-was", ""), media.NoCredential)
		s.reason(t, play("x", b.signed(t)), media.Allowed)
	}
}

func TestFailedReloadKeepsTheView(t *testing.T) {
	t.Parallel()
	b := setup(t)
	lt := b.token(t, b.account(t, "alice", 0), "x")
	b.rule(t, NewRule{Scene: media.Play})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Reload(ctx, b.pool); err == nil {
		t.Fatal("no error")
	}
	b.reason(t, publish("x", "token="+lt.Token), media.Allowed)

	box, err := seal.New(make([]byte, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	b.Box = box
	if err := b.Reload(t.Context(), b.pool); err == nil {
		t.Error("keys were opened with another master key")
	}
	b.reason(t, publish("x", "token="+lt.Token), media.Allowed)
	b.reason(t, play("x", b.signed(t)), media.Allowed)
}

// What a call changed is in the view when it returns, although reloads that
// read the rows before it may still be under way.
func TestReloadsNeverHideWhatThisProcessChanged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice := b.account(t, "alice", 0)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if err := b.Reload(t.Context(), b.pool); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	for range 30 {
		lt := b.token(t, alice, "x")
		if d := b.decide(start, new(publish("x", "token="+lt.Token)), false, nobody{}.Holder); d.Reason != media.Allowed {
			t.Errorf("after its creation: %s", d.Reason)
		}
		if err := destroy(t, b, alice, lt.Token); err != nil {
			t.Fatal(err)
		}
		if d := b.decide(start, new(publish("x", "token="+lt.Token)), false, nobody{}.Holder); d.Reason != media.TokenRevoked {
			t.Errorf("after its destruction: %s", d.Reason)
		}
	}
	close(stop)
	wg.Wait()
}

// probe is a database that tells when it is read.
type probe struct {
	pg.DB
	read func()
}

func (p probe) Begin(ctx context.Context) (pgx.Tx, error) {
	p.read()
	return p.DB.Begin(ctx)
}

func (p probe) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	p.read()
	return p.DB.Query(ctx, sql, args...)
}

func (p probe) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	p.read()
	return p.DB.QueryRow(ctx, sql, args...)
}

// Between reading rows and putting them into the view nobody else may do so: an
// older row would overwrite a newer one, and nothing would ever correct it.
func TestRowsReachTheViewInTheOrderInWhichTheyAreRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	reads := 0
	d := probe{b.pool, func() {
		reads++
		if b.applying.TryLock() {
			b.applying.Unlock()
			t.Error("rows are read while another reader may write older ones")
		}
	}}
	for _, table := range b.Tables() {
		if err := b.Apply(t.Context(), d, change(table, "4711")); err != nil {
			t.Fatal(err)
		}
	}
	if want := 2 + len(b.Tables()); reads != want { // rules and keys are read for either
		t.Errorf("%d reads were seen, want %d", reads, want)
	}
}

func TestDecisionsAndChangesDoNotRace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice := b.account(t, "alice", 0)
	r := b.rule(t, NewRule{Scene: media.Play})
	q := b.signed(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				b.reason(t, play("x", q), media.Allowed)
				b.signed(t)
				if d := b.ask(t, publish("x", "token=unknown")); d.Allow {
					t.Error("admitted")
				}
			}
		})
	}
	wg.Go(func() {
		for range 10 {
			if _, err := b.AddKey(t.Context(), r.ID, "", true); err != nil {
				t.Error(err)
			}
			b.token(t, alice, "x")
			b.RoomClosed("ended")
			if err := b.FlushKeyUse(t.Context()); err != nil {
				t.Error(err)
			}
			if err := b.Reload(t.Context(), b.pool); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
}

func TestChangesOfWhatIsGoneAreHarmless(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, table := range b.Tables() {
		if err := b.Apply(t.Context(), b.pool, change(table, "4711")); err != nil {
			t.Errorf("%s: %v", table, err)
		}
	}
	for _, table := range []string{"auth_rules", "signing_keys", "live_tokens"} {
		if err := b.Apply(t.Context(), b.pool, change(table, "no number")); err == nil {
			t.Errorf("%s: a key that is no number passes", table)
		}
	}
}

// slow is a database whose transactions tell of each query before it is made.
type slow struct {
	pg.DB
	before func(sql string)
}

func (s slow) Begin(ctx context.Context) (pgx.Tx, error) {
	tx, err := s.DB.Begin(ctx)
	return slowTx{tx, s.before}, err
}

type slowTx struct {
	pgx.Tx
	before func(sql string)
}

func (s slowTx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	s.before(sql)
	return s.Tx.Query(ctx, sql, args...)
}

// While a Reload is at it, with a snapshot that it has taken already, decisions
// and changes wait for nothing, and none of the changes is lost in the end.
func TestAReloadHoldsNobodyUpAndLosesNoChange(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice := b.account(t, "alice", 0)
	b.rule(t, NewRule{Scene: media.Play})
	b.room(t, "closing")
	old, kept := b.token(t, alice, "old"), b.token(t, alice, "kept")
	var made LiveToken
	var signed string
	changed := false
	d := slow{b.pool, func(sql string) {
		if changed || !strings.Contains(sql, "LiveTokenAccessAll") { // the rules have been read
			return
		}
		changed = true
		made = b.token(t, alice, "made")
		if err := destroy(t, b, alice, old.Token); err != nil {
			t.Error(err)
		}
		r := b.rule(t, NewRule{Domain: "pull.example", Scene: media.Play})
		signed = b.signed(t)
		b.exec(t, "UPDATE rooms SET status = 2 WHERE id = 'closing'")
		b.RoomClosed("closing")
		if err := b.Forbid(t.Context(), Ban{Domain: "pull.example", App: "live", Stream: "banned"}); err != nil || r.ID == 0 {
			t.Error(err)
		}
		b.exec(t, "UPDATE live_tokens SET revoked_at = now() WHERE stream = 'kept'") // by another process, which announces it
		if err := b.Apply(t.Context(), b.pool, change("live_tokens", keyOfStream(t, b, "kept"))); err != nil {
			t.Error(err)
		}
		b.reason(t, publish("made", "token="+made.Token), media.Allowed)
	}}
	if err := b.Reload(t.Context(), d); err != nil || !changed {
		t.Fatalf("reloaded while changing: %t, %v", changed, err)
	}
	b.reason(t, publish("made", "token="+made.Token), media.Allowed)
	b.reason(t, publish("old", "token="+old.Token), media.TokenRevoked)
	b.reason(t, publish("kept", "token="+kept.Token), media.TokenRevoked)
	b.reason(t, publish("closing", ""), media.RoomEnded)
	b.reason(t, play("x", signed), media.Allowed)
	banned := play("banned", "")
	banned.Host = "pull.example"
	b.reason(t, banned, media.StreamForbidden)
	if b.meanwhile != nil {
		t.Error("changes are remembered for a Reload that is over")
	}
}

func keyOfStream(t *testing.T, b *bundle, stream string) (id string) {
	t.Helper()
	if err := b.pool.QueryRow(t.Context(), "SELECT id::text FROM live_tokens WHERE stream = $1", stream).Scan(&id); err != nil {
		t.Fatal(err)
	}
	return id
}

// Thousands of changes are read in few queries, so that the process keeps up.
func TestABurstOfTokensArrivesWhole(t *testing.T) {
	t.Parallel()
	here := setup(t)
	there := here.follow(t)
	alice := here.account(t, "alice", 0)
	there.CatchUp(t)
	const n = 3000
	here.exec(t, `INSERT INTO live_tokens (account_id, app, stream, token_hash, play_hash, token_sealed, play_sealed, created_at)
		SELECT $1, 'live', 'burst-' || i, sha256(('publish-' || i)::bytea), sha256(('play-' || i)::bytea), '', '', now() FROM generate_series(1, $2) i`,
		alice.ID, n)
	there.CatchUp(t)
	before := there.spy.statements.Load()
	for i := 1; i <= n; i += 100 {
		there.reason(t, publish(fmt.Sprint("burst-", i), fmt.Sprint("token=publish-", i)), media.Allowed)
	}
	if looked := there.spy.statements.Load() - before; looked != 0 {
		t.Errorf("%d look-ups", looked)
	}
}
