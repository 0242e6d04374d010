package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// Whoever may come to a door.
const (
	nobody        = "nobody"
	stranger      = "a stranger" // an account that owns nothing
	owner         = "the owner"
	administrator = "an administrator"
	mediaServer   = "a media server"
	cdn           = "the CDN"
)

// admits says whom each value of x-stagedoor-access lets in. All others are
// refused.
var admits = map[string][]string{
	"open":           {nobody, stranger, owner, administrator},
	"account":        {stranger, owner, administrator},
	"owner":          {owner},
	"owner-or-admin": {owner, administrator},
	"admin":          {administrator},
	"node":           {mediaServer},
	"signed":         {cdn},
}

// door is an operation of the spec, or one action of an operation that has
// several.
type door struct {
	id           string // operation id, or "Action Version"
	method, path string // with the parameters of the spec
	access       string
	schemes      []string // security schemes, any of which may do
	anonymous    bool     // the spec also takes requests without a credential
	example      example
}

// visitors are those who are tried at a door.
func (d door) visitors() []string {
	all := []string{nobody, stranger, owner, administrator}
	for _, machine := range admits[d.access] {
		if !slices.Contains(all, machine) {
			all = append(all, machine)
		}
	}
	return all
}

func (d door) admits(who string) bool { return slices.Contains(admits[d.access], who) }

// refusal is the status for a visitor who may not enter.
func (d door) refusal(who string) int {
	switch {
	case d.example.refused != 0:
		return d.example.refused
	case who == nobody && !d.anonymous && d.access != "node" && d.access != "signed":
		return http.StatusUnauthorized
	case d.example.hidden && who != nobody:
		return http.StatusNotFound
	}
	return http.StatusForbidden
}

// doorsOf lists the doors of a document, sorted by id, and everything about
// them that is not in order.
func doorsOf(doc *openapi3.T, table map[string]example) (doors []door, complaints []string) {
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			d := door{id: op.OperationID, method: method, path: path}
			d.access, _ = op.Extensions["x-stagedoor-access"].(string)
			d.schemes, d.anonymous = securityOf(doc, op)
			if list, ok := op.Extensions["x-stagedoor-actions"]; ok {
				doors = append(doors, actionsOf(d, list)...)
			} else {
				doors = append(doors, d)
			}
		}
	}
	slices.SortFunc(doors, func(a, b door) int { return strings.Compare(a.id, b.id) })
	unused := maps.Clone(table)
	for i := range doors {
		d := &doors[i]
		name, _, _ := strings.Cut(d.id, " ") // one example does for all versions
		e, ok := table[name]
		if !ok {
			complaints = append(complaints, d.id+": say in the table examples what a valid request of it is")
		}
		d.example = e
		delete(unused, name)
		complaints = append(complaints, d.complaints()...)
	}
	for name := range unused {
		complaints = append(complaints, name+" is in the table examples but not in openapi.yaml")
	}
	return doors, complaints
}

// actionsOf are the actions of one operation, each in all of its versions.
func actionsOf(d door, list any) (doors []door) {
	var actions []struct {
		Action, Access string
		Versions       []string
	}
	text, err := json.Marshal(list)
	if err == nil {
		err = json.Unmarshal(text, &actions)
	}
	if err != nil || len(actions) == 0 {
		return []door{d} // which declares no access, and so is complained of
	}
	for _, a := range actions {
		for _, version := range a.Versions {
			one := d
			one.id, one.access = a.Action+" "+version, a.Access
			one.path += "?" + url.Values{"Action": {a.Action}, "Version": {version}}.Encode()
			doors = append(doors, one)
		}
	}
	return doors
}

func securityOf(doc *openapi3.T, op *openapi3.Operation) (schemes []string, anonymous bool) {
	requirements := doc.Security
	if op.Security != nil {
		requirements = *op.Security
	}
	anonymous = len(requirements) == 0
	for _, r := range requirements {
		anonymous = anonymous || len(r) == 0
		schemes = append(schemes, slices.Sorted(maps.Keys(r))...)
	}
	return schemes, anonymous
}

