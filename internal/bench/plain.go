package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/gen/db"
)

// plainRooms changes rooms as an ordinary server does that keeps them by way of an
// object-relational mapper: each request is a transaction of its own, on a
// connection of its own, that reads the room, writes it and commits. It checks
// nobody's token and signs no URLs.
type plainRooms struct{ pool *pgxpool.Pool }

// newPlainRooms opens as many connections as it has clients at once.
func newPlainRooms(ctx context.Context, databaseURL string, clients int) (*plainRooms, error) {
	config, err := pgxpool.ParseConfig(databaseURL)
	if err != nil {
		return nil, err
	}
	config.MaxConns = int32(clients)
	pool, err := pgxpool.NewWithConfig(ctx, config)
	return &plainRooms{pool}, err
}

func (p *plainRooms) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ID string `json:"id"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, "not JSON", http.StatusBadRequest)
		return
	}
	status := int16(0)
	if r.URL.Path == startPath {
		status = 1
	}
	room, err := p.set(r.Context(), in.ID, status)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(struct { // a caller that is gone cannot be told
		db.Room
		Status int16 `json:"status"`
	}{room, room.Status})
}

func (p *plainRooms) set(ctx context.Context, id string, status int16) (room db.Room, err error) {
	err = pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		if room, err = new(db.Queries).RoomByID(ctx, tx, id); err != nil {
			return err
		}
		if room.Status == 2 {
			return fmt.Errorf("room %s has ended", id)
		}
		room.Status = status
		return tx.QueryRow(ctx, `UPDATE rooms SET status = $2, started_at = coalesce(started_at, now()), updated_at = now() WHERE id = $1
			RETURNING updated_at`, id, status).Scan(&room.UpdatedAt)
	})
	return room, err
}
