package room

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/im"
)

// keeper is a provider that cannot remove groups.
type keeper struct {
	im.Old
	answer string // the id of its groups; "" for the wanted one
	asked  []string
}

func (k *keeper) CreateGroup(_ context.Context, creator, id string) (string, error) {
	k.asked = append(k.asked, creator+" "+id)
	if k.answer != "" {
		id = k.answer
	}
	return id, nil
}

func (k *keeper) DeleteGroup(context.Context, string) error { return im.ErrKept }

// strays lists the groups that are to be removed later.
func (b *bundle) strays(t testing.TB) []string {
	t.Helper()
	rows, err := b.pool.Query(t.Context(), "SELECT server || ' ' || group_id FROM stray_groups ORDER BY 1")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	return out
}

func TestTheOlderServiceChoosesTheIdOfBothGroups(t *testing.T) {
	t.Parallel()
	b := setup(t)
	old := &keeper{answer: "chosen-1"}
	b.Groups.Old = old
	r := b.create(t, func(in *Input) { in.IMServers = []string{im.ServerNew, im.ServerOld} })
	if r.ID != "chosen-1" || r.ChatID != r.ID || len(old.asked) != 1 {
		t.Errorf("room %q, chat %q, asked %q", r.ID, r.ChatID, old.asked)
	}
	if want := []string{"chosen-1"}; !slices.Equal(b.groups.created, want) {
		t.Errorf("the newer service made %q", b.groups.created)
	}
	b.Groups.Old = &keeper{}
	if r := b.create(t, func(in *Input) { in.IMServers = []string{im.ServerNew} }); len(old.asked) != 1 || slices.Contains(r.IMServers, im.ServerOld) {
		t.Errorf("the older service was asked for a room of the newer one: %+v", r)
	}
}

func TestTheFirstGroupGoesWhenTheSecondCannotBeMade(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := &groups{}
	b.Groups.Old = first
	for _, answer := range []func(_, id string) (string, error){
		func(_, _ string) (string, error) { return "", im.ErrRefused },
		func(_, id string) (string, error) { return "not-" + id[:8], nil }, // another id than the first has
	} {
		b.groups.answer = answer
		_, err := b.Create(t.Context(), "alice", Input{Title: "t", Anchor: "alice", IMServers: []string{im.ServerOld, im.ServerNew}})
		wantErr(t, err, errs.BadGateway, "im_unavailable")
	}
	if len(first.created) != 2 || len(first.left()) != 0 || len(b.groups.left()) != 0 || len(b.strays(t)) != 0 {
		t.Errorf("made %q, left %q and %q, strays %q", first.created, first.left(), b.groups.left(), b.strays(t))
	}
}

func TestAGroupThatMayHaveBeenMadeIsRemovedLater(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var wanted string
	b.groups.answer = func(_, id string) (string, error) {
		wanted = id
		return "", context.DeadlineExceeded
	}
	_, err := b.Create(t.Context(), "alice", Input{Title: "t", Anchor: "alice"})
	wantErr(t, err, errs.BadGateway, "im_unavailable")
	if got := b.strays(t); !slices.Equal(got, []string{im.ServerNew + " " + wanted}) || len(b.groups.deleted) != 0 {
		t.Errorf("strays %q, removed %q", got, b.groups.deleted)
	}
	b.clock.advance(strayPause)
	if err := b.SweepGroups(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(b.strays(t)) != 0 || !slices.Equal(b.groups.deleted, []string{wanted}) {
		t.Errorf("strays %q, removed %q", b.strays(t), b.groups.deleted)
	}
}

func TestAGroupThatCannotBeRemovedIsRemembered(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Groups.Old = &keeper{answer: "kept"}
	b.groups.answer = func(string, string) (string, error) { return "", im.ErrRefused }
	_, err := b.Create(t.Context(), "alice", Input{Title: "t", Anchor: "alice", IMServers: []string{im.ServerOld, im.ServerNew}})
	wantErr(t, err, errs.BadGateway, "im_unavailable")
	if want := []string{"aliyun_old kept"}; !slices.Equal(b.strays(t), want) {
		t.Errorf("strays %q, want %q", b.strays(t), want)
	}
	b.clock.advance(time.Hour)
	if err := b.SweepGroups(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(b.strays(t)) != 1 {
		t.Error("a group that nobody can remove was forgotten")
	}
}

func TestRemovingAGroupIsTriedAgainUntilItIsGone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r, live := b.create(t), b.create(t)
	b.groups.onDelete = func(context.Context) error { return errBroken }
	if _, err := b.Delete(t.Context(), "alice", r.ID); err != nil {
		t.Fatal(err)
	}
	b.exec(t, "INSERT INTO stray_groups VALUES ($1, $2, $3, $3)", im.ServerNew, live.ChatID, start) // a mistake
	sweep := func(tries int) {
		t.Helper()
		b.clock.advance(strayPause)
		if err := b.SweepGroups(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := b.SweepGroups(t.Context()); err != nil { // too early to do anything
			t.Fatal(err)
		}
		if slices.Contains(b.groups.deleted, live.ChatID) || len(b.groups.deleted) != tries {
			t.Errorf("removed %q, want %d tries", b.groups.deleted, tries)
		}
	}
	sweep(2)
	b.groups.onDelete = nil
	sweep(3)
	sweep(3)
	if want := []string{im.ServerNew + " " + live.ChatID}; !slices.Equal(b.strays(t), want) {
		t.Errorf("strays %q, want %q", b.strays(t), want)
	}
}

func TestAGroupIsOnTheListUntilItsRoomIsStored(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Groups.Old = &keeper{answer: "chosen"}
	var before []string
	b.groups.answer = func(_, id string) (string, error) {
		before = b.strays(t)
		return id, nil
	}
	b.create(t, both)
	if want := []string{"aliyun_new chosen", "aliyun_old chosen"}; !slices.Equal(before, want) || len(b.strays(t)) != 0 {
		t.Errorf("on the list %q, want %q; later %q", before, want, b.strays(t))
	}
}

func TestAGroupIsOnTheListBeforeItsRoomIsGone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t)
	var before []string
	b.groups.onDelete = func(context.Context) error {
		before = b.strays(t)
		return nil
	}
	if _, err := b.Delete(t.Context(), "alice", r.ID); err != nil {
		t.Fatal(err)
	}
	if want := []string{"aliyun_new " + r.ChatID}; !slices.Equal(before, want) || len(b.strays(t)) != 0 {
		t.Errorf("on the list %q, want %q; later %q", before, want, b.strays(t))
	}
}

func TestWithoutTheListNoGroupIsMade(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t)
	b.exec(t, "ALTER TABLE stray_groups RENAME TO gone")
	if _, err := b.Create(t.Context(), "alice", Input{Title: "t", Anchor: "alice"}); err == nil || len(b.groups.created) != 1 {
		t.Errorf("made %q, error %v", b.groups.created, err)
	}
	if _, err := b.Delete(t.Context(), "alice", r.ID); err == nil || b.get(t, r.ID).ID != r.ID {
		t.Errorf("error %v", err)
	}
}

func TestDeletingARoomRemovesItsGroups(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := &groups{}
	b.Groups.Old = first
	r := b.create(t, both)
	if _, err := b.Delete(t.Context(), "alice", r.ID); err != nil {
		t.Fatal(err)
	}
	if len(first.left()) != 0 || len(b.groups.left()) != 0 || len(first.created) != 1 {
		t.Errorf("left %q and %q", first.left(), b.groups.left())
	}
}
