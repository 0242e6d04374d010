package appserver

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	api "github.com/stagedoor-live/stagedoor/gen/appserver"
	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

// The rows of the failure table of the reference that the conformance suite
// does not reach.

func TestATokenWithoutAnUsableExpiryIsUnauthorized(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, claims := range map[string]jwt.MapClaims{
		"no exp":   {"sub": "alice", "jti": "x", "iss": "stagedoor", "aud": "stagedoor"},
		"text exp": {"sub": "alice", "jti": "x", "iss": "stagedoor", "aud": "stagedoor", "exp": "never"},
	} {
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte("guess"))
		if err != nil {
			t.Fatal(err)
		}
		if got := b.send(t, "/api/v1/live/list", token, `{}`); got.Status != 401 {
			t.Errorf("%s: status %d", name, got.Status)
		}
	}
}

func TestAnUnknownNameAndAWrongPasswordLookTheSame(t *testing.T) {
	t.Parallel()
	b := setup(t)
	wrong := b.send(t, loginPath, "", `{"username":"alice","password":"guess"}`).want(t, 401)
	unknown := b.send(t, loginPath, "", `{"username":"mallory","password":"guess"}`).want(t, 401)
	if string(wrong.Body) != string(unknown.Body) {
		t.Errorf("%s differs from %s", wrong.Body, unknown.Body)
	}
}

func TestAFailingMessageServiceIsABadGateway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t, "")
	b.groups.failing.Store(true)
	for path, body := range map[string]string{
		"/api/v1/live/token":  `{"device_id":"x","device_type":"ios"}`,
		"/api/v2/live/token":  `{"device_id":"x","device_type":"ios","im_server":["aliyun_old","aliyun_new"]}`,
		"/api/v1/live/create": `{"title":"a"}`,
		"/api/v2/live/create": `{"title":"a","im_server":["aliyun_new"]}`,
	} {
		got := b.send(t, path, b.alice, body)
		if got.Status != 502 || strings.Contains(string(got.Body), "10.1.2.3") {
			t.Errorf("%s: %d %s", path, got.Status, got.Body)
		}
	}
	if got := b.get(t, b.alice, r.ID); got.Metrics == nil {
		t.Error("reading a room needs the message service")
	}
	b.send(t, "/api/v1/live/list", b.alice, `{}`).want(t, 200)
}

func TestALostDatabaseIsUnavailableAndComesBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t, "")
	// Every connection of the pool in somebody else's hands is what a database
	// that does not answer looks like.
	var held []interface{ Release() }
	for range b.pool.Config().MaxConns {
		c, err := b.pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	got := httptest.NewRecorder()
	rt := httpx.NewRouter()
	b.app.Register(rt)
	req := httptest.NewRequestWithContext(ctx, http.MethodPost, getPath, strings.NewReader(`{"id":"`+r.ID+`"}`))
	req.Header.Set("Authorization", "Bearer "+b.alice)
	rt.ServeHTTP(got, req)
	if got.Code != 503 || got.Header().Get("Retry-After") == "" {
		t.Errorf("%d %v %s", got.Code, got.Header(), got.Body)
	}
	for _, c := range held {
		c.Release()
	}
	b.get(t, b.alice, r.ID)
}

func TestAnUnforeseenDatabaseErrorTellsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.createLink(t)
	b.exec(t, `ALTER TABLE rooms RENAME COLUMN meeting_info TO gone`)
	for _, req := range []dialecttest.Request{
		dialecttest.JSON(getPath, b.alice, `{"id":"`+r.ID+`"}`),
		dialecttest.JSON("/api/v1/live/updateMeetingInfo", b.alice, `{"id":"`+r.ID+`","members":[]}`),
	} {
		got := b.do(t, t.Context(), req).want(t, 500)
		if string(got.Body) != `{"code":500,"message":"internal error"}`+"\n" {
			t.Errorf("%s", got.Body)
		}
		dialecttest.CheckNothingLeaked(t, b.server, req, got.Answer)
		dialecttest.CheckLoggedOnce(t, b.server.Log, got.Answer)
	}
}

