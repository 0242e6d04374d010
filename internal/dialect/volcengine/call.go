package volcengine

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/dialect/volcengine/signature"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

// maxBody is the largest body of a request, in bytes: a hundred keys with every
// option take less than half of it.
const maxBody = 256 << 10

const (
	service       = "live"
	defaultRegion = "cn-north-1"
)

// call is a request on its way through the phases.
type call struct {
	now    time.Time
	region string     // of the credential
	query  url.Values // the part that is signed
	body   []byte
	newer  bool // Version 2023-01-01
}

var (
	errNotSigned     = errs.New(errs.Unauthorized, "not_signed", "the request is not signed")
	errAuthorization = errs.New(errs.Invalid, "invalid_authorization", "the signature cannot be parsed")
	errUnsignedBody  = errs.New(errs.Invalid, "invalid_authorization", "a signature in the query does not cover a body; sign the header")
	errCredential    = errs.New(errs.Invalid, "invalid_credential", "the credential is not key/date/region/service/request")
	errNoSignature   = errs.New(errs.Unauthorized, "no_signature", "the signature has no value")
	errNoDate        = errs.New(errs.Invalid, "missing_date", "X-Date is missing")
	errDate          = errs.New(errs.Invalid, "invalid_timestamp", "X-Date is not a time like 20260102T150405Z")
	errExpired       = errs.New(errs.Invalid, "invalid_timestamp", "the signature has expired")
	errEarly         = errs.New(errs.Invalid, "invalid_timestamp", "the signature is from the future")
	errQuery         = errs.New(errs.Invalid, "invalid_query", "the query cannot be decoded")
	errAccessKey     = errs.New(errs.Unauthorized, "invalid_access_key", "the access key is not valid")
	errMismatch      = errs.New(errs.Unauthorized, "signature_mismatch", "the signature is not that of this request")
	errToken         = errs.New(errs.Unauthorized, "invalid_secret_token", "temporary credentials are not supported")
	errService       = errs.New(errs.NotFound, "service_not_found", "the signature is for another service than live")
	errNoAction      = errs.New(errs.NotFound, "no_such_action", "there is no such action in this version")
	errAdminOnly     = errs.New(errs.Forbidden, "admin_only", "only administrators may do this")
)

// refusals says what each complaint of the verifier is here.
var refusals = map[error]*errs.Error{
	signature.ErrNone: errNotSigned, signature.ErrAuthorization: errAuthorization, signature.ErrCredential: errCredential,
	signature.ErrNoSignature: errNoSignature, signature.ErrNoDate: errNoDate, signature.ErrDate: errDate, signature.ErrQuery: errQuery,
	signature.ErrExpired: errExpired, signature.ErrEarly: errEarly,
}

// call runs the phases: what is missing, who asks, what is asked for, and
// whether they may. Nothing is looked up or read for a request whose signature
// cannot be right.
func (s *Server) call(w http.ResponseWriter, r *http.Request, c *call) (any, error) {
	c.now = s.Now()
	query := r.URL.Query()
	for _, name := range [...]string{"Action", "Version"} {
		if query.Get(name) == "" {
			return nil, errs.New(errs.Invalid, "missing_parameter", name+" is missing")
		}
	}
	claim, err := parse(r, c)
	if err != nil {
		return nil, err
	}
	admin, err := s.authenticate(w, r, c, claim)
	if err != nil {
		return nil, err
	}
	a, err := find(r.Method, c)
	switch {
	case errs.KindOf(err) == errs.MethodNotAllowed:
		w.Header().Set("Allow", a.method)
		return nil, err
	case err != nil:
		return nil, err
	case !admin:
		return nil, errAdminOnly
	case a.limited && !s.limits.allow(claim.AccessKeyID, c.query.Get("Action"), c.now):
		return nil, errTooFast
	}
	return a.run(r.Context(), s, c)
}

// parse reads the signature, as far as that is possible without its secret.
func parse(r *http.Request, c *call) (*signature.Claim, error) {
	claim, err := signature.Parse(signature.Request{Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Host: r.Host, Header: r.Header})
	if err == nil {
		c.region = claim.Region
		err = claim.CheckTime(c.now)
	}
	if err != nil {
		return nil, refusals[err]
	}
	if claim.InQuery && r.Method != http.MethodGet {
		return nil, errUnsignedBody
	}
	return claim, nil
}

