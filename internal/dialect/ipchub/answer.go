package ipchub

import (
	"context"
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"

	gen "github.com/stagedoor-live/stagedoor/gen/ipchub"
)

const (
	jsonType = "application/json"
	textType = "text/plain; charset=utf-8"
)

// render writes answers as ipchub does: indented by tabs, without a line feed at
// the end, and as text for clients that do not ask for JSON. Answers without a
// body are left to the generated code.
func render(next gen.StrictHandlerFunc, _ string) gen.StrictHandlerFunc {
	return func(ctx context.Context, w http.ResponseWriter, r *http.Request, request any) (any, error) {
		answer, err := next(ctx, w, r, request)
		if err != nil || isEmpty(answer) {
			return answer, err
		}
		body, err := json.MarshalIndent(answer, "", "\t")
		if err != nil {
			return nil, err
		}
		h := w.Header()
		h.Set("Content-Type", textType)
		if wantsJSON(r.Header.Values("Accept")) {
			h.Set("Content-Type", jsonType)
		}
		h.Add("Vary", "Accept")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body) // a client that is gone cannot be told
		return nil, nil
	}
}

func isEmpty(answer any) bool {
	switch answer.(type) {
	case gen.IpchubSaveUser200Response, gen.IpchubDeleteUser200Response, gen.IpchubSaveRoute200Response,
		gen.IpchubDeleteRoute200Response, gen.IpchubDeleteStream200Response, gen.IpchubDeleteConsumer200Response:
		return true
	}
	return false
}

// wantsJSON says whether a client names JSON, or says nothing: generated clients
// do either, and go by the type. Pages and tools that take anything know ipchub's
// text and parse it themselves.
func wantsJSON(accept []string) bool {
	all := strings.TrimSpace(strings.Join(accept, ","))
	if all == "" {
		return true
	}
	for part := range strings.SplitSeq(all, ",") {
		name, params, err := mime.ParseMediaType(part)
		if err != nil || zero(params["q"]) {
			continue
		}
		if name == jsonType || name == "application/*" || strings.HasSuffix(name, "+json") {
			return true
		}
	}
	return false
}

func zero(q string) bool {
	v, err := strconv.ParseFloat(q, 64)
	return err == nil && v == 0
}