func TestMeetingOfRoomsThatHaveNone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	plain := b.create(t, "")
	get, set := "/api/v1/live/getMeetingInfo", "/api/v1/live/updateMeetingInfo"

	got := b.send(t, get, b.bob, `{"id":"`+plain.ID+`"}`).want(t, 200)
	if string(got.Body) != `{"code":200,"members":[]}`+"\n" {
		t.Errorf("a plain room answers %s", got.Body)
	}
	b.send(t, set, b.alice, `{"id":"`+plain.ID+`","members":[]}`).want(t, 400)
	b.send(t, get, b.alice, `{"id":"none"}`).want(t, 404)
	b.send(t, set, b.alice, `{"id":"none","members":[]}`).want(t, 404)
	b.send(t, set, b.bob, `{"id":"`+b.createLink(t).ID+`","members":[]}`).want(t, 403)
}

func TestMembersAreReplacedAsAWhole(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.createLink(t).ID
	set := func(members string) reply {
		t.Helper()
		return b.send(t, "/api/v1/live/updateMeetingInfo", b.alice, `{"id":"`+id+`","members":`+members+`}`).want(t, 200)
	}
	set(`[{"user_id":"bob","user_nick":"B","mic_opened":true},{"user_id":"carol"}]`)
	set(`[{"user_id":"carol","camera_opened":true,"user_nick":null}]`)
	got := b.send(t, "/api/v1/live/getMeetingInfo", b.bob, `{"id":"`+id+`"}`).want(t, 200)
	want := `{"code":200,"members":[{"camera_opened":true,"mic_opened":false,"rtc_pull_url":"","user_avatar":"","user_id":"carol","user_nick":""}]}`
	if strings.TrimSpace(string(got.Body)) != want {
		t.Errorf("%s", got.Body)
	}
	if info := b.get(t, b.bob, id).MeetingInfo; !json.Valid([]byte(info)) || !strings.HasPrefix(info, `{"members":[{"user_id":"carol"`) {
		t.Errorf("meeting_info is %q", info)
	}
	set(`[]`)
	if info := b.get(t, b.bob, id).MeetingInfo; info != "" {
		t.Errorf("meeting_info of nobody is %q", info)
	}
	b.bad(t, "/api/v1/live/updateMeetingInfo", b.alice, `{"id":"`+id+`","members":[`+strings.Repeat(`{},`, 100)+`{}]}`).want(t, 400)
}

func TestEveryKindHasAStatus(t *testing.T) {
	t.Parallel()
	s := &Server{}
	for _, kind := range errs.Kinds {
		w := httptest.NewRecorder()
		s.writeError(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/login", nil), errs.New(kind, "reason", "message"))
		a := dialecttest.Answer{Status: w.Code, Header: w.Header(), Body: w.Body.Bytes()}
		checkEnvelope(t, a)
	}
}

func TestOptionalFieldsMayBeAbsentOrNull(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.send(t, "/api/v2/live/create", b.alice, `{"title":"a","anchor":null,"notice":null,"anchor_nick":null,"cover_url":null,"extends":null,"mode":null,"im_server":["aliyun_new"]}`).want(t, 200).room
	if r.AnchorID != "alice" || r.Mode != 0 || r.Notice != "" {
		t.Errorf("%+v", r)
	}
	b.send(t, "/api/v1/live/get", b.alice, `{"id":"`+r.ID+`","user_id":null,"im_server":null}`).want(t, 200)
	b.send(t, "/api/v1/live/list", b.alice, `{"user_id":null,"page_num":null,"page_size":null,"status":null,"im_server":null}`).want(t, 200)
	before := b.get(t, b.alice, r.ID)
	b.send(t, "/api/v1/live/update", b.alice, `{"id":"`+r.ID+`","title":null,"notice":"","extends":null,"anchor":null,"user_id":null}`).want(t, 200)
	if after := b.get(t, b.alice, r.ID); after.Title != before.Title {
		t.Errorf("null changed the title to %q", after.Title)
	}
}

func TestTextsOfTheLongestLengthAreKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	title, notice, ext := strings.Repeat("题", 63), strings.Repeat("告", 256), strings.Repeat("😀", 511)
	r := b.send(t, "/api/v2/live/create", b.alice,
		`{"title":"`+title+`","notice":"`+notice+`","extends":"`+ext+`","im_server":["aliyun_new"]}`).want(t, 200).room
	if got := b.get(t, b.bob, r.ID); got.Title != title || got.Notice != notice || got.Extends != ext {
		t.Error("a text came back changed")
	}
	for field, text := range map[string]string{"title": title + "题", "notice": notice + "告", "extends": ext + "x"} {
		b.bad(t, "/api/v1/live/update", b.alice, `{"id":"`+r.ID+`","`+field+`":"`+text+`"}`).want(t, 400)
	}
}

