package room

import (
	"context"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/im"
)

func TestCreatedRoomIsKeptAsItWasGiven(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made, err := b.Create(t.Context(), "alice", Input{Title: "标题 <b>", Notice: "notice", CoverURL: "https://c/", Anchor: "alice", AnchorNick: "Alice A.",
		Extends: ` {"userNick": "A",` + "\n" + `"n":1.0} `, IMServers: []string{im.ServerOld, im.ServerNew, im.ServerOld}})
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(made.ID) {
		t.Errorf("id %q", made.ID)
	}
	want := Room{ID: made.ID, App: "live", Title: "标题 <b>", Notice: "notice", CoverURL: "https://c/", AnchorID: "alice", AnchorNick: "Alice A.",
		Extends: ` {"userNick": "A",` + "\n" + `"n":1.0} `, ChatID: made.ID, IMServers: []string{im.ServerOld, im.ServerNew}, CreatedAt: made.CreatedAt, UpdatedAt: made.UpdatedAt}
	if !made.CreatedAt.Equal(start) || !made.UpdatedAt.Equal(start) {
		t.Errorf("created %s, updated %s", made.CreatedAt, made.UpdatedAt)
	}
	if !reflect.DeepEqual(made, want) {
		t.Errorf("made\n%+v, want\n%+v", made, want)
	}
	if got := b.get(t, made.ID); !reflect.DeepEqual(got, want) {
		t.Errorf("kept\n%+v, want\n%+v", got, want)
	}
	if got := b.groups.left(); !slices.Equal(got, []string{made.ID, made.ID}) { // one in each service
		t.Errorf("groups %v", got)
	}
}

func TestOnlyLinkRoomsHaveAMeeting(t *testing.T) {
	t.Parallel()
	b := setup(t)
	plain, link, other := b.create(t), b.create(t, linked), b.create(t, linked)
	if plain.MeetingID != "" || plain.Mode != ModePlain {
		t.Errorf("plain room: mode %d, meeting %q", plain.Mode, plain.MeetingID)
	}
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(link.MeetingID) || link.Mode != ModeLink {
		t.Errorf("link room: mode %d, meeting %q", link.Mode, link.MeetingID)
	}
	if link.MeetingID == other.MeetingID || link.ID == other.ID {
		t.Error("two rooms share an id")
	}
	if want := []string{im.ServerNew}; !reflect.DeepEqual(plain.IMServers, want) {
		t.Errorf("message services %v, want %v", plain.IMServers, want)
	}
}

