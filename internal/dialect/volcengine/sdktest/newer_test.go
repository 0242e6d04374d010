package sdktest

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	live2023 "github.com/volcengine/volc-sdk-golang/service/live/v20230101"
	"github.com/volcengine/volcengine-go-sdk/volcengine/volcengineerr"
)

func ptr[T any](v T) *T { return &v }

func TestNewerPackageWritesARuleThatSignsAndVerifies(t *testing.T) {
	t.Parallel()
	c, ctx := newer(freshKey(t)), t.Context()
	const domain = "newer.example.com"
	_, err := c.UpdateAuthKey(ctx, &live2023.UpdateAuthKeyBody{Domain: domain, SceneType: "push", PushPullEnable: ptr(true), ValidDuration: ptr[int32](60),
		AuthDetailList: []live2023.UpdateAuthKeyBodyAuthDetailListItem{{AuthType: "TypeCustom", EncryptionAlgorithm: "md5_custom", SecretKey: "A1B2C3d4e5f6",
			AuthField:    map[string]*string{"volcSecret": ptr("sign"), "volcTime": ptr("expire")},
			EncryptField: []*string{ptr("SecretKey"), ptr("volcTime"), ptr("Domain"), ptr("AppName"), ptr("StreamName")}}}})
	if err != nil {
		t.Fatal(err)
	}
	shown, err := c.DescribeAuth(ctx, &live2023.DescribeAuthBody{Domain: ptr(domain), SceneType: "push"})
	if err != nil || len(shown.Result.AuthList) != 1 || shown.ResponseMetadata.RequestID == "" {
		t.Fatalf("%v %+v", err, shown)
	}
	entry := shown.Result.AuthList[0]
	if entry.Domain != domain || !entry.AuthStatus || entry.ValidDuration != 60 || entry.TimeStampBase != 10 {
		t.Errorf("%+v", entry)
	}
	if d := entry.AuthDetailList[0]; d.AuthType == nil || *d.AuthType != "TypeCustom" || len(d.EncryptField) != 5 {
		t.Errorf("%+v", d)
	}
	push, err := c.GeneratePushURL(ctx, &live2023.GeneratePushURLBody{Vhost: "any.example.com", Domain: ptr(domain), App: "live", Stream: "newer1",
		ExpiredTime: ptr(time.Now().Add(time.Hour).UTC().Format(time.RFC3339))})
	if err != nil || push.Result.AuthType != "TypeCustom" {
		t.Fatalf("%v %+v", err, push)
	}
	host, app, stream, query := parts(t, push.Result.PushURLList[0])
	if !strings.HasPrefix(query, "expire=") || !strings.Contains(query, "&sign=") {
		t.Errorf("query %s", query)
	}
	if publish(t, host, app, "newer2", query) || !publish(t, host, app, stream, query) {
		t.Errorf("%s is not judged right at the door", push.Result.PushURLList[0])
	}
	play, err := c.GeneratePlayURL(ctx, &live2023.GeneratePlayURLBody{Domain: pullHost, App: "live", Stream: "newer1", StreamType: "source"})
	if err != nil || len(play.Result.URLList) != 3 || play.Result.AuthType == "" {
		t.Errorf("%v %+v", err, play)
	}
}

