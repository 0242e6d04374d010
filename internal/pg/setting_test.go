package pg_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/seal"
)

func generateSecret() ([]byte, error) { return []byte(rand.Text()), nil }

func TestSettingGivesConcurrentProcessesOneValue(t *testing.T) {
	t.Parallel()
	pool := dbtest.Pool(t)
	values := make([][]byte, 8)
	var wg sync.WaitGroup
	for i := range values {
		wg.Go(func() {
			var err error
			if values[i], err = pg.Setting(t.Context(), pool, dbtest.Box(), "im_key", time.Unix(1, 0), generateSecret); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, value := range values {
		if len(value) == 0 || !bytes.Equal(value, values[0]) {
			t.Fatalf("two callers got different values: %q and %q", value, values[0])
		}
	}
	var sealed []byte
	if err := pool.QueryRow(t.Context(), "SELECT value_sealed FROM settings WHERE name = 'im_key'").Scan(&sealed); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, values[0]) {
		t.Error("the table holds the value in the clear")
	}
}

func TestSettingGeneratesOnlyOnce(t *testing.T) {
	t.Parallel()
	pool := dbtest.Pool(t)
	first, err := pg.Setting(t.Context(), pool, dbtest.Box(), "a", time.Unix(1, 0), generateSecret)
	if err != nil {
		t.Fatal(err)
	}
	again, err := pg.Setting(t.Context(), pool, dbtest.Box(), "a", time.Unix(2, 0), func() ([]byte, error) {
		t.Error("generated again")
		return nil, nil
	})
	if err != nil || !bytes.Equal(first, again) {
		t.Errorf("the second call gave %q, %v, the first %q", again, err, first)
	}
	other, err := pg.Setting(t.Context(), pool, dbtest.Box(), "b", time.Unix(2, 0), generateSecret)
	if err != nil || bytes.Equal(first, other) {
		t.Errorf("another name gave %q, %v", other, err)
	}
}

func TestSettingOfAnotherMasterKeyIsAnErrorAndStays(t *testing.T) {
	t.Parallel()
	pool := dbtest.Pool(t)
	first, err := pg.Setting(t.Context(), pool, dbtest.Box(), "a", time.Unix(1, 0), generateSecret)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := seal.New(make([]byte, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pg.Setting(t.Context(), pool, stranger, "a", time.Unix(2, 0), generateSecret); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("with another key: %v, want ErrOpen", err)
	}
	again, err := pg.Setting(t.Context(), pool, dbtest.Box(), "a", time.Unix(3, 0), generateSecret)
	if err != nil || !bytes.Equal(first, again) {
		t.Errorf("afterwards: %q, %v, want %q", again, err, first)
	}
}

func TestSettingThatCannotBeGeneratedIsNotStored(t *testing.T) {
	t.Parallel()
	pool := dbtest.Pool(t)
	broken := errors.New("no entropy")
	if _, err := pg.Setting(t.Context(), pool, dbtest.Box(), "a", time.Unix(1, 0), func() ([]byte, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("Setting = %v, want %v", err, broken)
	}
	if _, err := pg.Setting(t.Context(), pool, dbtest.Box(), "a", time.Unix(1, 0), generateSecret); err != nil {
		t.Error(err)
	}
}
