package ipchub

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	gen "github.com/stagedoor-live/stagedoor/gen/ipchub"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

// texts are those that clients know, by reason and then by kind. Where neither
// has one, the error's own message is shown.
var (
	textByReason = map[string]string{
		errNoLogin.Reason:    "未提供用户名或密码",
		errWrongLogin.Reason: "用户名或密码错误",
	}
	textByKind = map[errs.Kind]string{
		errs.Internal:     "internal error",
		errs.Unauthorized: "Token is not valid",
		errs.Forbidden:    "访问被拒绝，请用管理员登录",
		errs.NotFound:     "404 page not found",
	}
)

// writeError is the only way in which this dialect says no. An unknown path is
// told last: a caller without a token learns nothing about paths.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	e := errs.As(err)
	if e.Reason == "no_such_path" || e.Kind == errs.MethodNotAllowed {
		e = errNoSuch
		if _, err := s.admit(r); err != nil {
			e = errs.As(err)
		}
	}
	httpx.SetFailure(r.Context(), e.Reason, e.Unwrap())
	h := w.Header()
	h.Del("Allow")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", textType)
	h.Set("X-Content-Type-Options", "nosniff")
	httpx.FailureHeaders(h, e)
	w.WriteHeader(httpx.StatusOf(e.Kind))
	_, _ = io.WriteString(w, text(e)+"\n")
}

func text(e *errs.Error) string {
	if t, ok := textByReason[e.Reason]; ok {
		return t
	}
	if t, ok := textByKind[e.Kind]; ok {
		return t
	}
	return e.Message
}

// paramError says which parameter does not parse. What was sent is not repeated.
func (s *Server) paramError(w http.ResponseWriter, r *http.Request, err error) {
	var format *gen.InvalidParamFormatError
	var required *gen.RequiredParamError
	switch {
	case errors.As(err, &required):
		err = errs.InvalidField(required.ParamName, required.ParamName+" is missing").With(err)
	case errors.As(err, &format):
		err = errs.InvalidField(format.ParamName, format.ParamName+" is not a whole number").With(err)
	}
	s.writeError(w, r, err)
}

// bodyError says what is wrong with a body. A login with a bad one is told what
// clients know.
func (s *Server) bodyError(w http.ResponseWriter, r *http.Request, err error) {
	var field *json.UnmarshalTypeError
	cause := httpx.BodyError(err)
	switch {
	case errs.KindOf(cause) == errs.Invalid && r.URL.Path == loginPath:
		cause = errNoLogin.With(err)
	case errors.As(err, &field) && field.Field != "":
		cause = errs.InvalidField(field.Field, field.Field+" is of the wrong type").With(err)
	}
	s.writeError(w, r, cause)
}
