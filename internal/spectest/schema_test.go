package spectest_test

import (
	"net/http"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/spectest"
)

func TestMatchSchemaTakesWhatTheComponentDescribes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		schema, text string
		want         bool
	}{
		{"AppError", `{"code":404,"message":"m"}`, true},
		{"AppError", `{"code":404}`, false},
		{"AppError", `{"code":"404","message":"m"}`, false},
		{"AppError", `{"code":404,"message":"m","stack":"s"}`, false},
		{"AppError", `{`, false},
		{"AppError", `null`, false},
		{"AppError", ``, false},
		{"HTTPValidationError", `{"detail":[{"loc":["body",16],"msg":"m","type":"t"}]}`, true},
		{"HTTPValidationError", `{"detail":[{"loc":["body",true],"msg":"m","type":"t"}]}`, false},
		{"HTTPValidationError", `{"detail":[{"loc":["body"],"msg":"m","type":"t","ctx":{}}]}`, false},
		{"NoSuchThing", `{}`, false},
	} {
		if err := spectest.MatchSchema(c.schema, []byte(c.text)); (err == nil) != c.want {
			t.Errorf("%s %s: %v", c.schema, c.text, err)
		}
	}
}

func TestChecksKnowsItsOwnTransport(t *testing.T) {
	t.Parallel()
	spec := spectest.New(t)
	for name, c := range map[string]*http.Client{"none": nil, "the default": http.DefaultClient, "a plain one": {Transport: &http.Transport{}}} {
		if spectest.Checks(c) {
			t.Errorf("%s is taken for one that checks", name)
		}
	}
	if !spectest.Checks(&http.Client{Transport: spec.Transport(nil)}) {
		t.Error("a client that checks is not known")
	}
}
