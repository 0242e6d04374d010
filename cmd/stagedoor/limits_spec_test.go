package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/stagedoor-live/stagedoor/gen/spec"
)

// TestTheSpecPromisesLimitsWhereTheyAre holds that an operation describes the
// headers of the rate limit, and 429, exactly where the server applies it.
func TestTheSpecPromisesLimitsWhereTheyAre(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromData(spec.YAML)
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range doc.Paths.Map() {
		limited := !slices.ContainsFunc(unlimited, func(u string) bool {
			return path == u || strings.HasSuffix(u, "/") && strings.HasPrefix(path, u)
		})
		for method, op := range item.Operations() {
			for status, res := range op.Responses.Map() {
				_, told := res.Value.Headers["RateLimit-Limit"]
				if limited != told && status[0] == '2' {
					t.Errorf("%s %s answers %s: limited %v, described %v", method, path, status, limited, told)
				}
			}
			if limited && op.Responses.Value("429") == nil {
				t.Errorf("%s %s does not describe 429", method, path)
			}
		}
	}
}