func TestARequestIsGivenUpBeforeItsClientDoes(t *testing.T) {
	t.Parallel()
	httpx.WithinBudget(budget)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		at, ok := r.Context().Deadline()
		if left := time.Until(at); !ok || left <= 0 || left >= 8*time.Second {
			t.Errorf("%v left, limited %v", left, ok)
		}
	})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/login", nil))
}

func TestEveryOperationAnswersAsTheSpecSays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	credentials := `{"username":"alice","password":"` + password + `"}`
	b.send(t, "/login", "", credentials).want(t, 200)
	b.send(t, loginPath, "", credentials).want(t, 200)
	b.send(t, "/api/v1/live/token", b.alice, `{"device_id":"x","device_type":"pc"}`).want(t, 200)
	b.issue(t, `["aliyun_old","aliyun_new"]`, "")
	b.send(t, "/api/v1/live/create", b.alice, `{"title":"a"}`).want(t, 200)
	id := b.createLink(t).ID
	for _, op := range []string{"get", "start", "pause", "stop", "update", "getMeetingInfo"} {
		b.act(t, op, b.alice, id).want(t, 200)
	}
	b.send(t, "/api/v1/live/updateMeetingInfo", b.alice, `{"id":"`+id+`","members":[]}`).want(t, 200)
	b.send(t, "/api/v1/live/sendLikeMessage", b.bob, `{"chatroom_id":"`+id+`","like_count":1}`).want(t, 200)
	b.send(t, "/api/v1/live/getStatistics", b.bob, `{"chatroom_id":"`+id+`"}`).want(t, 200)
	b.send(t, "/api/v1/live/list", b.bob, `{}`).want(t, 200)
	for _, op := range []string{"muteChatroom", "isMuteChatroom", "cancelMuteChatroom"} {
		b.mute(t, op, b.alice, id).want(t, 200)
	}
	b.renew(t, http.MethodPost, b.bob).want(t, 200)
	b.renew(t, http.MethodGet, b.bob).want(t, 200)
	_, q := b.link(t, id, "")
	b.verify(t, q, "").want(t, 200)
	b.send(t, rtcPath, b.bob, `{"room_id":"`+b.get(t, b.alice, id).MeetingID+`"}`).want(t, 200)
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		b.do(t, t.Context(), b.pushReport(method, "publish", id, b.clock.now(), nil)).want(t, 200)
	}
	b.act(t, "delete", b.alice, id).want(t, 200)

	operations := reflect.TypeFor[api.StrictServerInterface]()
	covered := b.spec.Covered()
	for i := range operations.NumMethod() {
		name := operations.Method(i).Name
		if !slices.Contains(covered, strings.ToLower(name[:1])+name[1:]) {
			t.Errorf("%s was not called with success", name)
		}
	}
}

func TestABatchOfTooManyLikesCountsAsTheMost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t, "")
	got := b.bad(t, "/api/v1/live/sendLikeMessage", b.bob, `{"chatroom_id":"`+r.ChatID+`","like_count":2000000000}`).want(t, 200)
	if got.object["count"] != 10_000.0 {
		t.Errorf("%v", got.object)
	}
	b.exec(t, `UPDATE rooms SET like_count = 3000000000`)
	got = b.send(t, "/api/v1/live/sendLikeMessage", b.bob, `{"chatroom_id":"`+r.ChatID+`","like_count":1}`).want(t, 200)
	if got.object["count"] != 2147483647.0 {
		t.Errorf("%v", got.object)
	}
}
