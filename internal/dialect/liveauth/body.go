package liveauth

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	gen "github.com/stagedoor-live/stagedoor/gen/liveauth"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
	"github.com/stagedoor-live/stagedoor/internal/pydantic"
)

// checkBody judges a body as the contract does and replaces it by a plain one,
// so that what the generated code decodes afterwards is complete and of the
// right types. On its own that code takes a JSON login for an empty form,
// matches field names in any letter case and stops at the first fault.
func (s *Server) checkBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var err error
		switch r.Pattern {
		case opLogin:
			err = checkGrant(r)
		case opCreateUser:
			err = checkUser(r, s.Accounts.Check)
		}
		if err != nil {
			s.writeError(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

const formType = "application/x-www-form-urlencoded"

// checkGrant leaves user name and password in the form; the rest of an OAuth
// form has no use here. An empty value counts as missing.
func checkGrant(r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	var f faults
	if grant := last(form["grant_type"]); grant != "" && grant != "password" {
		f = append(f, notPassword("body", "grant_type"))
	}
	clean := url.Values{}
	for _, name := range []string{"username", "password"} {
		clean.Set(name, last(form[name]))
		if clean.Get(name) == "" {
			f = append(f, missing("body", name))
		}
	}
	r.Form, r.PostForm = clean, clean
	r.Header.Set("Content-Type", formType)
	return f.err()
}

// last returns the value that counts when a field is repeated.
func last(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

// readForm reads a form of either kind. Any other body is an empty form, and
// so is one that does not parse. The query never counts.
func readForm(r *http.Request) (url.Values, error) {
	kind, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		return nil, httpx.BodyError(err)
	case kind == formType:
		form, _ := url.ParseQuery(string(body)) // what does parse is in it
		return form, nil
	case kind == "multipart/form-data" && params["boundary"] != "":
		return readParts(body, params["boundary"]), nil
	}
	return nil, nil
}

// readParts reads a multipart form. All of it fits in memory, as the body
// already does; files are no fields.
func readParts(body []byte, boundary string) url.Values {
	form, err := multipart.NewReader(bytes.NewReader(body), boundary).ReadForm(httpx.MaxBody)
	if err != nil {
		return nil
	}
	_ = form.RemoveAll() // there is nothing on disk
	return form.Value
}

// userFields are those of a new user, in the order of the contract.
var userFields = []string{"username", "email", "full_name", "password"}

// checkUser leaves a JSON object of four strings as the body. Rules are those
// of accounts; a field is judged by them once it is text.
func checkUser(r *http.Request, rules func(account.NewAccount) error) error {
	sent, err := readObject(r)
	if err != nil {
		return err
	}
	wrong := map[string]gen.ValidationError{}
	clean := make(map[string]string, len(userFields))
	for _, name := range userFields {
		raw, ok := sent[name]
		var isText bool
		clean[name], isText = toText(raw)
		switch {
		case !ok:
			wrong[name] = missing("body", name)
		case string(raw) == "null":
			wrong[name] = isNull("body", name)
		case !isText:
			wrong[name] = notText("body", name)
		case name == "email" && !resemblesEmail(clean[name]):
			wrong[name] = notEmail("body", name)
		}
	}
	addBroken(wrong, rules(account.NewAccount{Username: clean["username"], Email: clean["email"], FullName: clean["full_name"], Password: clean["password"]}))
	body, err := json.Marshal(clean)
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return inOrder(userFields, wrong).err()
}

// addBroken adds the rules that are broken by fields nothing else is wrong with.
func addBroken(wrong map[string]gen.ValidationError, broken error) {
	for _, e := range parts(broken) {
		if _, known := wrong[e.Field]; !known {
			wrong[e.Field] = brokenRule(e, "body")
		}
	}
}

// inOrder lists faults in the order of the fields.
func inOrder(fields []string, wrong map[string]gen.ValidationError) (f faults) {
	for _, name := range fields {
		if v, ok := wrong[name]; ok {
			f = append(f, v)
		}
	}
	return f
}

// readObject reads a JSON object. JSON without a Content-Type counts, JSON
// under another one does not.
func readObject(r *http.Request) (map[string]json.RawMessage, error) {
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		return nil, httpx.BodyError(err)
	case len(body) == 0:
		return nil, faults{missing("body")}
	case !isJSON(r.Header.Get("Content-Type")):
		return nil, faults{notDict("body")}
	}
	return decodeObject(body)
}

// decodeObject keeps the values raw, as null and absent differ and numbers
// become text digit by digit.
func decodeObject(body []byte) (map[string]json.RawMessage, error) {
	for _, check := range []func([]byte) (pydantic.Fault, bool){pydantic.Encoding, pydantic.Syntax} {
		if at, broken := check(body); broken {
			return nil, faults{brokenJSON(at)}
		}
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(body, &object); err != nil {
		return nil, faults{notDict("body")}
	}
	if object == nil { // the body is null
		return nil, faults{missing("body")}
	}
	return object, nil
}

func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	kind, _, _ := mime.ParseMediaType(contentType)
	sub, ok := strings.CutPrefix(kind, "application/")
	return ok && (sub == "json" || strings.HasSuffix(sub, "+json"))
}

// toText returns a string or a number as text.
func toText(raw json.RawMessage) (string, bool) {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s, true
	}
	var n json.Number
	err := json.Unmarshal(raw, &n)
	return n.String(), err == nil
}

// text returns a field that checkUser has left as a string.
func text(raw json.RawMessage) string {
	s, _ := toText(raw)
	return s
}

// resemblesEmail is what the contract asks of an address and accounts, which may
// have none, do not: both parts, and a dot in the second.
func resemblesEmail(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	return ok && local != "" && strings.Contains(strings.Trim(domain, "."), ".")
}
