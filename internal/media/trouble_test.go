package media

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"
	"testing"
)

func TestTroubleSaysWhatToLookAt(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"name it after one of its users": fmt.Errorf("a: %w", Advice("name it after one of its users")),
		"refuses us (401)":               fmt.Errorf("a: %w", Answered(401)),
		"refuses us (403)":               Answered(403),
		"no control API (404)":           Answered(404),
		"fails (502)":                    Answered(502),
		"answered 302":                   Answered(302),
		"in time":                        &url.Error{Op: "Get", URL: "http://hunter2", Err: context.DeadlineExceeded},
		"the name in its control URL":    &url.Error{Op: "Get", URL: "http://hunter2", Err: &net.OpError{Op: "dial", Err: &net.DNSError{Name: "hunter2"}}},
		"certificate":                    &url.Error{Op: "Get", URL: "http://hunter2", Err: &tls.CertificateVerificationError{Err: errors.New("hunter2")}},
		"no TLS":                         &url.Error{Op: "Get", URL: "http://hunter2", Err: tls.RecordHeaderError{Msg: "hunter2"}},
		"nobody listens":                 &url.Error{Op: "Get", URL: "http://hunter2", Err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}},
		"no connection":                  &net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH},
		"as its control API should":      errors.New("read hunter2"),
	} {
		if got := Trouble(err); !strings.Contains(got, want) || strings.Contains(got, "hunter2") {
			t.Errorf("%v: %s, want %s", err, got, want)
		}
	}
}
