package dbtest

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// admins are the connections to each server that make and drop databases. All
// tests of a program share them, as to connect costs as much as to make one.
var admins = struct {
	sync.Mutex
	pools map[string]*pgxpool.Pool
}{pools: map[string]*pgxpool.Pool{}}

func asAdmin(ctx context.Context, server string, do func(*pgx.Conn) error) error {
	pool, err := adminPool(server)
	if err != nil {
		return err
	}
	return pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error { return do(c.Conn()) })
}

func adminPool(server string) (*pgxpool.Pool, error) {
	admins.Lock()
	defer admins.Unlock()
	if pool := admins.pools[server]; pool != nil {
		return pool, nil
	}
	config, err := pgxpool.ParseConfig(server)
	if err != nil {
		return nil, err
	}
	// Few, as the programs of all packages have theirs; and none that is not used.
	config.MaxConns, config.MaxConnIdleTime = 4, 10*time.Second
	pool, err := pgxpool.NewWithConfig(context.Background(), config) // of no test: it outlives them
	if err == nil {
		admins.pools[server] = pool
	}
	return pool, err
}
