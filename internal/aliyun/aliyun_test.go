package aliyun_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/aliyun"
	"github.com/stagedoor-live/stagedoor/internal/aliyun/aliyuntest"
	"github.com/stagedoor-live/stagedoor/internal/config"
	"github.com/stagedoor-live/stagedoor/internal/errs"
)

var at = time.Unix(1_700_000_000, 0)

func clock() time.Time { return at }

type option func(*aliyun.Config)

func client(t *testing.T, cloud *aliyuntest.Server, options ...option) *aliyun.Client {
	t.Helper()
	endpoint, err := url.Parse(cloud.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := aliyun.Config{Endpoint: endpoint, Version: "2016-11-01", Key: aliyun.Key{ID: aliyuntest.KeyID, Secret: aliyuntest.Secret},
		Signature: aliyun.V1, HTTP: cloud.Client(), Now: clock, Rand: rand.Reader, Timeout: 10 * time.Second, Slots: 8}
	for _, o := range options {
		o(&c)
	}
	return aliyun.New(c)
}

func TestTheCloudAcceptsBothSignatures(t *testing.T) {
	t.Parallel()
	for _, version := range []string{aliyun.V1, aliyun.V3} {
		for _, token := range []string{"", "CAIS+/= temporary"} {
			t.Run(version+"/"+token, func(t *testing.T) {
				t.Parallel()
				cloud := aliyuntest.New(t, clock)
				cloud.Token = token
				c := client(t, cloud, func(c *aliyun.Config) { c.Signature, c.Key.Token = version, config.Secret(token) })
				params := aliyun.Params{"AppId": "app", "UserId": "u*~ +/=&'用户", "DeviceId": "d", "DeviceType": "web", "Extension": "", "A": "1", "A1": "2"}
				var got struct {
					Result struct{ AccessToken aliyun.Text }
				}
				if err := c.Call(t.Context(), "GetMessageToken", params, &got); err != nil {
					t.Fatal(err)
				}
				if got.Result.AccessToken != "access.u*~ +/=&'用户.d.web" {
					t.Errorf("the token is %q", got.Result.AccessToken)
				}
				if calls := cloud.Calls(""); len(calls) != 1 || len(calls[0].Params) != 6 {
					t.Errorf("calls %+v", calls)
				}
			})
		}
	}
}

// wantFailure checks that an error is our kind and tells nothing it should not.
func wantFailure(t *testing.T, err error) *aliyun.Error {
	t.Helper()
	if e := errs.As(err); err == nil || e.Kind != errs.BadGateway || e.Reason != "cloud_failed" {
		t.Fatalf("error %v", err)
	}
	for _, secret := range []string{aliyuntest.Secret, aliyuntest.KeyID, "Signature=", "private-user", "\n", "<"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error contains %q: %v", secret, err)
		}
	}
	var refusal *aliyun.Error
	errors.As(err, &refusal)
	return refusal
}