func TestNewerPackageControlsStreams(t *testing.T) {
	t.Parallel()
	c, ctx := newer(program.admin), t.Context()
	const domain, stream = "control.example.com", "newer-control"
	push, err := c.GeneratePushURL(ctx, &live2023.GeneratePushURLBody{Vhost: domain, App: "live", Stream: stream})
	if err != nil {
		t.Fatal(err)
	}
	host, app, name, query := parts(t, push.Result.PushURLList[0])
	if !publish(t, host, app, name, query) {
		t.Fatal("refused at the door")
	}
	state := func() string {
		t.Helper()
		got, err := c.DescribeLiveStreamState(ctx, &live2023.DescribeLiveStreamStateQuery{Domain: ptr(domain), App: "live", Stream: stream})
		if err != nil {
			t.Fatal(err)
		}
		return got.Result.StreamState
	}
	if got := state(); got != "online" {
		t.Errorf("state %q", got)
	}
	page, err := c.DescribeLiveStreamInfoByPage(ctx, &live2023.DescribeLiveStreamInfoByPageQuery{PageNum: 1, PageSize: 10, Domain: ptr(domain), App: ptr("live"),
		Stream: ptr("-control"), QueryType: ptr("fuzzy")})
	if err != nil || page.Result.RoughCount != 1 || page.Result.StreamInfoList[0].Domain != domain || page.Result.StreamInfoList[0].SourceType != "push" {
		t.Errorf("%v %+v", err, page)
	}
	if _, err := c.ForbidStream(ctx, &live2023.ForbidStreamBody{Domain: ptr(domain), App: "live", Stream: stream, Priority: ptr[int32](1),
		EndTime: ptr(time.Now().Add(time.Hour).UTC().Format("2006-01-02T15:04:05.000Z"))}); err != nil {
		t.Fatal(err)
	}
	if got := state(); got != "forbidden" {
		t.Errorf("state %q", got)
	}
	if publish(t, host, app, stream, query) {
		t.Error("a forbidden stream is let in")
	}
	bans, err := c.DescribeForbiddenStreamInfoByPage(ctx, &live2023.DescribeForbiddenStreamInfoByPageQuery{PageNum: 1, PageSize: 10, Domain: ptr(domain)})
	if err != nil || bans.Result.RoughCount != 1 || !bans.Result.StreamInfoList[0].Status {
		t.Errorf("%v %+v", err, bans)
	}
	if _, err := c.ResumeStream(ctx, &live2023.ResumeStreamBody{Domain: ptr(domain), App: "live", Stream: stream}); err != nil {
		t.Fatal(err)
	}
	if got := state(); got != "online" {
		t.Errorf("state %q", got)
	}
	if _, err := c.KillStream(ctx, &live2023.KillStreamBody{Vhost: domain, App: "live", Stream: "nobody-here"}); err != nil {
		t.Error(err)
	}
	now := time.Now().UTC()
	if _, err := c.DescribeClosedStreamInfoByPage(ctx, &live2023.DescribeClosedStreamInfoByPageQuery{PageNum: 1, PageSize: 10, Sort: ptr("asc"),
		EndTimeFrom: now.Add(-time.Hour).Format(time.RFC3339), EndTimeTo: now.Format(time.RFC3339)}); err != nil {
		t.Error(err)
	}
}

func TestNewerPackageIsToldWhatIsWrong(t *testing.T) {
	t.Parallel()
	wrong := program.admin
	wrong.Secret = "no" + wrong.Secret
	_, err := newer(wrong).DescribeAuth(t.Context(), &live2023.DescribeAuthBody{Vhost: ptr("a"), SceneType: "push"})
	if code := failure(t, err); code != "SignatureDoesNotMatch" {
		t.Errorf("%v", err)
	}
	_, err = newer(program.admin).DescribeAuth(t.Context(), &live2023.DescribeAuthBody{SceneType: "push"})
	if code := failure(t, err); code != "InvalidParam" {
		t.Errorf("%v", err)
	}
}

// stranger is the typed error of the other SDK.
func stranger(t *testing.T, err error) (status int, code string) {
	t.Helper()
	failed, ok := err.(volcengineerr.RequestFailure)
	if !ok || failed.RequestID() == "" || failed.Message() == "" {
		t.Fatalf("%T %v", err, err)
	}
	return failed.StatusCode(), failed.Code()
}

// The universal client sends every action in every version that has it.
func TestUniversalClientReachesEveryAction(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC()
	for _, version := range []string{"2020-08-01", "2023-01-01"} {
		k, vhost := freshKey(t), "u"+version+".example.com"
		at := func(more map[string]any) map[string]any {
			in := map[string]any{"Vhost": vhost}
			for name, v := range more {
				in[name] = v
			}
			return in
		}
		stream := at(map[string]any{"App": "live", "Stream": "u1"})
		page := map[string]any{"PageNum": 1, "PageSize": 10}
		type step struct {
			action string
			in     map[string]any
			result string // a member that the result has, "" for none
		}
		steps := []step{
			{"UpdateAuthKey", at(map[string]any{"App": "live", "SceneType": "push", "PushPullEnable": true,
				"AuthDetailList": []any{map[string]any{"SecretKey": "k1", "EncryptionAlgorithm": "md5"}}}), ""},
			{"DescribeAuth", at(map[string]any{"SceneType": "push"}), "AuthList"},
			{"GeneratePushURL", stream, "PushURLList"},
			{"GeneratePlayURL", map[string]any{"Domain": pullHost, "App": "live", "Stream": "u1", "StreamType": "source"}, "URLList"},
			{"ForbidStream", stream, ""}, {"DescribeForbiddenStreamInfoByPage", page, "StreamInfoList"}, {"ResumeStream", stream, ""}, {"KillStream", stream, ""},
			{"DescribeLiveStreamState", stream, "stream_state"}, {"DescribeLiveStreamInfoByPage", page, "StreamInfoList"},
			{"DescribeClosedStreamInfoByPage", map[string]any{"PageNum": 1, "PageSize": 10, "EndTimeFrom": now.Add(-time.Hour).Format(time.RFC3339),
				"EndTimeTo": now.Format(time.RFC3339)}, "StreamInfoList"},
		}
		if version == "2020-08-01" {
			entry := at(map[string]any{"App": "live", "SceneType": "push"})
			steps = append(steps, step{"DisableAuth", entry, ""}, step{"EnableAuth", entry, ""})
		}
		for _, s := range steps {
			got, err := call(t, k, s.action, version, s.in)
			if err != nil {
				t.Errorf("%s %s: %v", s.action, version, err)
			} else if _, has := got[s.result]; s.result != "" && !has {
				t.Errorf("%s %s: %v", s.action, version, got)
			}
		}
	}
}

