package volcengine

import (
	"net/http"
	"strings"

	gen "github.com/stagedoor-live/stagedoor/gen/volcengine"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

// code is how the dialect says no: clients compare the text, show the number,
// and look at the status for whether to try again.
type code struct {
	text   gen.VolcengineErrorCode
	number int32
	status int
}

// Reasons come first, kinds stand in for the rest.
var (
	codesByReason = map[string]code{
		"missing_parameter":     {gen.VolcengineErrorCodeMissingParameter, 100002, http.StatusBadRequest},
		"not_signed":            {gen.VolcengineErrorCodeMissingAuthenticationToken, 100003, http.StatusUnauthorized},
		"missing_date":          {gen.VolcengineErrorCodeMissingRequestInfo, 100004, http.StatusBadRequest},
		"no_signature":          {gen.VolcengineErrorCodeMissingSignature, 100005, http.StatusUnauthorized},
		"invalid_timestamp":     {gen.VolcengineErrorCodeInvalidTimestamp, 100006, http.StatusBadRequest},
		"service_not_found":     {gen.VolcengineErrorCodeServiceNotFound, 100007, http.StatusNotFound},
		"no_such_action":        {gen.VolcengineErrorCodeInvalidActionOrVersion, 100008, http.StatusNotFound},
		"signature_mismatch":    {gen.VolcengineErrorCodeSignatureDoesNotMatch, 100010, http.StatusUnauthorized},
		"invalid_authorization": {gen.VolcengineErrorCodeInvalidAuthorization, 100024, http.StatusBadRequest},
		"invalid_credential":    {gen.VolcengineErrorCodeInvalidCredential, 100025, http.StatusBadRequest},
		"invalid_secret_token":  {gen.VolcengineErrorCodeInvalidSecretToken, 100026, http.StatusUnauthorized},
		"bind_error":            {gen.VolcengineErrorCodeInvalidParamBindError, 100102, http.StatusBadRequest},
		"malformed_request":     {gen.VolcengineErrorCodeInvalidParamBindError, 100102, http.StatusBadRequest},
	}
	codesByKind = map[errs.Kind]code{
		errs.Internal:         {gen.VolcengineErrorCodeInternalError, 100014, http.StatusInternalServerError},
		errs.Invalid:          {gen.VolcengineErrorCodeInvalidParam, 100101, http.StatusBadRequest},
		errs.Unauthorized:     {gen.VolcengineErrorCodeInvalidAccessKey, 100009, http.StatusUnauthorized},
		errs.Forbidden:        {gen.VolcengineErrorCodeAccessDenied, 100013, http.StatusForbidden},
		errs.NotFound:         {gen.VolcengineErrorCodeRequestForbidden, 100103, http.StatusForbidden},
		errs.Conflict:         {gen.VolcengineErrorCodeRequestForbidden, 100103, http.StatusForbidden},
		errs.TooLarge:         {gen.VolcengineErrorCodeRequestEntityTooLarge, 100104, http.StatusRequestEntityTooLarge},
		errs.RateLimited:      {gen.VolcengineErrorCodeFlowLimitExceeded, 100018, http.StatusTooManyRequests},
		errs.Unavailable:      {gen.VolcengineErrorCodeServiceUnavailableTemp, 100019, http.StatusServiceUnavailable},
		errs.BadGateway:       {gen.VolcengineErrorCodeInternalServiceError, 100023, http.StatusBadGateway},
		errs.MethodNotAllowed: {gen.VolcengineErrorCodeMethodNotAllowed, 100020, http.StatusMethodNotAllowed},
	}
)

func codeOf(e *errs.Error) code {
	if c, ok := codesByReason[e.Reason]; ok {
		return c
	}
	if c, ok := codesByKind[e.Kind]; ok {
		return c
	}
	return codesByKind[errs.Internal]
}

// writeError is for what goes wrong before or beside the phases.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Set("Cache-Control", "no-store")
	s.fail(w, r, defaultRegion, err)
}

// fail is the only way in which this dialect says no. One SDK breaks down over
// an answer without Error, others take status 200 for success whatever it says.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, region string, err error) {
	e := errs.As(err)
	httpx.SetFailure(r.Context(), e.Reason, e.Unwrap())
	httpx.FailureHeaders(w.Header(), e)
	c := codeOf(e)
	if c.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "HMAC-SHA256")
	}
	m := s.metadata(r, region)
	httpx.WriteJSON(w, c.status, gen.VolcengineFailure{ResponseMetadata: gen.FailureMetadata{
		RequestID: m.RequestID, RequestIDAgain: m.RequestIDAgain, Action: m.Action, Version: m.Version,
		Service: gen.FailureMetadataService(m.Service), Region: m.Region,
		Error: gen.VolcengineError{Code: c.text, CodeN: c.number, Message: e.Message},
	}})
}

// answer is the envelope of success.
type answer struct {
	ResponseMetadata gen.ResponseMetadata
	Result           any `json:",omitempty"`
}

// metadata begins every answer. Under the older version some actions spell the
// request id in one way, some in the other, and decoders know only theirs.
func (s *Server) metadata(r *http.Request, region string) gen.ResponseMetadata {
	q := r.URL.Query()
	m := gen.ResponseMetadata{RequestID: s.requestID(r), Action: echo(q.Get("Action")), Version: echo(q.Get("Version")),
		Service: gen.ResponseMetadataServiceLive, Region: region}
	if m.Version == version2020 {
		m.RequestIDAgain = m.RequestID
	}
	return m
}

// requestID has the vendor's shape: 14 digits of time and 20 of our own id,
// under which the request is logged.
func (s *Server) requestID(r *http.Request) string {
	id := strings.ToUpper(httpx.RequestID(r.Context()))
	return s.Now().UTC().Format("20060102150405") + id[:min(len(id), 20)]
}

// echo repeats a text of the request, unless it is none that anybody would send.
func echo(text string) string {
	if len(text) > 64 {
		return ""
	}
	for _, c := range text {
		if c < ' ' || c > '~' {
			return ""
		}
	}
	return text
}
