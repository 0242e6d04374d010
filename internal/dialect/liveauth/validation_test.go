package liveauth

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	gen "github.com/stagedoor-live/stagedoor/gen/liveauth"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
)

// The texts are those of the captured table.

func TestCreateUserRefusesWhatIsNoObject(t *testing.T) {
	t.Parallel()
	b := setup(t)
	missingBody := list(entry(`["body"]`, "field required", "value_error.missing"))
	notADict := list(entry(`["body"]`, "value is not a valid dict", "type_error.dict"))
	for name, tc := range map[string]struct{ contentType, body, want string }{
		"no body":             {"application/json", ``, missingBody},
		"no body at all":      {"", ``, missingBody},
		"null":                {"application/json", ` null `, missingBody},
		"a string":            {"application/json", `"dave"`, notADict},
		"an array":            {"application/json", `[{}]`, notADict},
		"a number":            {"application/json", `7`, notADict},
		"plain text":          {"text/plain", dave, notADict},
		"a form":              {"application/x-www-form-urlencoded", `username=dave`, notADict},
		"no media type":       {"nonsense", dave, notADict},
		"a type like JSON":    {"application/jsonp", dave, notADict},
		"JSON of another top": {"text/json", dave, notADict},
	} {
		t.Run(name, func(t *testing.T) {
			r := with(dialecttest.JSON("/users/create", b.admin, tc.body), "Content-Type", tc.contentType)
			b.bad(t, r).want(t, http.StatusUnprocessableEntity, tc.want)
		})
	}
}

func TestCreateUserListsAllFaultsInTheOrderOfTheFields(t *testing.T) {
	t.Parallel()
	b := setup(t)
	null := func(name string) string {
		return entry(`["body","`+name+`"]`, "none is not an allowed value", "type_error.none.not_allowed")
	}
	noText := func(name string) string {
		return entry(`["body","`+name+`"]`, "str type expected", "type_error.str")
	}
	rule := func(name, msg string) string { return entry(`["body","`+name+`"]`, msg, "value_error") }
	badEmail := entry(`["body","email"]`, "value is not a valid email address", "value_error.email")
	for name, tc := range map[string]struct{ body, want string }{
		"empty object": {`{}`, list(missingField("username"), missingField("email"), missingField("full_name"), missingField("password"))},
		"one missing":  {strings.Replace(dave, `"password"`, `"passwort"`, 1), list(missingField("password"))},
		"letter case":  {strings.Replace(dave, `"password"`, `"Password"`, 1), list(missingField("password"))},
		"null":         {strings.Replace(dave, `"Dave Example"`, `null`, 1), list(null("full_name"))},
		"array":        {strings.Replace(dave, `"a fine password"`, `["a fine password"]`, 1), list(noText("password"))},
		"object":       {strings.Replace(dave, `"Dave"`, `{"a":1}`, 1), list(noText("username"))},
		"boolean":      {strings.Replace(dave, `"Dave"`, `true`, 1), list(noText("username"))},
		"all kinds": {`{"password":[],"username":null,"email":"nope"}`,
			list(null("username"), badEmail, missingField("full_name"), noText("password"))},
		"rules of accounts among them": {`{"password":"short","email":"nope"}`,
			list(missingField("username"), badEmail, missingField("full_name"), rule("password", "the password needs at least 8 characters"))},
		"rules of accounts alone": {`{"username":"a b","email":"a@b..c","full_name":"\u0000","password":"password1"}`,
			list(rule("username", "a username has 1 to 64 letters, digits, dots, dashes, underscores or at signs"), badEmail,
				rule("full_name", "the full name contains characters that are not text"), rule("password", "the password is one of the most common ones"))},
		"email without host": {strings.Replace(dave, "dave@example.com", "nope", 1), list(badEmail)},
		"email without dot":  {strings.Replace(dave, "dave@example.com", "a@b", 1), list(badEmail)},
		"email only dot":     {strings.Replace(dave, "dave@example.com", "a@b.", 1), list(badEmail)},
		"empty email":        {strings.Replace(dave, "dave@example.com", "", 1), list(badEmail)},
		"number as email":    {strings.Replace(dave, `"dave@example.com"`, "5", 1), list(badEmail)},
		"email with a name":  {strings.Replace(dave, "dave@example.com", "Dave <dave@example.com>", 1), list(badEmail)},
	} {
		t.Run(name, func(t *testing.T) {
			b.bad(t, dialecttest.JSON("/users/create", b.admin, tc.body)).want(t, http.StatusUnprocessableEntity, tc.want)
		})
	}
}