// authenticate finds out who signed, and says whether that is an administrator.
// Why a key is not valid is only logged: nobody has proved yet to hold it.
func (s *Server) authenticate(w http.ResponseWriter, r *http.Request, c *call, claim *signature.Claim) (admin bool, err error) {
	ctx := r.Context()
	secret, holder, err := s.Accounts.KeyHolder(ctx, claim.AccessKeyID)
	switch {
	case errs.KindOf(err) == errs.Unauthorized:
		return false, errAccessKey.With(err)
	case err != nil:
		return false, err
	}
	if c.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
		return false, httpx.BodyError(err)
	}
	covered, ok := claim.Verify(secret, c.body)
	if !ok {
		return false, errMismatch
	}
	c.query = covered
	s.Accounts.KeyUsed(claim.AccessKeyID)
	httpx.SetPrincipal(ctx, holder.Username)
	if err := httpx.ChargeAccount(ctx, w.Header(), holder.Username); err != nil {
		return false, err
	}
	switch {
	case claim.Token != "":
		return false, errToken
	case claim.Service != service:
		return false, errService
	}
	return holder.Admin, nil
}

// hasScheme says whether an Authorization header is of this dialect, right or
// not.
func hasScheme(authorization string) bool { return strings.HasPrefix(authorization, "HMAC-SHA256") }

// The versions of the API.
const (
	version2020 = "2020-08-01"
	version2023 = "2023-01-01"
)

// action is one entry of the table.
type action struct {
	method  string
	only    string // the one version that has it; "" for both
	limited bool   // to ten calls of an access key per second
	run     func(ctx context.Context, s *Server, c *call) (any, error)
}

// find returns the action that the signed part of the query names. With
// MethodNotAllowed it says which method there is.
func find(method string, c *call) (action, error) {
	version := c.query.Get("Version")
	c.newer = version == version2023
	a, ok := actions[c.query.Get("Action")]
	switch {
	case !ok, version != version2020 && version != version2023, a.only != "" && a.only != version:
		return action{}, errNoAction
	case a.method != method:
		return a, errs.New(errs.MethodNotAllowed, "method_not_allowed", "this action is called with "+a.method)
	}
	return a, nil
}

var actions = map[string]action{
	"DescribeAuth":    {method: http.MethodPost, limited: true, run: post((*Server).describeAuth)},
	"UpdateAuthKey":   {method: http.MethodPost, limited: true, run: post((*Server).updateAuthKey)},
	"EnableAuth":      {method: http.MethodPost, only: version2020, run: post((*Server).enableAuth)},
	"DisableAuth":     {method: http.MethodPost, only: version2020, run: post((*Server).disableAuth)},
	"GeneratePushURL": {method: http.MethodPost, run: post((*Server).generatePushURL)},
	"GeneratePlayURL": {method: http.MethodPost, run: post((*Server).generatePlayURL)},
	"ForbidStream":    {method: http.MethodPost, run: post((*Server).forbidStream)},
	"ResumeStream":    {method: http.MethodPost, run: post((*Server).resumeStream)},
	"KillStream":      {method: http.MethodPost, run: post((*Server).killStream)},

	"DescribeLiveStreamState":           {method: http.MethodGet, run: get((*Server).describeState)},
	"DescribeLiveStreamInfoByPage":      {method: http.MethodGet, run: get((*Server).describeLive)},
	"DescribeClosedStreamInfoByPage":    {method: http.MethodGet, run: get((*Server).describeClosed)},
	"DescribeForbiddenStreamInfoByPage": {method: http.MethodGet, run: get((*Server).describeForbidden)},
}

// post decodes the body for an action.
func post[In any](do func(*Server, context.Context, *call, In) (any, error)) func(context.Context, *Server, *call) (any, error) {
	return func(ctx context.Context, s *Server, c *call) (any, error) {
		in, err := decode[In](c.body)
		if err != nil {
			return nil, err
		}
		return do(s, ctx, c, in)
	}
}

// get hands the signed part of the query to an action.
func get(do func(*Server, context.Context, *call, *values) (any, error)) func(context.Context, *Server, *call) (any, error) {
	return func(ctx context.Context, s *Server, c *call) (any, error) {
		return do(s, ctx, c, &values{query: c.query})
	}
}
