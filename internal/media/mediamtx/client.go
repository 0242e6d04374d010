package mediamtx

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/hook"
)

const (
	maxItems  = 20_000   // more than one MediaMTX can carry
	maxReply  = 48 << 20 // bytes; an SRT connection takes some 2400, others 300 to 1000
	apiPrefix = "/v3/"
)

// Client speaks with the control API (v3) of MediaMTX. It waits as long as its
// HTTP client does, which should have a timeout of about two seconds.
type Client struct {
	HTTP *http.Client
	Now  func() time.Time
}

// errNoSuch says that the API knows the place but not the thing; errNoPlace
// that it has no such place, as a protocol is switched off or unknown to it.
var (
	errNoSuch  = errors.New("no such item")
	errNoPlace = errors.New("no such place in the API")
)

// said is an answer of the API that is no success.
type said struct {
	status int
	text   string
}

func (e *said) Error() string { return fmt.Sprintf("answered %d: %s", e.status, e.text) }
func (e *said) Unwrap() error { return media.Answered(e.status) }

// call asks the API and decodes its answer into out, where that is not nil. The
// error never repeats what we sent: it may hold credentials.
func (c Client) call(ctx context.Context, n media.Node, method, place string, in, out any) error {
	if n.ControlURL == "" {
		return errors.New("the node has no control URL")
	}
	req, err := c.request(ctx, n, method, place, in)
	if err != nil {
		return errors.New("not a control URL")
	}
	resp, body, err := hook.Ask(c.HTTP, req, maxReply)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return answered(resp, body)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("read %s: %w", req.URL.Path, err)
	}
	return nil
}

func (c Client) request(ctx context.Context, n media.Node, method, place string, in any) (*http.Request, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(n.ControlURL, "/")+apiPrefix+place, body)
	if err != nil {
		return nil, err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if n.Username != "" {
		req.SetBasicAuth(n.Username, n.Password)
	}
	return req, nil
}

// answered tells the refusals of the API apart from those of whatever else may
// stand at the control URL: only the API explains itself in JSON.
func answered(resp *http.Response, body []byte) error {
	var refusal struct {
		Status string `json:"status"`
		Error  string `json:"error"`
	}
	spoke := json.Unmarshal(body, &refusal) == nil && refusal.Status == "error"
	switch {
	case resp.StatusCode == http.StatusNotFound && spoke:
		return errNoSuch
	case resp.StatusCode == http.StatusNotFound:
		return errNoPlace
	case spoke:
		return &said{resp.StatusCode, refusal.Error}
	}
	return &said{status: resp.StatusCode}
}

// page is one page of any list of the API.
type page[T any] struct {
	ItemCount *int `json:"itemCount"`
	Items     []T  `json:"items"`
}

// list reads a list in one page, which the API makes as long as it is asked to.
// Between two pages clients come and go and shift the others, so that one who is
// there could be missed, and taken for gone.
func list[T any](ctx context.Context, c Client, n media.Node, place string) ([]T, error) {
	var p page[T]
	if err := c.call(ctx, n, http.MethodGet, place+"/list?itemsPerPage="+strconv.Itoa(maxItems), nil, &p); err != nil {
		return nil, err
	}
	if p.ItemCount == nil || *p.ItemCount != len(p.Items) {
		return nil, fmt.Errorf("%s: no list, or more than %d items", place, maxItems)
	}
	return p.Items, nil
}
