package pg_test

import (
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

func TestTheDirectWayMustLeadToTheSameDatabase(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	pool, err := pg.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for there, same := range map[string]bool{url: true, dbtest.URL(t): false} {
		direct, err := pg.Direct(there)
		if err != nil {
			t.Fatal(err)
		}
		if err := pg.CheckDirect(t.Context(), pool, direct); (err == nil) != same {
			t.Errorf("the same %t: %v", same, err)
		}
	}
}
