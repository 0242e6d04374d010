package e2e

import (
	"testing"
	"time"
)

// What PostgreSQL can do to us, under load and without our being started again.
func TestPostgresFaults(t *testing.T) {
	t.Parallel()
	s, db := onCluster(t)
	admin := s.logIn(t)
	for _, fault := range []struct {
		name    string
		happens func(*testing.T, *cluster, *crowd)
	}{
		{"restarted", restarted}, {"killed", killed}, {"refusing", refusing},
	} {
		t.Run(fault.name, func(t *testing.T) {
			c := newCrowd(t, s, admin, false)
			fault.happens(t, db, c)
			c.recovers(t)
		})
	}
}

// onCluster starts the program with a PostgreSQL of its own. A callback does not
// wait for long.
func onCluster(t *testing.T) (*server, *cluster) {
	t.Helper()
	db := newCluster(t)
	return newServer(t, map[string]string{"DATABASE_URL": db.url(), "CALLBACK_TIMEOUT": callbackTimeout.String()}), db
}

// recovers demands that all is as ever soon, and that the record agrees with
// what was said.
func (c *crowd) recovers(t *testing.T) {
	t.Helper()
	begin := time.Now()
	c.goesOn(t)
	say(t, "all was as ever after %v", since(begin))
	c.settled(t, false)
}

func restarted(t *testing.T, db *cluster, c *crowd) {
	for range 3 {
		db.stop(t)
		db.start(t)
		c.hears(t, yes)
	}
}

func killed(t *testing.T, db *cluster, c *crowd) {
	for range 2 {
		db.kill(t)
		db.start(t)
		c.hears(t, yes)
	}
}

// refusing is a server that is not there, one that lets nobody in, and one that
// is full.
func refusing(t *testing.T, db *cluster, c *crowd) {
	db.stop(t)
	c.hears(t, unavailable)
	db.start(t)
	c.goesOn(t)
	clear, open := db.closeDatabase(t)
	c.hears(t, unavailable, clear)
	open()
	c.goesOn(t)
	leave := db.takePlaces(t)
	c.hears(t, unavailable)
	leave()
}

// pauseOfPostgres is longer than any media server waits for a callback.
const pauseOfPostgres = 10 * time.Second

// A server that is stopped keeps its connections and answers nothing.
func TestPostgresPaused(t *testing.T) {
	t.Parallel()
	s, db := onCluster(t)
	c := newCrowd(t, s, s.logIn(t), false)
	over := time.After(pauseOfPostgres)
	frozen := db.freeze(t)
	c.hears(t, unavailable)
	<-over
	thaw(frozen)
	c.recovers(t)
}
