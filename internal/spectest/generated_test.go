package spectest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/stagedoor-live/stagedoor/gen/appserver"
	"github.com/stagedoor-live/stagedoor/gen/callback"
	"github.com/stagedoor-live/stagedoor/gen/ipchub"
	"github.com/stagedoor-live/stagedoor/gen/liveauth"
	"github.com/stagedoor-live/stagedoor/gen/ops"
	"github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/gen/volcengine"
)

func document(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("../../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// patterns registers on a real mux, which panics on conflicts, and notes what
// was registered.
type patterns struct {
	http.ServeMux
	seen []string
}

func (p *patterns) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	if !strings.HasSuffix(pattern, "}:consumer") { // net/http has no such patterns; the dialect sorts it out
		p.ServeMux.HandleFunc(pattern, handler)
	}
	p.seen = append(p.seen, strings.TrimSuffix(pattern, "{$}")) // of the exact path /
}

func TestGeneratedHandlersShareOneMuxAndCoverTheSpec(t *testing.T) {
	t.Parallel()
	mux := &patterns{}
	liveauth.HandlerWithOptions(liveauth.NewStrictHandler(nil, nil), liveauth.StdHTTPServerOptions{BaseRouter: mux})
	appserver.HandlerWithOptions(appserver.NewStrictHandler(nil, nil), appserver.StdHTTPServerOptions{BaseRouter: mux})
	ipchub.HandlerWithOptions(ipchub.NewStrictHandler(nil, nil), ipchub.StdHTTPServerOptions{BaseRouter: mux})
	callback.HandlerWithOptions(nil, callback.StdHTTPServerOptions{BaseRouter: mux})
	stagedoor.HandlerWithOptions(stagedoor.NewStrictHandler(nil, nil), stagedoor.StdHTTPServerOptions{BaseRouter: mux})
	volcengine.HandlerWithOptions(nil, volcengine.StdHTTPServerOptions{BaseRouter: mux})
	ops.HandlerWithOptions(ops.NewStrictHandler(nil, nil), ops.StdHTTPServerOptions{BaseRouter: mux})

	var want []string
	for path, item := range document(t).Paths.Map() {
		for method := range item.Operations() {
			want = append(want, method+" "+path)
		}
	}
	slices.Sort(want)
	slices.Sort(mux.seen)
	if !slices.Equal(mux.seen, want) {
		t.Errorf("generated handlers serve\n%q\nthe spec has\n%q", mux.seen, want)
	}
}

func TestRefusalReasonsOfTheSpecAreThoseOfTheCore(t *testing.T) {
	t.Parallel()
	var documented []string
	for _, value := range document(t).Components.Schemas["RefusalReason"].Value.Enum {
		documented = append(documented, value.(string))
	}
	// Reasons that admit never reach the wire.
	documented = append(documented, "allowed", "credential_unknown", "duplicate", "open_policy", "server_relay")
	slices.Sort(documented)
	if core := reasonsOfTheCore(t); !slices.Equal(documented, core) {
		t.Errorf("the spec has\n%q\ninternal/media has\n%q", documented, core)
	}
}

// reasonsOfTheCore reads the constants of type Reason from the source, so that
// a new one cannot be forgotten in the spec.
func reasonsOfTheCore(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../media/media.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var reasons []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); !ok || typ.Name != "Reason" {
			return true
		}
		for _, value := range spec.Values {
			text, err := strconv.Unquote(value.(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			reasons = append(reasons, text)
		}
		return true
	})
	slices.Sort(reasons)
	return reasons
}