func TestCreateUserSaysWhereTheRulesOfAccountsAreBroken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, tc := range map[string]struct{ old, new, field string }{
		"short password":  {"a fine password", "short", "password"},
		"common password": {"a fine password", "password1", "password"},
		"long name":       {"Dave Example", strings.Repeat("x", 257), "full_name"},
		"control":         {"Dave Example", `Dave\u0000`, "full_name"},
		"username":        {`"Dave"`, `"Dave Example"`, "username"},
		"empty username":  {`"Dave"`, `""`, "username"},
		"long username":   {`"Dave"`, `"` + strings.Repeat("d", 65) + `"`, "username"},
	} {
		t.Run(name, func(t *testing.T) {
			r := b.bad(t, dialecttest.JSON("/users/create", b.admin, strings.Replace(dave, tc.old, tc.new, 1)))
			r.want(t, http.StatusUnprocessableEntity, "")
			var got gen.HTTPValidationError
			if err := json.Unmarshal(r.Body, &got); err != nil {
				t.Fatal(err)
			}
			if len(got.Detail) != 1 || got.Detail[0].Loc[0] != "body" || got.Detail[0].Loc[1] != tc.field || got.Detail[0].Type != "value_error" {
				t.Errorf("got %s", r.Body)
			}
		})
	}
}

func TestBrokenJSONIsPlacedAsPythonPlacesIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for body, want := range map[string]string{
		"{\"username\": \"a\n}":         `["body",15] Invalid control character at: line 1 column 16 (char 15)`,
		`{"username": tru}`:             `["body",13] Expecting value: line 1 column 14 (char 13)`,
		`{"username": x}`:               `["body",13] Expecting value: line 1 column 14 (char 13)`,
		`{username: "x"}`:               `["body",1] Expecting property name enclosed in double quotes: line 1 column 2 (char 1)`,
		`{"username" "x"}`:              `["body",12] Expecting ':' delimiter: line 1 column 13 (char 12)`,
		`{"a": 1 "b": 2}`:               `["body",8] Expecting ',' delimiter: line 1 column 9 (char 8)`,
		`{"a": [1 2]}`:                  `["body",9] Expecting ',' delimiter: line 1 column 10 (char 9)`,
		`{"a": 1}x`:                     `["body",8] Extra data: line 1 column 9 (char 8)`,
		`{"a": "\q"}`:                   `["body",7] Invalid \escape: line 1 column 8 (char 7)`,
		`{"a": "\u12x"}`:                `["body",8] Invalid \uXXXX escape: line 1 column 9 (char 8)`,
		"{\n  \"ä\": 1,\n  \"b\" 2}":    `["body",18] Expecting ':' delimiter: line 3 column 7 (char 18)`,
		`{`:                             `["body",1] Expecting property name enclosed in double quotes: line 1 column 2 (char 1)`,
		` `:                             `["body",1] Expecting value: line 1 column 2 (char 1)`,
		"{\"username\": \"a\xff\"}":     `["body",15] Invalid UTF-8: line 1 column 16 (char 15)`,
		strings.Repeat(`{"a":`, 10_001): `Expecting value`,
		`{"username": "a", "password": ` + "\x00": `["body",30] Expecting value: line 1 column 31 (char 30)`,
	} {
		r := b.bad(t, dialecttest.JSON("/users/create", b.admin, body)).want(t, http.StatusUnprocessableEntity, "")
		var got struct {
			Detail []struct {
				Loc       json.RawMessage
				Msg, Type string
			}
		}
		if err := json.Unmarshal(r.Body, &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Detail) != 1 || got.Detail[0].Type != "value_error.jsondecode" {
			t.Errorf("%.40q: %s", body, r.Body)
			continue
		}
		if told := string(got.Detail[0].Loc) + " " + got.Detail[0].Msg; !strings.Contains(told, want) {
			t.Errorf("%.40q:\n got %s\nwant %s", body, told, want)
		}
	}
}