func TestInputIsChecked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	runes := func(n int) string { return strings.Repeat("字", n) }
	good := Input{Title: "t", Anchor: "alice"}
	for name, c := range map[string]struct {
		change func(*Input)
		reason string // "" for accepted
	}{
		"no title":                         {func(in *Input) { in.Title = "" }, "invalid_title"},
		"blank title":                      {func(in *Input) { in.Title = " \t\u00a0\n" }, "invalid_title"},
		"title of 63 characters":           {func(in *Input) { in.Title = runes(63) }, ""},
		"title of 64 characters":           {func(in *Input) { in.Title = runes(64) }, "invalid_title"},
		"title that is no UTF-8":           {func(in *Input) { in.Title = "a\xff" }, "invalid_text"},
		"title with NUL":                   {func(in *Input) { in.Title = "a\x00" }, "invalid_text"},
		"notice of 256 characters":         {func(in *Input) { in.Notice = runes(256) }, ""},
		"notice of 257 characters":         {func(in *Input) { in.Notice = runes(257) }, "invalid_notice"},
		"notice with NUL":                  {func(in *Input) { in.Notice = "\x00" }, "invalid_text"},
		"extends of 511 characters":        {func(in *Input) { in.Extends = runes(511) }, ""},
		"extends of 512 characters":        {func(in *Input) { in.Extends = runes(512) }, "invalid_extends"},
		"extends that is no UTF-8":         {func(in *Input) { in.Extends = "\xc3(" }, "invalid_text"},
		"nick of 256 characters":           {func(in *Input) { in.AnchorNick = runes(256) }, ""},
		"nick of 257 characters":           {func(in *Input) { in.AnchorNick = runes(257) }, "invalid_anchor_nick"},
		"nick with NUL":                    {func(in *Input) { in.AnchorNick = "\x00" }, "invalid_text"},
		"cover of 256 characters":          {func(in *Input) { in.CoverURL = runes(256) }, ""},
		"cover of 257 characters":          {func(in *Input) { in.CoverURL = runes(257) }, "invalid_cover_url"},
		"cover with NUL":                   {func(in *Input) { in.CoverURL = "\x00" }, "invalid_text"},
		"no anchor":                        {func(in *Input) { in.Anchor = "" }, "invalid_anchor"},
		"somebody else as the anchor":      {func(in *Input) { in.Anchor = "bob" }, "not_owner"},
		"the anchor in another case":       {func(in *Input) { in.Anchor = "Alice" }, "not_owner"},
		"link mode":                        {func(in *Input) { in.Mode = ModeLink }, ""},
		"mode 2":                           {func(in *Input) { in.Mode = 2 }, "invalid_mode"},
		"mode -1":                          {func(in *Input) { in.Mode = -1 }, "invalid_mode"},
		"mode that fits no column":         {func(in *Input) { in.Mode = 1 << 16 }, "invalid_mode"},
		"both message services":            {func(in *Input) { in.IMServers = []string{im.ServerNew, im.ServerOld} }, ""},
		"an unknown message service":       {func(in *Input) { in.IMServers = []string{im.ServerNew, "rongyun"} }, "invalid_im_server"},
		"an empty message service":         {func(in *Input) { in.IMServers = []string{""} }, "invalid_im_server"},
		"everything at its limit at once":  {func(in *Input) { in.Title, in.Notice, in.Extends = runes(63), runes(256), runes(511) }, ""},
		"quotes and slashes in every text": {func(in *Input) { in.Title, in.Notice, in.Extends = `'"\`, `'";--`, `{"a":"\u0000"}` }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := good
			c.change(&in)
			r, err := b.Create(t.Context(), "alice", in)
			if c.reason == "" {
				if err != nil || r.Title != in.Title || r.Extends != in.Extends {
					t.Errorf("%+v, error %v", r, err)
				}
				return
			}
			kind := errs.Invalid
			if c.reason == "not_owner" {
				kind = errs.Forbidden
			}
			wantErr(t, err, kind, c.reason)
		})
	}
}

func TestCoStreamingNeedsANameThatNeedsNoEscaping(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, ok := range map[string]bool{"Cedric8": true, "a_b-c=d": true, strings.Repeat("a", 64): true,
		"a.b": false, "a@b": false, "a b": false, "a&b": false, "用户": false, strings.Repeat("a", 65): false} {
		_, err := b.Create(t.Context(), name, Input{Title: "t", Anchor: name, Mode: ModeLink})
		if ok && err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if !ok {
			wantErr(t, err, errs.Invalid, "invalid_mode")
		}
		if _, err := b.Create(t.Context(), name, Input{Title: "t", Anchor: name}); err != nil {
			t.Errorf("%q in a plain room: %v", name, err)
		}
	}
}

func TestRoomsAreFoundByTheirIdOnly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t)
	for _, id := range []string{"", "nobody", strings.ToUpper(r.ID) + "x", r.ID + " ", r.ID + "\x00", "' OR 1=1", strings.Repeat("a", 65), "\xff"} {
		_, err := b.Get(t.Context(), id)
		wantErr(t, err, errs.NotFound, "room_not_found")
	}
	b.exec(t, "UPDATE rooms SET deleted_at = now()")
	_, err := b.Get(t.Context(), r.ID)
	wantErr(t, err, errs.NotFound, "room_not_found")
}

