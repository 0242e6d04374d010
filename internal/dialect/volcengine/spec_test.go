package volcengine

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	gen "github.com/stagedoor-live/stagedoor/gen/volcengine"
)

// documentedAction is an entry of x-stagedoor-actions.
type documentedAction struct {
	Action         string   `json:"action"`
	Versions       []string `json:"versions"`
	Request        string   `json:"request"`
	Result         string   `json:"result"`
	LimitPerSecond int      `json:"limit_per_second"`
}

func document(t *testing.T) *openapi3.T {
	t.Helper()
	text, err := os.ReadFile("../../../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// documentedOperations reads the actions of the spec by method, and checks that
// the schemas that they name exist.
func documentedOperations(t *testing.T) map[string][]documentedAction {
	t.Helper()
	doc, out := document(t), map[string][]documentedAction{}
	for method, op := range doc.Paths.Value("/").Operations() {
		text, err := json.Marshal(op.Extensions["x-stagedoor-actions"])
		if err != nil {
			t.Fatal(err)
		}
		var list []documentedAction
		if err := json.Unmarshal(text, &list); err != nil {
			t.Fatal(err)
		}
		for _, a := range list {
			for _, name := range []string{a.Request, a.Result} {
				if name != "" && doc.Components.Schemas[name] == nil {
					t.Errorf("%s: no schema %s", a.Action, name)
				}
			}
		}
		out[method] = list
	}
	return out
}

func TestEveryCodeOfTheSpecIsInTheTable(t *testing.T) {
	t.Parallel()
	used := map[gen.VolcengineErrorCode]bool{}
	for _, c := range codesByReason {
		used[c.text] = true
	}
	for _, c := range codesByKind {
		used[c.text] = true
	}
	for _, v := range document(t).Components.Schemas["VolcengineError"].Value.Properties["Code"].Value.Enum {
		if text := gen.VolcengineErrorCode(v.(string)); !used[text] {
			t.Errorf("%s is never sent", text)
		} else {
			delete(used, text)
		}
	}
	if len(used) > 0 {
		t.Errorf("not in the spec: %v", used)
	}
}
