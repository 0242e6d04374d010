package room

import (
	"slices"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/im"
)

func both(in *Input) { in.IMServers = []string{im.ServerOld, im.ServerNew} }

func (b *bundle) muted(t testing.TB, chatID string) bool {
	t.Helper()
	m, err := b.Muted(t.Context(), "bob", chatID)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTheAnchorMutesTheRoom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r, other := b.create(t), b.create(t)
	for _, want := range []bool{true, true, false, false, true} {
		b.clock.advance(1)
		got, err := b.SetMuted(t.Context(), "alice", r.ChatID, want)
		if err != nil || got != want || b.muted(t, r.ChatID) != want || b.get(t, r.ID).Muted != want {
			t.Errorf("muted %t: %t, %v", want, got, err)
		}
		state := im.MuteState{Muted: want, ByGroup: want}
		if d := b.describe(t, b.get(t, r.ID), b.get(t, other.ID)); d[0].Mute != state || d[1].Mute != (im.MuteState{}) {
			t.Errorf("described as %+v, the other as %+v", d[0].Mute, d[1].Mute)
		}
	}
}

func TestNobodyElseMutesTheRoom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t)
	_, err := b.SetMuted(t.Context(), "bob", r.ChatID, true)
	wantErr(t, err, errs.Forbidden, "not_owner")
	for _, id := range []string{"", "nobody", "a/b", "\x00"} {
		_, err := b.SetMuted(t.Context(), "alice", id, true)
		wantErr(t, err, errs.NotFound, "room_not_found")
		_, err = b.Muted(t.Context(), "alice", id)
		wantErr(t, err, errs.NotFound, "room_not_found")
	}
	if b.muted(t, r.ChatID) {
		t.Error("the room is muted")
	}
	if _, err := b.Delete(t.Context(), "alice", r.ID); err != nil {
		t.Fatal(err)
	}
	_, err = b.SetMuted(t.Context(), "alice", r.ChatID, true)
	wantErr(t, err, errs.NotFound, "room_not_found")
}

func TestProvidersAreToldBeforeTheRoomIsMuted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := &muter{groups: b.groups}
	b.Groups.New = m
	r := b.create(t, both)
	if _, err := b.SetMuted(t.Context(), "alice", r.ChatID, true); err != nil {
		t.Fatal(err)
	}
	if want := []string{r.ChatID + " alice true"}; !slices.Equal(m.calls, want) {
		t.Errorf("told %q, want %q", m.calls, want)
	}
	m.broken = true
	_, err := b.SetMuted(t.Context(), "alice", r.ChatID, false)
	wantErr(t, err, errs.BadGateway, "im_unavailable")
	if !b.muted(t, r.ChatID) {
		t.Error("the record says something else than the provider")
	}
}

func TestMutingHalfOfTheGroupsIsTakenBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, second := &muter{groups: b.groups}, &muter{groups: b.groups, broken: true}
	b.Groups = im.Families{Old: first, New: second}
	r := b.create(t, both)
	_, err := b.SetMuted(t.Context(), "alice", r.ChatID, true)
	wantErr(t, err, errs.BadGateway, "im_unavailable")
	if want := []string{r.ChatID + " alice true", r.ChatID + " alice false"}; !slices.Equal(first.calls, want) {
		t.Errorf("the first was told %q, want %q", first.calls, want)
	}
	if b.muted(t, r.ChatID) {
		t.Error("the room is muted")
	}
}