func TestQueryFaultsComeTogetherAndAfterAuthentication(t *testing.T) {
	t.Parallel()
	b := setup(t)
	noStream := entry(`["query","stream"]`, "field required", "value_error.missing")
	noInteger := entry(`["query","level"]`, "value is not a valid integer", "type_error.integer")
	twice := func(name string) string {
		return entry(`["query","`+name+`"]`, "str type expected", "type_error.str")
	}
	for query, want := range map[string]string{
		"POST /live/create_token":                               list(noStream),
		"POST /live/create_token?level=0":                       list(noStream),
		"POST /live/create_token?level=abc":                     list(noStream, noInteger),
		"POST /live/create_token?stream=a&level=abc":            list(noInteger),
		"POST /live/create_token?stream=a&level=1.5":            list(noInteger),
		"POST /live/create_token?stream=a&level=":               list(noInteger),
		"POST /live/create_token?stream=a&level=99999999999":    list(noInteger),
		"POST /live/create_token?stream=a&stream=b":             list(twice("stream")),
		"POST /live/create_token?stream=a&stream=b&level=x":     list(twice("stream"), noInteger),
		"DELETE /live/destroy_token":                            list(entry(`["query","token"]`, "field required", "value_error.missing")),
		"DELETE /live/destroy_token?token=a&token=b":            list(twice("token")),
		"DELETE /live/destroy_token?tokens=a&level=x&stream=%2": list(entry(`["query","token"]`, "field required", "value_error.missing")),
	} {
		method, path, _ := strings.Cut(query, " ")
		b.bad(t, ask(method, path, b.alice)).want(t, http.StatusUnprocessableEntity, want)
		b.bad(t, ask(method, path, "")).want(t, http.StatusUnauthorized, notAuthenticated)
		b.bad(t, ask(method, path, "garbage")).want(t, http.StatusUnauthorized, badToken)
	}
}

func TestStreamNamesThatMediaServersCutDifferentlyAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, stream := range []string{"", "/", "a/", "/a", "a/b/c", "a.flv", "a%20b", "a%3Fb", "%E6%88%BF", "a%26b", "..", strings.Repeat("x", 257)} {
		r := b.bad(t, ask("POST", "/live/create_token?stream="+stream, b.alice)).want(t, http.StatusUnprocessableEntity, "")
		if !strings.Contains(string(r.Body), `"loc":["query","stream"]`) || !strings.Contains(string(r.Body), `"type":"value_error"`) {
			t.Errorf("%q: %s", stream, r.Body)
		}
	}
	negative := entry(`["query","level"]`, "level is not negative", "value_error")
	b.bad(t, ask("POST", "/live/create_token?stream=a&level=-1", b.alice)).want(t, http.StatusUnprocessableEntity, list(negative))
	r := b.bad(t, ask("POST", "/live/create_token?stream=a.b&level=-1", b.alice)).want(t, http.StatusUnprocessableEntity, "")
	if !strings.HasPrefix(string(r.Body), `{"detail":[{"loc":["query","stream"],`) || !strings.Contains(string(r.Body), "},"+negative+"]") {
		t.Errorf("got %s", r.Body)
	}
}

// FuzzCheckUser holds that whatever is sent, either all four fields are clean
// text afterwards or every fault has a place, a text and a type that a client
// can decode.
func FuzzCheckUser(f *testing.F) {
	for _, seed := range []string{dave, `{}`, `null`, `[]`, `{"username":1e400,"password":-0}`, `{"email":"a@b.c","email":null}`,
		`{"username":"\ud800","full_name":"\u0000"}`, "{\"username\":\"\xff\"}", `{"username"`, "\ufeff{}", `{"a":{"a":[`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/users/create", strings.NewReader(string(body)))
		err := checkUser(r, func(account.NewAccount) error { return nil })
		var told faults
		if errors.As(err, &told) {
			for _, v := range told {
				if len(v.Loc) == 0 || v.Loc[0] != "body" || v.Msg == "" || v.Type == "" {
					t.Fatalf("%q: %+v", body, v)
				}
			}
			return
		}
		if err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		var clean map[string]string
		if err := json.NewDecoder(r.Body).Decode(&clean); err != nil || len(clean) != len(userFields) {
			t.Fatalf("%q became %v: %v", body, clean, err)
		}
	})
}

// FuzzCheckGrant holds the same of forms.
func FuzzCheckGrant(f *testing.F) {
	f.Add(formType, "username=a&password=b&grant_type=password")
	f.Add(formType, "username=%zz&password=&;")
	f.Add("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=username\r\n\r\na\r\n--x--\r\n")
	f.Add("multipart/form-data; boundary=", "--")
	f.Fuzz(func(t *testing.T, contentType, body string) {
		r := httptest.NewRequest(http.MethodPost, "/auth/token?username=q&password=q", strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		err := checkGrant(r)
		if complete := r.PostForm.Get("username") != "" && r.PostForm.Get("password") != ""; err == nil && !complete {
			t.Fatalf("%q %q: incomplete and no fault", contentType, body)
		}
		if len(r.PostForm) != 2 || len(r.PostForm["username"]) != 1 || len(r.Form) != 2 {
			t.Fatalf("%q %q: left %v", contentType, body, r.PostForm)
		}
	})
}
