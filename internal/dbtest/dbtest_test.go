package dbtest

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestPoolsAreMigratedAndSeparate(t *testing.T) {
	t.Parallel()
	a, b := Pool(t), Pool(t)
	if _, err := a.Exec(t.Context(), "INSERT INTO settings VALUES ('x', '', now())"); err != nil {
		t.Fatal(err)
	}
	var count int
	if err := b.QueryRow(t.Context(), "SELECT count(*) FROM settings").Scan(&count); err != nil {
		t.Fatal(err)
	}
	if count != 0 {
		t.Errorf("a row of one test's database is in another's")
	}
}

func TestDatabasesGoWithTheirTest(t *testing.T) {
	t.Parallel()
	var urls []string
	t.Run("uses them", func(t *testing.T) {
		urls = []string{URL(t), EmptyURL(t)}
		for _, url := range urls {
			// Not closed: the drop does not wait for anybody.
			if _, err := pgx.Connect(t.Context(), url); err != nil {
				t.Error(err)
			}
		}
	})
	for _, url := range urls {
		if conn, err := pgx.Connect(t.Context(), url); err == nil {
			conn.Close(t.Context())
			t.Error("a database is still there")
		}
	}
}

func TestTemplateIsMadeOnceByManyAtOnce(t *testing.T) {
	t.Parallel()
	server := os.Getenv(EnvURL)
	names := make([]string, 6)
	var wg sync.WaitGroup
	for i := range names {
		wg.Go(func() {
			conn, err := pgx.Connect(t.Context(), server)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close(t.Context())
			if names[i], err = ensureTemplate(t.Context(), conn, server); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, name := range names {
		if name == "" || name != names[0] {
			t.Errorf("templates %q and %q", name, names[0])
		}
	}
}

// fatal records how a test would have failed.
type fatal struct {
	testing.TB
	message string
}

func (f *fatal) Helper() {}

func (f *fatal) Fatalf(format string, args ...any) {
	f.message = fmt.Sprintf(format, args...)
	panic(f)
}

func TestMissingServerIsOneHelpfulLine(t *testing.T) {
	t.Setenv(EnvURL, "")
	f := &fatal{TB: t}
	func() {
		defer func() { _ = recover() }()
		URL(f)
	}()
	if !strings.Contains(f.message, EnvURL) || !strings.Contains(f.message, "make test") || strings.Contains(f.message, "\n") {
		t.Errorf("the message is %q", f.message)
	}
}

func TestWithDatabaseUnderstandsBothKindsOfAddress(t *testing.T) {
	t.Parallel()
	for server, want := range map[string]string{
		"postgres://u:p@host:5433/a?sslmode=disable": "host 5433 u p b",
		"postgres://u:p@/a?host=%2Frun%2Fpg":         "/run/pg 5432 u p b",
		"host=/run/pg user=u password=p dbname=a":    "/run/pg 5432 u p b",
	} {
		config, err := pgx.ParseConfig(WithDatabase(server, "b"))
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprintf("%s %d %s %s %s", config.Host, config.Port, config.User, config.Password, config.Database)
		if got != want {
			t.Errorf("%s: %s, want %s", server, got, want)
		}
	}
}

func TestBoxOfOneTestOpensAnothers(t *testing.T) {
	t.Parallel()
	plain, err := Box().Open(Box().Seal([]byte("x"), "p"), "p")
	if err != nil || string(plain) != "x" {
		t.Errorf("Open = %q, %v", plain, err)
	}
}

func BenchmarkURL(b *testing.B) {
	for b.Loop() {
		URL(b)
	}
}
