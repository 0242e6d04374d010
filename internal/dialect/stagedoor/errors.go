package stagedoor

import (
	"encoding/json"
	"errors"
	"net/http"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

// writeError is the only way in which this dialect says no. The code is the
// reason, so that programs can tell more apart than the status does.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	e := errs.As(inputError(err))
	httpx.SetFailure(r.Context(), e.Reason, e.Unwrap())
	w.Header().Set("Cache-Control", "no-store")
	httpx.FailureHeaders(w.Header(), e)
	httpx.WriteJSON(w, httpx.StatusOf(e.Kind), gen.Error{Code: e.Reason, Message: e.Message, RequestID: httpx.RequestID(r.Context()), TraceID: httpx.TraceID(r.Context())})
}

// inputError says which parameter or field does not parse, where the generated
// code or the JSON decoder knows. What was sent is not repeated.
func inputError(err error) error {
	var format *gen.InvalidParamFormatError
	var missing *gen.RequiredParamError
	var field *json.UnmarshalTypeError
	switch {
	case errors.As(err, &missing):
		return errs.InvalidField(missing.ParamName, missing.ParamName+" is required")
	case errors.As(err, &format):
		return errs.InvalidField(format.ParamName, format.ParamName+" is not valid")
	case errors.As(err, &field) && field.Field != "":
		return errs.InvalidField(field.Field, field.Field+" is of the wrong type")
	}
	return err
}
