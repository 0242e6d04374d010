package lastuse

import (
	"errors"
	"testing"
	"time"
)

func TestWhatWasNotWrittenIsKeptUnlessItWasUsedAgain(t *testing.T) {
	t.Parallel()
	var u Uses[string]
	first, second := time.Unix(1, 0), time.Unix(2, 0)
	u.Note("a", first)
	u.Note("b", first)
	failed := errors.New("away")
	err := u.Flush(func(ids []string, at []time.Time) error {
		u.Note("a", second) // while the database does not answer
		return failed
	})
	if !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}
	got := map[string]time.Time{}
	err = u.Flush(func(ids []string, at []time.Time) error {
		for i, id := range ids {
			got[id] = at[i]
		}
		return nil
	})
	if err != nil || len(got) != 2 || !got["a"].Equal(second) || !got["b"].Equal(first) {
		t.Errorf("wrote %v, %v", got, err)
	}
	if err := u.Flush(func([]string, []time.Time) error { return failed }); err != nil {
		t.Errorf("nothing was used, and yet: %v", err)
	}
}
