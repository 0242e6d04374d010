// Package aliyun calls the RPC operations of Alibaba Cloud: a signed POST whose
// parameters are in the query, answered with one JSON object.
//
// Answers are not trusted: they are bounded in size and time, and of a refusal
// only its code and request id are kept, since its text repeats what was signed.
// Nothing is sent twice: whether an operation that got no answer was carried
// out is for the caller to find out.
package aliyun

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/stagedoor-live/stagedoor/internal/config"
	"github.com/stagedoor-live/stagedoor/internal/errs"
)

// The two ways to sign a request.
const (
	V1 = "v1" // HMAC-SHA1 over the query, which carries the signature
	V3 = "v3" // HMAC-SHA256 over query and headers
)

// Key signs requests. Token is set for temporary keys only.
type Key struct {
	ID     string
	Secret config.Secret
	Token  config.Secret
}

// Config lists what a Client depends on.
type Config struct {
	Endpoint  *url.URL // scheme and host
	Version   string   // of the product's API
	Key       Key
	Signature string // V1 or V3
	HTTP      *http.Client
	Now       func() time.Time
	Rand      io.Reader
	Timeout   time.Duration // of one call, waiting for its turn included
	Slots     int64         // how many calls run at once
	// Observe is told of every call how it ended (done, refused or failed) and
	// how long it took. May be nil.
	Observe func(action, outcome string, took time.Duration)
}

// Client calls the operations of one product.
type Client struct {
	Config
	slots *semaphore.Weighted
}

// New returns a Client. It follows no redirects: a signature is for one host.
func New(c Config) *Client {
	own := *c.HTTP
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.HTTP = &own
	return &Client{Config: c, slots: semaphore.NewWeighted(c.Slots)}
}

// Apart returns a client of the same product with slots of its own, so that
// calls which pile up in one of them do not hold up the other.
func (c *Client) Apart(slots int64) *Client {
	own := *c
	own.Slots, own.slots = slots, semaphore.NewWeighted(slots)
	return &own
}

// Params are the parameters of an operation. Empty ones are left out: some
// operations refuse them.
type Params map[string]string

// Error is a refusal by the service.
type Error struct {
	Action    string
	Status    int
	Code      string // what the service calls it, "" when it did not say
	RequestID string
}

// Error tells everything that was kept.
func (e *Error) Error() string {
	return fmt.Sprintf("%s: status %d, code %q, request %q", e.Action, e.Status, e.Code, e.RequestID)
}

// Definite says that the operation was certainly not carried out.
func (e *Error) Definite() bool { return e.Status >= 400 && e.Status < 500 }

var errFailed = errs.New(errs.BadGateway, "cloud_failed", "the cloud service did not answer")

// Call carries out an operation and decodes its answer into reply, which may be
// nil. Every failure is a BadGateway error; a refusal has an *Error inside.
func (c *Client) Call(ctx context.Context, action string, p Params, reply any) error {
	began := c.Now()
	err := c.call(ctx, action, p, reply)
	if c.Observe != nil {
		c.Observe(action, outcome(err), c.Now().Sub(began))
	}
	return err
}

func outcome(err error) string {
	var refusal *Error
	switch {
	case err == nil:
		return "done"
	case errors.As(err, &refusal) && refusal.Definite():
		return "refused"
	}
	return "failed"
}

func (c *Client) call(ctx context.Context, action string, p Params, reply any) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	if err := c.slots.Acquire(ctx, 1); err != nil {
		return errFailed.With(fmt.Errorf("%s: waiting for a turn: %w", action, err))
	}
	defer c.slots.Release(1)
	status, body, err := c.send(ctx, action, p)
	if err != nil {
		return errFailed.With(fmt.Errorf("%s: %w", action, err))
	}
	if err := decode(action, status, body, reply); err != nil {
		return errFailed.With(err)
	}
	return nil
}

// maxReply bounds an answer; the largest ones hold a few URLs.
const maxReply = 1 << 20

var errTooLong = errors.New("the answer is longer than 1 MiB")

func (c *Client) send(ctx context.Context, action string, p Params) (status int, body []byte, err error) {
	nonce, err := c.nonce()
	if err != nil {
		return 0, nil, err
	}
	req, err := c.request(ctx, action, p, nonce)
	if err != nil {
		return 0, nil, withoutURL(err)
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return 0, nil, withoutURL(err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
	if err == nil && len(body) > maxReply {
		err = errTooLong
	}
	return resp.StatusCode, body, err
}

// withoutURL takes an error apart that would repeat the URL, of which the
// query is no one's business.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func (c *Client) nonce() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(c.Rand, b[:]); err != nil {
		return "", err
	}
	return hex.EncodeToString(b[:]), nil
}

func (c *Client) request(ctx context.Context, action string, p Params, nonce string) (*http.Request, error) {
	u := url.URL{Scheme: c.Endpoint.Scheme, Host: c.Endpoint.Host, Path: "/"}
	var header http.Header
	if c.Signature == V3 {
		u.RawQuery, header = c.signV3(u.Host, action, p, nonce)
	} else {
		u.RawQuery, header = c.signV1(action, p, nonce), http.Header{}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), nil)
	if err != nil {
		return nil, err
	}
	header.Set("Accept", "application/json")
	header.Set("User-Agent", "stagedoor")
	req.Header = header
	return req, nil
}

// word is what codes and request ids look like. Anything else is not repeated.
var word = regexp.MustCompile(`^[A-Za-z0-9._-]{1,80}$`)

func known(text string) string {
	if word.MatchString(text) {
		return text
	}
	return ""
}

// decode reads an answer. Only 200 is success.
func decode(action string, status int, body []byte, reply any) error {
	if status != http.StatusOK {
		var said struct{ Code, RequestID Text }
		_ = json.Unmarshal(body, &said) // an answer of something in between says nothing
		return &Error{Action: action, Status: status, Code: known(string(said.Code)), RequestID: known(string(said.RequestID))}
	}
	if reply == nil {
		return nil
	}
	if err := json.Unmarshal(body, reply); err != nil {
		return fmt.Errorf("%s: the answer cannot be read: %w", action, err)
	}
	return nil
}
