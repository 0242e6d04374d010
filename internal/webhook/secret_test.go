package webhook

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func TestSignaturesAreThoseOfTheStandard(t *testing.T) {
	t.Parallel()
	raw := []byte("a key of at least 24 bytes, it says")
	at := time.Unix(1_700_000_000, 0)
	wh, err := standardwebhooks.NewWebhookRaw(raw)
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{"Webhook-Id": {"evt_1"}, "Webhook-Timestamp": {strconv.FormatInt(at.Unix(), 10)},
		"Webhook-Signature": {signatures([][]byte{[]byte("another"), raw}, "evt_1", at, `{"a":1}`)}}
	if err := wh.VerifyIgnoringTimestamp([]byte(`{"a":1}`), h); err != nil {
		t.Errorf("%v: %v", h, err)
	}
	if err := wh.VerifyIgnoringTimestamp([]byte(`{"a":2}`), h); err == nil {
		t.Error("another body has the same signature")
	}
}
