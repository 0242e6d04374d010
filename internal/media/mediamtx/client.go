package mediamtx

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

const (
	pageSize  = 2000
	maxItems  = 50_000  // more than one MediaMTX can carry
	maxReply  = 8 << 20 // bytes; a page of SRT connections takes some 5 MiB
	maxReads  = 3       // of a list that changes while it is read
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
	errChanged = errors.New("the list changes too fast")
)

// said is an answer of the API that is no success.
type said struct {
	status int
	text   string
}

func (e *said) Error() string { return fmt.Sprintf("answered %d: %s", e.status, e.text) }

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
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
	if err != nil {
		return err
	}
	if len(body) > maxReply {
		return fmt.Errorf("more than %d bytes", maxReply)
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

func unavailable(cause error) error {
	return errs.New(errs.BadGateway, "media_server_unavailable", "media server unavailable").With(cause)
}

// page is one page of any list of the API.
type page[T any] struct {
	ItemCount *int `json:"itemCount"`
	PageCount int  `json:"pageCount"`
	Items     []T  `json:"items"`
}

// list reads all pages of a list. Items that come and go between two pages
// shift the others, so that a list is read again until it has as many items as
// it says; it is never cut short.
func list[T any](ctx context.Context, c Client, n media.Node, place string, key func(T) string) ([]T, error) {
	for range maxReads {
		all, err := listOnce(ctx, c, n, place, key)
		if !errors.Is(err, errChanged) {
			return all, err
		}
	}
	return nil, errChanged
}

func listOnce[T any](ctx context.Context, c Client, n media.Node, place string, key func(T) string) ([]T, error) {
	var all []T
	seen := map[string]bool{}
	for number := 0; ; number++ {
		var p page[T]
		query := url.Values{"page": {strconv.Itoa(number)}, "itemsPerPage": {strconv.Itoa(pageSize)}}
		if err := c.call(ctx, n, http.MethodGet, place+"/list?"+query.Encode(), nil, &p); err != nil {
			return nil, err
		}
		if p.ItemCount == nil || *p.ItemCount > maxItems {
			return nil, fmt.Errorf("%s: no list, or more than %d items", place, maxItems)
		}
		for _, item := range p.Items {
			if !seen[key(item)] {
				seen[key(item)] = true
				all = append(all, item)
			}
		}
		switch {
		case len(all) == *p.ItemCount:
			return all, nil
		case number+1 >= p.PageCount || len(all) > *p.ItemCount:
			return nil, errChanged
		}
	}
}
