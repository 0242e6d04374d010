package vod

import (
	"encoding/json"
	"net/url"
	"regexp"
	"testing"
)

func FuzzFiles(f *testing.F) {
	for _, info := range []string{
		`{"PlayURL":"https://vod.example.com/a.m3u8?auth_key=1-2-3","Bitrate":"858.198","CreationTime":"2023-11-07T22:15:00Z","Height":720,"Fps":25}`,
		`{"PlayURL":"https://a","Height":-1,"Size":1e99,"CreationTime":"0001-01-01T00:00:00+99:00","Fps":{}}`,
		`{"PlayURL":"HTTPS://a/\u0000","Bitrate":"<b>"},{}`, `{"PlayURL":"javascript:alert(1)"}`, `null`,
	} {
		f.Add([]byte(`{"PlayInfoList":{"PlayInfo":[` + info + `]}}`))
	}
	word := regexp.MustCompile(`^[0-9A-Za-z ._+-]{0,64}$`)
	f.Fuzz(func(t *testing.T, body []byte) {
		var reply playReply
		if json.Unmarshal(body, &reply) != nil {
			return
		}
		files := reply.files()
		if len(files) > maxFiles {
			t.Errorf("%d files", len(files))
		}
		for _, file := range files {
			u, err := url.Parse(file.PlayURL)
			if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || len(file.PlayURL) > maxURL || file.Height < 0 || file.Size < 0 {
				t.Errorf("%+v", file)
			}
			for _, text := range []string{file.Definition, file.Format, file.Status, file.Type, file.BitRate, file.Duration, file.FPS, file.EncryptType, file.HDRType, file.WatermarkID} {
				if !word.MatchString(text) {
					t.Errorf("%q in %+v", text, file)
				}
			}
		}
	})
}
