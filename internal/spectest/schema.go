package spectest

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/getkin/kin-openapi/openapi3"
)

// Checks tells whether a client sends through a Transport of this package.
func Checks(c *http.Client) bool {
	if c == nil {
		return false
	}
	_, ok := c.Transport.(*transport)
	return ok
}

// MatchSchema holds a JSON text against a component of openapi.yaml. It is for
// answers that belong to no operation, like those to unknown paths.
func MatchSchema(name string, text []byte) error {
	s, err := loadOnce()
	if err != nil {
		return err
	}
	ref := s.doc.Components.Schemas[name]
	if ref == nil {
		return fmt.Errorf("openapi.yaml has no schema %s", name)
	}
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return err
	}
	return ref.Value.VisitJSON(value, openapi3.VisitAsResponse(), openapi3.MultiErrors())
}
