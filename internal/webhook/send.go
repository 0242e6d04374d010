package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.opentelemetry.io/otel/trace"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/outbound"
	"github.com/stagedoor-live/stagedoor/internal/tracing"
)

const (
	maxAnswer  = 16 << 10 // bytes of an answer that are read
	maxExcerpt = 256      // and that are kept
	maxHeaders = 32 << 10
)

// newClients returns what sends, by scheme: connections are made by nobody's
// proxy, to where the guard permits after the name was looked up, and an answer
// that leads elsewhere is not followed.
func newClients(g outbound.Guard, timeout time.Duration, tracer trace.Tracer) map[string]*http.Client {
	secure, plain := net.Dialer{Timeout: timeout, Control: g.Control, Resolver: g.Resolver}, net.Dialer{Timeout: timeout, Control: g.ControlAllowed, Resolver: g.Resolver}
	return map[string]*http.Client{"https": newClient(&secure, timeout, tracer), "http": newClient(&plain, timeout, tracer)}
}

func newClient(d *net.Dialer, timeout time.Duration, tracer trace.Tracer) *http.Client {
	return &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: tracing.Transport(tracer, &http.Transport{DialContext: d.DialContext, ForceAttemptHTTP2: true, MaxIdleConns: maxEndpoints, MaxIdleConnsPerHost: perEndpoint,
			MaxConnsPerHost: 2 * perEndpoint, IdleConnTimeout: 30 * time.Second, TLSHandshakeTimeout: timeout, MaxResponseHeaderBytes: maxHeaders,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}, "webhook"),
	}
}

// Attempt is one try to deliver.
type Attempt struct {
	At     time.Time     `json:"at"`
	Took   time.Duration `json:"took"`
	Status int           `json:"status,omitempty"` // of the answer; zero where there was none
	// Error is the class of what went wrong, empty for an attempt that was
	// accepted.
	Error string `json:"error,omitempty"`
	// Excerpt is how the answer begins.
	Excerpt string `json:"excerpt,omitempty"`

	asked time.Duration // by Retry-After
}

// The classes of what goes wrong.
const (
	ErrStatus     = "status"
	ErrRedirect   = "redirect"
	ErrTimeout    = "timeout"
	ErrDNS        = "dns"
	ErrConnection = "connection"
	ErrTLS        = "tls"
	ErrAddress    = "address_not_allowed"
)

// send makes one attempt. Its error is of ours: nothing was sent.
func (s *Service) send(ctx context.Context, d db.WebhookDeliveryToSendRow) (Attempt, error) {
	now := s.Now()
	keys, err := s.keys(d, now)
	if err != nil {
		return Attempt{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URL, strings.NewReader(d.Body))
	if err != nil {
		return Attempt{}, err
	}
	req.Header = http.Header{"Content-Type": {"application/json"}, "User-Agent": {"Stagedoor"}, "Webhook-Id": {d.EventID},
		"Webhook-Timestamp": {strconv.FormatInt(now.Unix(), 10)}, "Webhook-Signature": {signatures(keys, d.EventID, now, d.Body)}}
	began := time.Now()
	a := Attempt{At: now.UTC().Truncate(time.Millisecond)}
	resp, err := s.clients[req.URL.Scheme].Do(req)
	if err == nil {
		a.read(resp, now)
	} else {
		a.Error = classOf(err)
	}
	a.Took = time.Since(began)
	return a, nil
}

func (a *Attempt) read(resp *http.Response, now time.Time) {
	defer resp.Body.Close()
	a.Status, a.asked = resp.StatusCode, retryAfter(resp.Header, now)
	switch resp.StatusCode / 100 {
	case 2:
	case 3:
		a.Error = ErrRedirect
	default:
		a.Error = ErrStatus
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // the status is what counts
	a.Excerpt = excerpt(body)
}

// excerpt is fit to be stored and shown.
func excerpt(body []byte) string {
	body = body[:min(len(body), maxExcerpt)]
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(body), "")))
}

func classOf(err error) string {
	var dns *net.DNSError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var verification *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	switch {
	case errs.As(err).Reason == ErrAddress:
		return ErrAddress
	case errors.As(err, &dns):
		return ErrDNS
	case os.IsTimeout(err) || errors.Is(err, context.DeadlineExceeded):
		return ErrTimeout
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &record), errors.As(err, &alert), errors.As(err, &verification), errors.As(err, &unknown):
		return ErrTLS
	}
	return ErrConnection
}