func TestOlderIdsAreAccepted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t)
	b.exec(t, "UPDATE rooms SET id = 'C8D619E2-e7ec-445d-b8a1-e1ebf967d6c3'")
	if got := b.get(t, "C8D619E2-e7ec-445d-b8a1-e1ebf967d6c3"); got.ChatID != r.ChatID {
		t.Errorf("room %+v", got)
	}
}

func TestGroupIsRemovedWhenTheRoomCannotBeStored(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	b.groups.answer = func(_, id string) (string, error) {
		cancel() // the caller goes away after the group was made
		return id, nil
	}
	if _, err := b.Create(ctx, "alice", Input{Title: "t", Anchor: "alice"}); err == nil {
		t.Fatal("the room was stored")
	}
	if len(b.groups.created) != 1 || len(b.groups.left()) != 0 {
		t.Errorf("groups made %v, left %v", b.groups.created, b.groups.left())
	}
	if p, err := b.List(t.Context(), 1, 10, nil); err != nil || len(p.Rooms) != 0 {
		t.Errorf("rooms %+v, error %v", p.Rooms, err)
	}
}

func TestGroupThatCannotBeRemovedDoesNotHideTheFailure(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.groups.onDelete = func(ctx context.Context) error {
		if _, bounded := ctx.Deadline(); !bounded || ctx.Err() != nil {
			t.Error("the removal is not bounded, or is over already")
		}
		return errBroken
	}
	b.groups.answer = func(_, id string) (string, error) {
		b.pool.Close()
		return id, nil
	}
	_, err := b.Create(t.Context(), "alice", Input{Title: "t", Anchor: "alice"})
	if errs.KindOf(err) != errs.Unavailable {
		t.Errorf("error %v", err)
	}
	if len(b.groups.deleted) != 1 {
		t.Errorf("removed %v", b.groups.deleted)
	}
}

func TestWithoutAGroupThereIsNoRoom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.groups.answer = func(string, string) (string, error) { return "", errBroken }
	_, err := b.Create(t.Context(), "alice", Input{Title: "t", Anchor: "alice"})
	wantErr(t, err, errs.BadGateway, "im_unavailable")
	for _, odd := range []string{"", "a/b", "a b", "a&b=c", strings.Repeat("a", 65)} {
		b.groups.answer = func(string, string) (string, error) { return odd, nil }
		_, err := b.Create(t.Context(), "alice", Input{Title: "t", Anchor: "alice"})
		wantErr(t, err, errs.BadGateway, "im_unavailable")
	}
	if p, err := b.List(t.Context(), 1, 10, nil); err != nil || len(p.Rooms) != 0 || len(b.groups.left()) != 0 {
		t.Errorf("rooms %+v, groups %v, error %v", p.Rooms, b.groups.left(), err)
	}
}

func TestProviderMayChooseTheId(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.groups.answer = func(creator, _ string) (string, error) { return "group-of-" + creator, nil }
	if r := b.create(t); r.ID != "group-of-alice" || r.ChatID != r.ID {
		t.Errorf("room %q, chat %q", r.ID, r.ChatID)
	}
}

func TestWithoutRandomnessNothingIsMade(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, bytes := range []int{0, 16} { // for nothing, and for the room's id but no meeting's
		b.Rand = iotest.DataErrReader(iotest.TimeoutReader(strings.NewReader(strings.Repeat("r", bytes))))
		if _, err := b.Create(t.Context(), "alice", Input{Title: "t", Anchor: "alice", Mode: ModeLink}); err == nil {
			t.Errorf("with %d random bytes a room was made", bytes)
		}
	}
	if len(b.groups.created) != 0 {
		t.Errorf("groups %v", b.groups.created)
	}
}

func TestUnreadableMembersAreAnErrorOfOurs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t, linked)
	b.exec(t, `UPDATE rooms SET meeting_info = '"text"'`)
	_, err := b.Get(t.Context(), r.ID)
	if errs.KindOf(err) != errs.Internal || !strings.Contains(err.Error(), r.ID) {
		t.Errorf("error %v", err)
	}
}
