package hook

import (
	"fmt"
	"io"
	"net/http"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

// Ask sends a request to a media server and returns the whole answer, whatever its
// status is; more than limit bytes of it are an error. No error repeats what was
// sent: that may hold credentials.
func Ask(c *http.Client, req *http.Request, limit int64) (*http.Response, []byte, error) {
	resp, err := c.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err == nil && int64(len(body)) > limit {
		err = fmt.Errorf("%s answered more than %d bytes", req.URL.Path, limit)
	}
	return resp, body, err
}

// Unavailable hides behind a safe message why a media server could not be asked.
func Unavailable(cause error) error {
	return errs.New(errs.BadGateway, "media_server_unavailable", "media server unavailable").With(cause)
}