func TestUniversalClientGetsTypedErrors(t *testing.T) {
	t.Parallel()
	wrong, unknown := program.admin, program.admin
	wrong.Secret, unknown.ID = "no"+wrong.Secret, "AKSD00000000000000000000"
	good := map[string]any{"Vhost": "none.example.com", "SceneType": "push"}
	for name, tc := range map[string]struct {
		k               keys
		action, version string
		in              map[string]any
		status          int
		code            string
	}{
		"wrong secret":    {wrong, "DescribeAuth", "2020-08-01", good, 401, "SignatureDoesNotMatch"},
		"unknown key":     {unknown, "DescribeAuth", "2020-08-01", good, 401, "InvalidAccessKey"},
		"no right":        {program.guest, "DescribeAuth", "2020-08-01", good, 403, "AccessDenied"},
		"no such action":  {program.admin, "DeleteAuth", "2020-08-01", good, 404, "InvalidActionOrVersion"},
		"no such version": {program.admin, "DescribeAuth", "2019-01-01", good, 404, "InvalidActionOrVersion"},
		"no such rule":    {program.admin, "EnableAuth", "2020-08-01", good, 403, "RequestForbidden"},
		"a broken rule":   {program.admin, "GeneratePushURL", "2023-01-01", map[string]any{"Vhost": "v", "App": "a/b", "Stream": "x"}, 400, "InvalidParam"},
		"a missing field": {program.admin, "GeneratePushURL", "2023-01-01", map[string]any{"Vhost": "v"}, 400, "InvalidParam.BindError"},
	} {
		_, err := call(t, tc.k, tc.action, tc.version, tc.in)
		if status, code := stranger(t, err); status != tc.status || code != tc.code {
			t.Errorf("%s: %d %s", name, status, code)
		}
	}
}

func TestTooManyRequestsAreThrottled(t *testing.T) {
	t.Parallel()
	k := freshKey(t)
	results, turn := make(chan error, 200), make(chan struct{}, 20)
	for range cap(results) {
		go func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			_, err := call(t, k, "DescribeAuth", "2020-08-01", map[string]any{"Vhost": "none.example.com"})
			results <- err
		}()
	}
	passed, throttled := 0, 0
	for range cap(results) {
		err := <-results
		if err == nil {
			passed++
			continue
		}
		if status, code := stranger(t, err); status != http.StatusTooManyRequests || code != "FlowLimitExceeded" {
			t.Errorf("%d %s", status, code)
		}
		throttled++
	}
	// Ten at once, and one more for every tenth of a second that it all takes.
	if passed < 10 || throttled == 0 {
		t.Errorf("%d passed, %d throttled", passed, throttled)
	}
}

func TestAPresignedURLOpensAState(t *testing.T) {
	t.Parallel()
	c := newer(program.admin)
	c.Client.ServiceInfo.Credentials.Service = "live"
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet,
		"http://"+program.host+"/?Action=DescribeLiveStreamState&Version=2023-01-01&Vhost=a.example.com&App=live&Stream=x", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get("http://" + program.host + "/?" + c.Client.ServiceInfo.Credentials.SignUrl(req))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Error(fmt.Sprint(resp.Status))
	}
}
