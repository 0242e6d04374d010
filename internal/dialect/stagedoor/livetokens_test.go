package stagedoor

import (
	"net/http"
	"testing"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/access"
)

func TestLiveTokensArePagedFoundAndRevoked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a, err := b.accounts.Get(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	for _, stream := range []string{"one", "two", "shows/three"} {
		if _, err := b.access.CreateToken(t.Context(), access.Owner{ID: a.ID, Username: "alice"}, stream, 0); err != nil {
			t.Fatal(err)
		}
	}
	list := func(query string) gen.LiveTokenPage {
		t.Helper()
		return decode[gen.LiveTokenPage](t, b.send(t, ask("GET", "/api/v1/live-tokens"+query, b.admin)))
	}
	first := list("?limit=2")
	if len(first.Tokens) != 2 || first.Tokens[0].App != "shows" || first.Tokens[0].PlayToken == "" || first.NextCursor == "" {
		t.Fatalf("first page %+v", first)
	}
	if rest := list("?limit=2&cursor=" + first.NextCursor); len(rest.Tokens) != 1 || rest.Tokens[0].Stream != "one" || rest.NextCursor != "" {
		t.Errorf("second page %+v", rest)
	}
	for query, n := range map[string]int{"?stream=two": 1, "?stream=three": 0, "?app=shows&stream=three": 1, "?username=ALICE": 3, "?username=nobody": 0, "?stream=two&username=admin": 0} {
		if got := list(query); len(got.Tokens) != n {
			t.Errorf("%s: %d pairs", query, len(got.Tokens))
		}
	}
	b.send(t, ask("DELETE", "/api/v1/live-tokens?stream=two", b.admin)).want(t, http.StatusNoContent, "")
	b.send(t, ask("DELETE", "/api/v1/live-tokens?stream=two", b.admin)).want(t, http.StatusNotFound, "token_not_found")
	if left := list(""); len(left.Tokens) != 2 {
		t.Errorf("left: %+v", left)
	}
	b.bad(t, ask("GET", "/api/v1/live-tokens?cursor=x", b.admin)).want(t, http.StatusBadRequest, "invalid_cursor")
}
