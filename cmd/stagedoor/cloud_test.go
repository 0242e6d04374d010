package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/aliyun/aliyuntest"
)

// post sends JSON to a server and decodes the answer.
func (s *serving) post(t *testing.T, path, token, body string) (int, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, out
}

// inCloud starts a server that uses these services of a cloud.
func inCloud(t *testing.T, cloud *aliyuntest.Server, services, signature string) (s *serving, token string) {
	t.Helper()
	s = install(t).serve(t, "--admin-password", "correct horse battery", "--aliyun-services", services, "--aliyun-signature", signature,
		"--aliyun-access-key-id", aliyuntest.KeyID, "--aliyun-access-key-secret", aliyuntest.Secret,
		"--aliyun-live-endpoint", cloud.URL, "--aliyun-vod-endpoint", cloud.URL, "--im-old-app-id", "oldapp",
		"--im-app-id", "newapp", "--im-app-key", "the-key-of-newapp", "--im-app-sign", "sign")
	_, login := s.post(t, "/login", "", `{"username":"admin","password":"correct horse battery"}`)
	token, _ = login["token"].(string)
	return s, token
}

func TestAConfiguredCloudCarriesTheMessageGroups(t *testing.T) {
	t.Parallel()
	for _, signature := range []string{"v1", "v3"} {
		t.Run(signature, func(t *testing.T) {
			t.Parallel()
			cloud := aliyuntest.New(t, time.Now)
			s, token := inCloud(t, cloud, "im_old,im_new,vod", signature)
			_, room := s.post(t, "/api/v2/live/create", token, `{"title":"a","im_server":["aliyun_old","aliyun_new"]}`)
			id, _ := room["id"].(string)
			if id != "old-group-1" {
				t.Fatalf("created %v", room)
			}
			cloud.Join(id, 2, 30)
			cloud.Record(id, "media-1", json.RawMessage(`{"PlayURL":"https://vod.example.com/a.m3u8"}`))
			s.post(t, "/api/v1/live/sendLikeMessage", token, `{"chatroom_id":"`+id+`","like_count":5}`)
			s.post(t, "/api/v1/live/stop", token, `{"id":"`+id+`"}`)
			_, got := s.post(t, "/api/v1/live/get", token, `{"id":"`+id+`"}`)
			if metrics, _ := got["metrics"].(map[string]any); metrics["online_count"] != 4.0 || got["vod_id"] != "media-1" {
				t.Errorf("shown %v", got)
			}
			s.post(t, "/api/v1/live/delete", token, `{"id":"`+id+`"}`)
			if left := cloud.Groups(); len(left) != 0 {
				t.Errorf("left %q", left)
			}
			if _, text := get(t, s.url+"/metrics"); !strings.Contains(text, `stagedoor_cloud_request_duration_seconds_count{action="CreateMessageGroup",outcome="done"} 1`) {
				t.Errorf("metrics:\n%s", text)
			}
			s.stop() // the last likes are told
			if n := len(cloud.Calls("SendLike")); n > 1 || len(cloud.Calls("SendLiveMessageGroup")) != n {
				t.Errorf("likes told %d times", n)
			}
			if log := s.stderr.String() + s.stdout.String(); strings.Contains(log, aliyuntest.Secret) || strings.Contains(log, "the-key-of-newapp") || strings.Contains(log, "Signature=") {
				t.Errorf("a secret is in the log:\n%s", log)
			}
		})
	}
}

func TestACloudIsUsedForWhatIsConfiguredOnly(t *testing.T) {
	t.Parallel()
	cloud := aliyuntest.New(t, time.Now)
	s, token := inCloud(t, cloud, "im_old", "v1")
	_, newer := s.post(t, "/api/v2/live/create", token, `{"title":"a","im_server":["aliyun_new"]}`)
	if calls := cloud.Calls(""); len(calls) != 0 {
		t.Errorf("called %+v", calls)
	}
	id, _ := newer["id"].(string)
	s.post(t, "/api/v1/live/stop", token, `{"id":"`+id+`"}`)
	if code, got := s.post(t, "/api/v1/live/get", token, `{"id":"`+id+`"}`); code != http.StatusOK || got["vod_id"] != "" {
		t.Errorf("%d %v", code, got)
	}
	if calls := cloud.Calls(""); len(calls) != 0 {
		t.Errorf("called %+v", calls)
	}
	s.post(t, "/api/v1/live/create", token, `{"title":"a"}`)
	if calls := cloud.Calls("CreateMessageGroup"); len(calls) != 1 || calls[0].Params["AppId"] != "oldapp" {
		t.Errorf("called %+v", calls)
	}
}

func TestASilentCloudHoldsNobodyUpForLong(t *testing.T) {
	t.Parallel()
	cloud := aliyuntest.New(t, time.Now)
	for _, action := range []string{"CreateLiveMessageGroup", "DeleteLiveMessageGroup", "GetGroupStatistics", "ListMessageGroupUserById", "SearchMedia"} {
		cloud.Fail(action, aliyuntest.Hang)
	}
	s, token := inCloud(t, cloud, "im_old,im_new,vod", "v1")
	_, room := s.post(t, "/api/v1/live/create", token, `{"title":"a"}`)
	id, _ := room["id"].(string)
	for path, c := range map[string]struct {
		body string
		want int
	}{
		"/api/v2/live/create": {`{"title":"a","im_server":["aliyun_old","aliyun_new"]}`, 502},
		"/api/v1/live/stop":   {`{"id":"` + id + `"}`, 200},
		"/api/v1/live/get":    {`{"id":"` + id + `"}`, 200},
	} {
		began := time.Now()
		code, got := s.post(t, path, token, c.body)
		if took := time.Since(began); code != c.want || took > patience {
			t.Errorf("%s: %d after %v: %v", path, code, took, got)
		}
	}
}
