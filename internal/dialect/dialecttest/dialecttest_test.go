package dialecttest

import (
	"net/http"
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
	if got := difference(before, after); !strings.HasPrefix(got, "+ settings (x,") {
		t.Errorf("difference is %q", got)
	}
	if got := difference(after, before); !strings.HasPrefix(got, "- settings (x,") {
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
	CheckLoggedOnce(t, l, Answer{Status: 404, Header: http.Header{"X-Request-Id": {"a"}}})
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
		log  string
		want int
	}{
		"nothing":            {a: clean},
		"a stack":            {a: Answer{Body: []byte("goroutine 7 [running]")}, want: 1},
		"a Go type":          {a: Answer{Body: []byte("json: cannot unmarshal string into Go value of type int")}, want: 2},
		"a token in a body":  {a: Answer{Body: []byte(secret)}, want: 1},
		"a token in the log": {a: clean, log: secret, want: 1},
		"a secret header":    {a: Answer{Header: http.Header{"X": {secret}}}, want: 1},
	}
	for name, c := range cases {
		l := NewLog(t)
		l.Logger().Info(c.log)
		s := &spy{TB: t}
		CheckNothingLeaked(s, Server{Log: l}, JSON("/x", secret, ""), c.a)
		if s.errors != c.want {
			t.Errorf("%s: %d complaints, want %d", name, s.errors, c.want)
		}
	}
}

func TestAnUnloggedRefusalIsFound(t *testing.T) {
	t.Parallel()
	l := NewLog(t)
	l.Logger().Info("request", "request_id", "twice", "status", 400, "reason", "x")
	l.Logger().Info("request", "request_id", "twice", "status", 400, "reason", "x")
	l.Logger().Info("request", "request_id", "mute", "status", 400)
	l.Logger().Info("request", "request_id", "other", "status", 200, "reason", "x")
	for _, id := range []string{"", "never", "twice", "mute", "other"} {
		s := &spy{TB: t}
		CheckLoggedOnce(s, l, Answer{Status: 400, Header: http.Header{"X-Request-Id": {id}}})
		if s.errors == 0 {
			t.Errorf("request %q is accepted", id)
		}
	}
}
