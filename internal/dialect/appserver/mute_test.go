package appserver

import "testing"

func (b *bench) mute(t *testing.T, op, token, chat string) reply {
	t.Helper()
	return b.send(t, "/api/v1/live/"+op, token, `{"chatroom_id":"`+chat+`"}`)
}

func TestTheAnchorSilencesTheGroupOfARoom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t, "")
	const muted, open = `{"code":200,"mute":true}` + "\n", `{"code":200,"mute":false}` + "\n"
	for i, step := range []struct{ op, token, want string }{
		{"isMuteChatroom", b.bob, open}, {"cancelMuteChatroom", b.alice, open},
		{"muteChatroom", b.alice, muted}, {"isMuteChatroom", b.bob, muted}, {"muteChatroom", b.alice, muted},
		{"cancelMuteChatroom", b.alice, open}, {"isMuteChatroom", b.bob, open},
	} {
		if got := b.mute(t, step.op, step.token, r.ChatID).want(t, 200); string(got.Body) != step.want {
			t.Errorf("step %d, %s: %s", i, step.op, got.Body)
		}
	}
	for _, op := range []string{"muteChatroom", "cancelMuteChatroom"} {
		b.mute(t, op, b.bob, r.ChatID).want(t, 403)
		b.mute(t, op, b.bob, "none").want(t, 404)
	}
	if got := b.mute(t, "isMuteChatroom", b.bob, r.ChatID); string(got.Body) != open {
		t.Errorf("a stranger changed it: %s", got.Body)
	}
}

func TestASilentGroupShowsInTheRoom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t, "")
	b.mute(t, "muteChatroom", b.alice, r.ChatID).want(t, 200)
	shown := b.send(t, getPath, b.bob, `{"id":"`+r.ID+`"}`).want(t, 200).object
	listed := b.send(t, "/api/v1/live/list", b.bob, `{}`).want(t, 200).objects[0]
	for _, o := range []map[string]any{shown, listed} {
		status := o["user_status"].(map[string]any)
		if sources := status["mute_source"].([]any); status["mute"] != true || len(sources) != 1 || sources[0] != "group" {
			t.Errorf("%v", status)
		}
	}
}
