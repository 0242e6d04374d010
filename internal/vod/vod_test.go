package vod_test

import (
	"crypto/rand"
	"encoding/json"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/aliyun"
	"github.com/stagedoor-live/stagedoor/internal/aliyun/aliyuntest"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/vod"
)

func clock() time.Time { return time.Unix(1_700_000_000, 0) }

func setup(t *testing.T) (*vod.Library, *aliyuntest.Server) {
	t.Helper()
	cloud := aliyuntest.New(t, clock)
	endpoint, err := url.Parse(cloud.URL)
	if err != nil {
		t.Fatal(err)
	}
	return &vod.Library{Client: aliyun.New(aliyun.Config{Endpoint: endpoint, Version: vod.Version, Signature: aliyun.V3,
		Key:  aliyun.Key{ID: aliyuntest.KeyID, Secret: aliyuntest.Secret},
		HTTP: cloud.Client(), Now: clock, Rand: rand.Reader, Timeout: 10 * time.Second, Slots: 4})}, cloud
}

// playInfo is a file as the service describes it.
const playInfo = `{"Bitrate":"858.198","CreationTime":"2023-11-07T22:15:00Z","Definition":"LD","Duration":"67.685","Encrypt":1,"EncryptType":"AliyunVoDEncryption",
	"Format":"m3u8","Fps":"25","HDRType":"HDR10","Height":720,"Width":1280,"PlayURL":"https://vod.example.com/a.m3u8?auth_key=1-2-3","Size":7260000,
	"Status":"Normal","StreamType":"video","BitDepth":8,"WatermarkId":"dgf-1","JobId":"x","Specification":"H264.LD"}`

func TestARecordingIsFoundByItsTitle(t *testing.T) {
	t.Parallel()
	l, cloud := setup(t)
	cloud.Record("c8d619e2", "media-1", json.RawMessage(playInfo))
	id, err := l.Find(t.Context(), "c8d619e2")
	if err != nil || id != "media-1" {
		t.Fatalf("found %q, error %v", id, err)
	}
	if call := cloud.Calls("SearchMedia")[0]; call.Params["Match"] != "Title='c8d619e2'" || call.Version != "2017-03-21" || len(call.Params) != 1 {
		t.Errorf("asked %+v", call)
	}
	files, err := l.Files(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	want := []vod.File{{PlayURL: "https://vod.example.com/a.m3u8?auth_key=1-2-3", CreatedAt: time.Date(2023, 11, 7, 22, 15, 0, 0, time.UTC),
		Definition: "LD", Format: "m3u8", Status: "Normal", Type: "video", BitRate: "858.198", Duration: "67.685", FPS: "25", Height: 720, Width: 1280,
		BitDepth: 8, Size: 7260000, Encrypt: 1, EncryptType: "AliyunVoDEncryption", HDRType: "HDR10", WatermarkID: "dgf-1"}}
	if !reflect.DeepEqual(files, want) {
		t.Errorf("files %+v, want %+v", files, want)
	}
}

func TestNothingIsFoundAndNothingIsWrong(t *testing.T) {
	t.Parallel()
	l, cloud := setup(t)
	for _, title := range []string{"unknown", "", "a' or Title='b", "a b", strings.Repeat("a", 257)} {
		if id, err := l.Find(t.Context(), title); id != "" || err != nil {
			t.Errorf("%q: %q, error %v", title, id, err)
		}
	}
	if n := len(cloud.Calls("SearchMedia")); n != 1 {
		t.Errorf("asked %d times", n)
	}
	for _, body := range []string{`{}`, `{"MediaList":[]}`, `{"MediaList":[{}]}`, `{"MediaList":[{"MediaId":"../x"}]}`,
		`{"MediaList":[{"MediaId":"someone-elses","Video":{"Title":"c8d619e2 and more"}}]}`} {
		cloud.Fail("SearchMedia", aliyuntest.Reply(aliyuntest.Answer{Body: body}))
		if id, err := l.Find(t.Context(), "c8d619e2"); id != "" || err != nil {
			t.Errorf("%s: %q, error %v", body, id, err)
		}
	}
	for _, a := range []aliyuntest.Answer{aliyuntest.Refuse(404, "InvalidVideo.NotFound"), aliyuntest.Refuse(403, "InvalidVideo.NoneStream"),
		aliyuntest.Refuse(403, "Forbidden.IllegalStatus"), {Body: `{"PlayInfoList":{"PlayInfo":[{"PlayURL":"javascript:alert(1)"},{"PlayURL":"/a"},{}]}}`}} {
		cloud.Fail("GetPlayInfo", aliyuntest.Reply(a))
		if files, err := l.Files(t.Context(), "media-1"); len(files) != 0 || err != nil {
			t.Errorf("%+v: %+v, error %v", a, files, err)
		}
	}
}

func TestFailuresAreTheGateways(t *testing.T) {
	t.Parallel()
	l, cloud := setup(t)
	for _, f := range []aliyuntest.Fault{aliyuntest.Reply(aliyuntest.Refuse(403, "Forbidden.RAM")), aliyuntest.Reply(aliyuntest.Refuse(500, "")), aliyuntest.Drop,
		aliyuntest.Reply(aliyuntest.Answer{Body: `{"MediaList":5,"PlayInfoList":5}`})} {
		cloud.Fail("SearchMedia", f)
		cloud.Fail("GetPlayInfo", f)
		_, err := l.Find(t.Context(), "c8d619e2")
		_, err2 := l.Files(t.Context(), "media-1")
		if errs.KindOf(err) != errs.BadGateway || errs.KindOf(err2) != errs.BadGateway {
			t.Errorf("errors %v and %v", err, err2)
		}
	}
}

func TestARecordingHasOnlySoManyForms(t *testing.T) {
	t.Parallel()
	l, cloud := setup(t)
	var many []any
	for range 100 {
		many = append(many, json.RawMessage(playInfo))
	}
	cloud.Record("title", "media-1", many...)
	if files, err := l.Files(t.Context(), "media-1"); err != nil || len(files) != 20 {
		t.Errorf("%d files, error %v", len(files), err)
	}
}
