package dialecttest

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
)

func TestASnapshotSeesEveryWrite(t *testing.T) {
	t.Parallel()
	pool := dbtest.Pool(t)
	before := Snapshot(t, pool)
	if before != Snapshot(t, pool) {
		t.Fatal("two snapshots of the same differ")
	}
	if _, err := pool.Exec(t.Context(), `INSERT INTO settings (name, value_sealed, created_at) VALUES ('x', '', now())`); err != nil {
		t.Fatal(err)
	}
	after := Snapshot(t, pool)
	if got := Difference(before, after); !strings.HasPrefix(got, "+ settings (x,") {
		t.Errorf("difference is %q", got)
	}
	if got := Difference(after, before); !strings.HasPrefix(got, "- settings (x,") {
		t.Errorf("difference is %q", got)
	}
}

func TestALogFindsTheLinesOfOneRequest(t *testing.T) {
	t.Parallel()
	l := NewLog(t)
	l.Logger().Info("request", "request_id", "a", "status", 404, "reason", "not_found")
	l.Logger().Info("request", "request_id", "b", "status", 200)
	l.Logger().Info("panic", "request_id", "a")
	got := l.Requests("a")
	if len(got) != 1 || got[0].Status != 404 || got[0].Reason != "not_found" {
		t.Errorf("%+v", got)
	}
	if got := l.Requests("c"); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	id := strings.Repeat("0f", 12)
	l.Logger().Info("request", "request_id", id, "status", 404, "reason", "not_found")
	CheckLoggedOnce(t, l, Answer{Status: 404, Header: http.Header{"X-Request-Id": {id}}})
}

func TestRequestsCarryTheirCredential(t *testing.T) {
	t.Parallel()
	if got := JSON("/x", "t", "{}"); got.Header["Authorization"] != "Bearer t" || got.Header["Content-Type"] != "application/json" {
		t.Errorf("%+v", got)
	}
	if got := Form("/x", "", "a=b"); len(got.Header) != 1 || got.Header["Content-Type"] != "application/x-www-form-urlencoded" {
		t.Errorf("%+v", got)
	}
}

// spy counts what a check of the suite complains about.
type spy struct {
	testing.TB
	errors int
}

func (s *spy) Helper()               {}
func (s *spy) Error(...any)          { s.errors++ }
func (s *spy) Errorf(string, ...any) { s.errors++ }

func TestLeaksAreFound(t *testing.T) {
	t.Parallel()
	const secret = "a secret of some length"
	clean := Answer{Body: []byte(`{"code":404,"message":"room not found"}`)}
	cases := map[string]struct {
		a    Answer
		r    Request // JSON("/x", secret, "") unless told
		log  string
		want int
	}{
		"nothing":            {a: clean},
		"a stack":            {a: Answer{Body: []byte("goroutine 7 [running]")}, want: 1},
		"a Go type":          {a: Answer{Body: []byte("json: cannot unmarshal string into Go value of type int")}, want: 2},
		"a token in a body":  {a: Answer{Body: []byte(secret)}, want: 1},
		"a token in the log": {a: clean, log: secret, want: 1},
		"a secret header":    {a: Answer{Header: http.Header{"X": {secret}}}, want: 1},
		"SQL":                {a: Answer{Body: []byte(`violates unique constraint "accounts_username_key"`)}, want: 1},
		"a path":             {a: Answer{Body: []byte("open /srv/stagedoor.yaml")}, want: 1},
		"the password":       {a: Answer{Body: []byte("no such key: my pass phrase")}, r: JSON("/x", "", `{"password": "my pass phrase"`), want: 1},
		"the form's":         {a: Answer{Body: []byte("my pass phrase")}, r: Form("/x", "", "user=a&client_secret=my+pass+phrase"), want: 1},
		"the query's":        {a: clean, log: "GET /x?token=0123456789abcdef", r: Request{Path: "/x?a=b&token=0123456789abcdef"}, want: 1},
	}
	for name, c := range cases {
		l := NewLog(t)
		l.Logger().Info(c.log)
		s := &spy{TB: t}
		if c.r.Path == "" {
			c.r = JSON("/x", secret, "")
		}
		CheckNothingLeaked(s, Server{Log: l}, c.r, c.a)
		if s.errors != c.want {
			t.Errorf("%s: %d complaints, want %d", name, s.errors, c.want)
		}
	}
}

