package pg

import (
	"context"
	"fmt"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/seal"
)

// Setting returns the secret kept under name, which the first caller generates.
// When several processes are first at once, all return the one that was
// stored. A setting that the box cannot open is an error, never replaced: it
// means that the master key is not the one this database was filled with.
func Setting(ctx context.Context, conn DB, box *seal.Box, name string, now time.Time, generate func() ([]byte, error)) ([]byte, error) {
	purpose := "setting:" + name
	queries := db.New()
	sealed, err := queries.SettingByName(ctx, conn, name)
	err = Err(err, nil)
	if errs.KindOf(err) == errs.NotFound {
		var value []byte
		if value, err = generate(); err != nil {
			return nil, fmt.Errorf("generate setting %s: %w", name, err)
		}
		params := db.SettingInsertParams{Name: name, ValueSealed: box.Seal(value, purpose), Now: now}
		if _, err = queries.SettingInsert(ctx, conn, params); err == nil {
			sealed, err = queries.SettingByName(ctx, conn, name)
		}
		err = Err(err, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("setting %s: %w", name, err)
	}
	value, err := box.Open(sealed, purpose)
	if err != nil {
		return nil, fmt.Errorf("setting %s: %w", name, err)
	}
	return value, nil
}