// schemesOf are the security schemes that go with a requirement that needs one.
// For the others any scheme that names an account does.
var schemesOf = map[string][]string{
	"open":   {},
	"node":   {"callbackSecret", "omeSignature", "pushCallbackSignature"},
	"signed": {"pushCallbackSignature"},
}

var accountSchemes = []string{"bearerAuth", "renewableAuth", "queryToken", "volcengineSignature", "volcengineQuerySignature"}

// alsoAnonymous are the doors that admit nobody without a credential, although
// their security says that none is needed, and why.
var alsoAnonymous = map[string]string{
	"createUser": "open to anybody where registration is open",
}

// complaints says how requirement and security contradict each other.
func (d door) complaints() (out []string) {
	if _, ok := admits[d.access]; !ok {
		return []string{fmt.Sprintf("%s: x-stagedoor-access is %q, not one of %v", d.id, d.access, slices.Sorted(maps.Keys(admits)))}
	}
	allowed, ok := schemesOf[d.access]
	if !ok {
		allowed = accountSchemes
		if d.anonymous && alsoAnonymous[d.id] == "" {
			out = append(out, d.id+": its security lets requests without a credential in, its x-stagedoor-access does not")
		}
	}
	if d.access == "open" && !d.anonymous {
		out = append(out, d.id+": it is open, but its security wants a credential")
	}
	for _, s := range d.schemes {
		if !slices.Contains(allowed, s) {
			out = append(out, fmt.Sprintf("%s: the security scheme %s does not go with access %q", d.id, s, d.access))
		}
	}
	return out
}

func TestADoorThatIsNotInOrderIsComplainedOf(t *testing.T) {
	t.Parallel()
	const head = `{"openapi":"3.0.3","info":{"title":"t","version":"1"},"paths":{"/p":{"get":{"operationId":"op",`
	for _, c := range []struct{ security, declared, want string }{
		{`[]`, `"x-stagedoor-access":""`, `op: x-stagedoor-access is ""`},
		{`[]`, `"x-stagedoor-access":"everyone"`, `op: x-stagedoor-access is "everyone"`},
		{`[]`, `"x-stagedoor-access":"account"`, "op: its security lets requests without a credential in"},
		{`[]`, `"x-other":1`, `op: x-stagedoor-access is ""`},
		{`[]`, `"x-stagedoor-actions":[]`, `op: x-stagedoor-access is ""`},
		{`[]`, `"x-stagedoor-actions":[{"action":"A","versions":["1"]}]`, "A 1: say in the table"},
		{`[{"bearerAuth":[]},{}]`, `"x-stagedoor-access":"admin"`, "op: its security lets requests without a credential in"},
		{`[{"bearerAuth":[]}]`, `"x-stagedoor-access":"open"`, "op: it is open, but its security wants a credential"},
		{`[{"bearerAuth":[]}]`, `"x-stagedoor-access":"node"`, "op: the security scheme bearerAuth does not go with"},
		{`[{"bearerAuth":[]}]`, `"x-stagedoor-access":"owner"`, ""},
	} {
		doc, err := openapi3.NewLoader().LoadFromData([]byte(head + `"security":` + c.security + "," + c.declared + `}}}}`))
		if err != nil {
			t.Fatal(err)
		}
		_, complaints := doorsOf(doc, map[string]example{"op": {}})
		if got := strings.Join(complaints, "\n"); !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s %s\ngot  %q\nwant %q", c.security, c.declared, got, c.want)
		}
	}
	doc := &openapi3.T{Paths: openapi3.NewPaths()}
	if _, complaints := doorsOf(doc, map[string]example{"gone": {}}); len(complaints) != 1 || !strings.HasPrefix(complaints[0], "gone is in the table") {
		t.Errorf("an example without its operation: %q", complaints)
	}
}
