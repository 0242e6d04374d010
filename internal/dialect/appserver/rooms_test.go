package appserver

import (
	"slices"
	"testing"
)

func TestARoomRemembersItsMessageServices(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, c := range []struct {
		path, servers string
		want          []string
	}{
		{"/api/v1/live/create", ``, []string{"aliyun_old"}},
		{"/api/v1/live/create", `,"im_server":null`, []string{"aliyun_old"}},
		{"/api/v1/live/create", `,"im_server":[]`, []string{"aliyun_old"}},
		{"/api/v1/live/create", `,"im_server":["aliyun_new"]`, []string{"aliyun_new"}},
		{"/api/v2/live/create", `,"im_server":["aliyun_old","aliyun_new"]`, []string{"aliyun_old", "aliyun_new"}},
	} {
		id := b.send(t, c.path, b.alice, `{"title":"a"`+c.servers+`}`).want(t, 200).room.ID
		r, err := b.rooms.Get(t.Context(), id)
		if err != nil || !slices.Equal(r.IMServers, c.want) {
			t.Errorf("%s%s: %v, %v", c.path, c.servers, r.IMServers, err)
		}
	}
	for _, servers := range []string{`[""]`, `["rongyun"]`, `"aliyun_new"`} {
		b.bad(t, "/api/v1/live/create", b.alice, `{"title":"a","im_server":`+servers+`}`).want(t, 400)
	}
}

func TestUpdatingChangesOnlyWhatIsGiven(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t, `,"notice":"n","extends":"e"`)
	for _, c := range []struct{ change, title, notice, extends string }{
		{`"notice":"n2"`, "Evening show", "n2", "e"},
		{`"title":"t2","extends":""`, "t2", "n2", "e"},
		{`"extends":"{\"a\":\"<b>&\\u2028\"}"`, "t2", "n2", `{"a":"<b>&\u2028"}`},
	} {
		got := b.send(t, "/api/v1/live/update", b.alice, `{"id":"`+r.ID+`",`+c.change+`}`).want(t, 200).room
		if got.Title != c.title || got.Notice != c.notice || got.Extends != c.extends {
			t.Errorf("%s: %+v", c.change, got)
		}
	}
}

func TestRoomIDsAreThirtyTwoHexDigitsAndTheChatIDToo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t, "")
	if r.ID != vectorRoom || r.ChatID != r.ID {
		t.Errorf("id %s, chat id %s", r.ID, r.ChatID)
	}
	if r.Code == nil || *r.Code != 200 {
		t.Errorf("code %v", r.Code)
	}
}