func TestAnUnloggedRefusalIsFound(t *testing.T) {
	t.Parallel()
	l := NewLog(t)
	ids := make([]string, 5)
	for i := range ids {
		ids[i] = strings.Repeat(string(rune('a'+i)), 24)
	}
	twice, mute, other := ids[1], ids[2], ids[3]
	l.Logger().Info("request", "request_id", twice, "status", 400, "reason", "x")
	l.Logger().Info("request", "request_id", twice, "status", 400, "reason", "x")
	l.Logger().Info("request", "request_id", mute, "status", 400)
	l.Logger().Info("request", "request_id", other, "status", 200, "reason", "x")
	l.Logger().Info("request", "request_id", "chosen by the client", "status", 400, "reason", "x")
	for _, id := range append(ids, "", "chosen by the client") {
		s := &spy{TB: t}
		CheckLoggedOnce(s, l, Answer{Status: 400, Header: http.Header{"X-Request-Id": {id}}})
		if s.errors == 0 {
			t.Errorf("request %q is accepted", id)
		}
	}
}

func TestASuiteMustSpeakOfEveryFault(t *testing.T) {
	t.Parallel()
	all := map[Fault]string{}
	for _, f := range Faults {
		all[f] = "it has no operations"
	}
	if got := (Suite[int]{NotApplicable: all}).gaps(); len(got) != 0 {
		t.Errorf("a suite that declines everything lacks %q", got)
	}
	got := Suite[int]{
		Cases: []Case[int]{{Fault: NotFound, Name: "a"}, {Fault: NotFound, Name: "a"}, {Fault: Panic, Name: "a"}, {Fault: "one more", Name: "a"}},
		NotApplicable: map[Fault]string{NoCredential: "r", BadCredential: "r", ExpiredCredential: "r", UnknownOperation: "r", WrongMethod: "r",
			Malformed: "r", MissingField: "r", WrongType: "r", OverLong: "r", Conflict: "", Panic: "r"},
	}.gaps()
	want := []string{"two cases are called not found/a", `it is not said why the fault "conflict" cannot happen`, `the suite has no case for the fault "other owner"`,
		`the suite has no case for the fault "oversize body"`, `the fault "panic" has a case and cannot happen`}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEnvelopesThatAreNoneAreFound(t *testing.T) {
	t.Parallel()
	jsonType, textType := http.Header{"Content-Type": {"application/json"}}, http.Header{"Content-Type": {"text/plain; charset=utf-8"}}
	for name, c := range map[string]struct {
		schema string
		a      Answer
		want   int
	}{
		"JSON":             {"AppError", Answer{Header: jsonType, Body: []byte(`{"code":404,"message":"m"}`)}, 0},
		"of another":       {"AppError", Answer{Header: jsonType, Body: []byte(`{"detail":"m"}`)}, 1},
		"as text":          {"AppError", Answer{Header: textType, Body: []byte(`{"code":404,"message":"m"}`)}, 1},
		"a page":           {"AppError", Answer{Header: http.Header{"Content-Type": {"text/html"}}, Body: []byte(`<h1>`)}, 2},
		"text":             {"", Answer{Header: textType, Body: []byte("no such path\n")}, 0},
		"no line":          {"", Answer{Header: textType, Body: []byte("no such path")}, 1},
		"nothing":          {"", Answer{Header: textType}, 1},
		"two lines":        {"", Answer{Header: textType, Body: []byte("a\nb\n")}, 1},
		"JSON for text":    {"", Answer{Header: jsonType, Body: []byte("a\n")}, 1},
		"an object inside": {"", Answer{Header: textType, Body: []byte("{}\n")}, 1},
	} {
		s := &spy{TB: t}
		if c.schema != "" {
			CheckJSON(s, c.schema, c.a)
		} else {
			CheckText(s, c.a)
		}
		if s.errors != c.want {
			t.Errorf("%s: %d complaints, want %d", name, s.errors, c.want)
		}
	}
}

// A dialect that is generated has its table in conformance_test.go.
func TestEveryDialectRunsTheSuite(t *testing.T) {
	t.Parallel()
	generated, err := os.ReadDir("../../../gen")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range generated {
		name := dir.Name()
		if !dir.IsDir() || name == "client" || name == "db" || name == "spec" {
			continue
		}
		text, err := os.ReadFile("../" + name + "/conformance_test.go")
		if errors.Is(err, fs.ErrNotExist) {
			text, err = os.ReadFile("../../" + name + "/conformance_test.go")
		}
		if err != nil || !strings.Contains(string(text), "dialecttest.Run(t,") {
			t.Errorf("%s does not run the suite: %v", name, err)
		}
	}
}