func TestEveryFailureIsTheGatewaysAndTellsNothing(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat(" ", 2<<20)
	for name, c := range map[string]struct {
		fault  aliyuntest.Fault
		status int // of the refusal, 0 for none
		code   string
	}{
		"a refusal":               {aliyuntest.Reply(aliyuntest.Refuse(400, "SignatureDoesNotMatch")), 400, "SignatureDoesNotMatch"},
		"a code with a dot":       {aliyuntest.Reply(aliyuntest.Refuse(404, "InvalidVideo.NotFound")), 404, "InvalidVideo.NotFound"},
		"throttling":              {aliyuntest.Reply(aliyuntest.Refuse(503, "Throttling.User")), 503, "Throttling.User"},
		"a failure":               {aliyuntest.Reply(aliyuntest.Refuse(500, "InternalError")), 500, "InternalError"},
		"a page of a proxy":       {aliyuntest.Reply(aliyuntest.Answer{Status: 502, Body: "<html>\n" + aliyuntest.Secret}), 502, ""},
		"a code that is a secret": {aliyuntest.Reply(aliyuntest.Refuse(400, "key "+aliyuntest.Secret)), 400, ""},
		"a code that is no text":  {aliyuntest.Reply(aliyuntest.Answer{Status: 400, Body: `{"Code":{"a":1},"RequestId":[]}`}), 400, ""},
		"no content":              {aliyuntest.Reply(aliyuntest.Answer{Status: 204, Body: ""}), 204, ""},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, 307, ""},
		"garbage":             {aliyuntest.Reply(aliyuntest.Answer{Body: "\x00garbage"}), 0, ""},
		"an empty answer":     {aliyuntest.Reply(aliyuntest.Answer{Body: ""}), 0, ""},
		"an array":            {aliyuntest.Reply(aliyuntest.Answer{Body: `[]`}), 0, ""},
		"two objects":         {aliyuntest.Reply(aliyuntest.Answer{Body: `{}{}`}), 0, ""},
		"a huge answer":       {aliyuntest.Reply(aliyuntest.Answer{Body: huge}), 0, ""},
		"a huge refusal":      {aliyuntest.Reply(aliyuntest.Answer{Status: 500, Body: huge}), 0, ""},
		"a closed connection": {aliyuntest.Drop, 0, ""},
		"half an answer": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte(`{"Result":`))
		}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := aliyuntest.New(t, clock)
			cloud.Fail("GetMessageToken", c.fault)
			var got struct {
				Result struct{ AccessToken aliyun.Text }
			}
			err := client(t, cloud).Call(t.Context(), "GetMessageToken", aliyun.Params{"AppId": "a", "UserId": "private-user"}, &got)
			refusal := wantFailure(t, err)
			if c.status == 0 {
				if refusal != nil {
					t.Errorf("refused with %+v", refusal)
				}
			} else if refusal == nil || refusal.Status != c.status || refusal.Code != c.code || refusal.Definite() != (c.status/100 == 4) {
				t.Errorf("refused with %+v", refusal)
			}
			if n := len(cloud.Calls("")); n != 1 {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

func TestACallThatGetsNoAnswerIsGivenUp(t *testing.T) {
	t.Parallel()
	cloud := aliyuntest.New(t, clock)
	cloud.Fail("GetMessageToken", aliyuntest.Hang)
	began := time.Now()
	err := client(t, cloud, func(c *aliyun.Config) { c.Timeout = 20 * time.Millisecond }).
		Call(t.Context(), "GetMessageToken", aliyun.Params{"AppId": "a", "UserId": "private-user"}, nil)
	wantFailure(t, err)
	if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took > 5*time.Second {
		t.Errorf("after %v: %v", took, err)
	}
}

func TestEveryCallIsObserved(t *testing.T) {
	t.Parallel()
	cloud := aliyuntest.New(t, clock)
	var seen []string
	now := at
	c := client(t, cloud, func(c *aliyun.Config) {
		c.Now = func() time.Time {
			now = now.Add(time.Second)
			return now
		}
		c.Observe = func(action, outcome string, took time.Duration) {
			seen = append(seen, fmt.Sprintf("%s %s %v", action, outcome, took > 0))
		}
	})
	for _, f := range []aliyuntest.Fault{aliyuntest.Reply(aliyuntest.Answer{}), aliyuntest.Reply(aliyuntest.Refuse(403, "Forbidden")),
		aliyuntest.Reply(aliyuntest.Refuse(503, "Busy")), aliyuntest.Drop} {
		cloud.Fail("A", f)
		_ = c.Call(t.Context(), "A", nil, nil)
	}
	if want := []string{"A done true", "A refused true", "A failed true", "A failed true"}; !slices.Equal(seen, want) {
		t.Errorf("seen %q, want %q", seen, want)
	}
}

func TestACloudThatIsNotThere(t *testing.T) {
	t.Parallel()
	cloud := aliyuntest.New(t, clock)
	c := client(t, cloud)
	cloud.Close()
	wantFailure(t, c.Call(t.Context(), "GetMessageToken", aliyun.Params{"AppId": "a", "UserId": "private-user"}, nil))
}

func TestWithoutANonceNothingIsSent(t *testing.T) {
	t.Parallel()
	cloud := aliyuntest.New(t, clock)
	c := client(t, cloud, func(c *aliyun.Config) { c.Rand = iotest.DataErrReader(bytes.NewReader(make([]byte, 15))) })
	wantFailure(t, c.Call(t.Context(), "GetMessageToken", nil, nil))
	if len(cloud.Calls("")) != 0 {
		t.Error("a request was sent")
	}
}

func TestOnlySoManyCallsRunAtOnce(t *testing.T) {
	t.Parallel()
	cloud := aliyuntest.New(t, clock)
	var now, most atomic.Int64
	release := make(chan struct{})
	cloud.Fail("Slow", func(w http.ResponseWriter, _ *http.Request) {
		n := now.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		<-release
		now.Add(-1)
		_, _ = w.Write([]byte(`{}`))
	})
	c := client(t, cloud, func(c *aliyun.Config) { c.Slots = 2 })
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			if err := c.Call(t.Context(), "Slow", nil, nil); err != nil {
				t.Error(err)
			}
		})
	}
	for range 6 {
		release <- struct{}{}
	}
	all.Wait()
	if got := most.Load(); got > 2 {
		t.Errorf("%d at once", got)
	}
}

func TestSlotsApartAreNotHeldUp(t *testing.T) {
	t.Parallel()
	cloud := aliyuntest.New(t, clock)
	arrived := make(chan struct{})
	cloud.Fail("Slow", func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	cloud.Fail("Quick", aliyuntest.Reply(aliyuntest.Answer{}))
	c := client(t, cloud, func(c *aliyun.Config) { c.Slots = 1 })
	ctx, cancel := context.WithCancel(t.Context())
	var stuck sync.WaitGroup
	stuck.Go(func() { _ = c.Call(ctx, "Slow", nil, nil) })
	<-arrived
	waiting, giveUp := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer giveUp()
	wantFailure(t, c.Call(waiting, "Quick", nil, nil)) // no turn
	if err := c.Apart(1).Call(t.Context(), "Quick", nil, nil); err != nil {
		t.Errorf("apart: %v", err)
	}
	cancel()
	stuck.Wait()
	if err := c.Call(t.Context(), "Quick", nil, nil); err != nil {
		t.Errorf("once the slot is free: %v", err)
	}
}

func TestSecretsOfAConfigurationAreNotPrinted(t *testing.T) {
	t.Parallel()
	cloud := aliyuntest.New(t, clock)
	c := client(t, cloud, func(c *aliyun.Config) { c.Key.Token = "a-temporary-token" })
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, c.Key); strings.Contains(text, aliyuntest.Secret) || strings.Contains(text, "a-temporary-token") {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}
