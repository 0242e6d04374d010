package room

import (
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// FuzzCheckPushSignature looks for a pair of headers that is believed though it
// was not made with the key, or for another time than about now.
func FuzzCheckPushSignature(f *testing.F) {
	const key = "cbkey0123456789"
	s := New(Config{PushKey: key, Now: func() time.Time { return time.Unix(1_700_000_000, 0) }, Links: LinkConfig{PushDomain: "push.example.com"}})
	f.Add("1700000000", "b4cdf249b28a4bf8abdf4364db69d056")
	f.Add("+1700000000", urlsign.PushCallbackSignature("push.example.com", "+1700000000", key))
	f.Add("", "")
	f.Add("1e9", "|||")
	f.Fuzz(func(t *testing.T, timestamp, signature string) {
		if s.CheckPushSignature(timestamp, signature) != nil {
			return
		}
		if !strings.EqualFold(signature, urlsign.PushCallbackSignature("push.example.com", timestamp, key)) || !strings.Contains(timestamp, "1700000") && !strings.Contains(timestamp, "1699999") {
			t.Errorf("%q with %q is believed", timestamp, signature)
		}
	})
}
