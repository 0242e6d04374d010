package ops

import (
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
)

// stage is a bench on a database, which the operations look at.
type stage struct {
	*bench
	pool *pgxpool.Pool
}

func setStage(t *testing.T) *stage {
	t.Helper()
	pool := dbtest.Pool(t)
	b := &stage{pool: pool}
	b.bench = setup(t, func(inner *bench) {
		accounts, err := account.New(t.Context(), account.Config{DB: pool, Box: dbtest.Box(), Now: time.Now, Log: inner.log.Logger(),
			Params: &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}})
		if err != nil {
			t.Fatal(err)
		}
		inner.Accounts, inner.Ready = accounts, pool.Ping
	})
	return b
}

func TestConformance(t *testing.T) {
	t.Parallel()
	type refused = dialecttest.Case[*stage]
	const open, bare = "anybody may ask", "no operation has parameters or a body; what is sent is not read"
	ask := func(method, path string) func(*testing.T, *stage) dialecttest.Request {
		return dialecttest.Fixed(func(*stage) dialecttest.Request { return dialecttest.Request{Method: method, Path: path} })
	}
	readOnly := map[string]string{"Allow": "GET, HEAD"}
	dialecttest.Run(t, dialecttest.Suite[*stage]{
		Setup: setStage,
		Server: func(b *stage) dialecttest.Server {
			return dialecttest.Server{URL: b.url, Client: b.client, Pool: b.pool, Log: b.log}
		},
		Schema: func(int) string { return "" },
		Envelope: func(t *testing.T, a dialecttest.Answer) {
			if a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("headers %v", a.Header)
			}
		},
		Cases: []refused{
			{Fault: dialecttest.UnknownOperation, Name: "beside the document", Status: 404, Request: ask("GET", "/openapi.xml")},
			{Fault: dialecttest.UnknownOperation, Name: "beside the keys", Status: 404, Request: ask("GET", "/.well-known/none")},
			{Fault: dialecttest.WrongMethod, Name: "health", Status: 405, Header: readOnly, Request: ask("POST", "/healthz")},
			{Fault: dialecttest.WrongMethod, Name: "readiness", Status: 405, Header: readOnly, Request: ask("DELETE", "/readyz")},
			{Fault: dialecttest.WrongMethod, Name: "metrics", Status: 405, Header: readOnly, Request: ask("PUT", "/metrics")},
			{Fault: dialecttest.WrongMethod, Name: "document", Status: 405, Header: readOnly, Request: ask("PATCH", "/openapi.yaml")},
			{Fault: dialecttest.Panic, Name: "in a handler", Status: 500, Request: ask("GET", "/.well-known/broken")},
		},
		NotApplicable: map[dialecttest.Fault]string{
			dialecttest.NoCredential: open, dialecttest.BadCredential: open, dialecttest.ExpiredCredential: open, dialecttest.OtherOwner: "nothing has an owner",
			dialecttest.Malformed: bare, dialecttest.MissingField: bare, dialecttest.WrongType: bare, dialecttest.OverLong: bare, dialecttest.Oversize: bare,
			dialecttest.NotFound: "what there is to see is always there", dialecttest.Conflict: "nothing can be changed",
		},
	})
}
