package main

import (
	"fmt"
	"runtime/debug"

	"github.com/stagedoor-live/stagedoor/internal/pg"
)

type migrateCmd struct {
	Up     migrateUpCmd     `cmd:"" help:"Apply what is missing. Serving does this too."`
	Down   migrateDownCmd   `cmd:"" help:"Undo migrations. This deletes data."`
	Status migrateStatusCmd `cmd:"" help:"Print the schema version."`
}

// withURL finds the database without touching its schema.
func withURL(e *env, fn func(url string) error) error {
	s := &store{log: newLogger(quiet(e), e.stderr)}
	defer s.close(e.ctx)
	_, direct, err := s.urls(e.ctx, e.cfg)
	if err != nil {
		return err
	}
	return advise(fn(direct))
}

// patience is with a database that does not answer.
func (e *env) patience() pg.Options { return pg.Options{Connect: e.cfg.DatabaseConnectTimeout} }

type migrateUpCmd struct{}

func (migrateUpCmd) Run(e *env) error {
	return withURL(e, func(url string) error {
		if err := pg.MigrateUp(e.ctx, url, e.patience()); err != nil {
			return err
		}
		return printStatus(e, url)
	})
}

type migrateDownCmd struct {
	Steps int  `arg:"" default:"1" help:"How many."`
	Yes   bool `help:"Confirm that data may be deleted." required:""`
}

func (c migrateDownCmd) Run(e *env) error {
	return withURL(e, func(url string) error {
		if err := pg.MigrateDown(e.ctx, url, c.Steps, e.patience()); err != nil {
			return err
		}
		return printStatus(e, url)
	})
}

type migrateStatusCmd struct{}

func (migrateStatusCmd) Run(e *env) error {
	return withURL(e, func(url string) error { return printStatus(e, url) })
}

func printStatus(e *env, url string) error {
	version, dirty, latest, err := pg.MigrateStatus(e.ctx, url, e.patience())
	if err != nil {
		return err
	}
	queue, latestQueue, err := pg.QueueStatus(e.ctx, url, e.patience())
	if err != nil {
		return err
	}
	v := struct {
		Version     uint `json:"version"`
		Latest      uint `json:"latest"`
		Dirty       bool `json:"dirty"`
		Queue       int  `json:"queue_version"`
		LatestQueue int  `json:"queue_latest"`
	}{version, latest, dirty, queue, latestQueue}
	return e.print(v, "TABLES VERSION LATEST DIRTY", [][]string{{"schema", fmt.Sprint(version), fmt.Sprint(latest), fmt.Sprint(dirty)},
		{"queue", fmt.Sprint(queue), fmt.Sprint(latestQueue), "false"}})
}

type versionCmd struct{}

// buildVersions are those of this program and of Go, as far as the build knows.
func buildVersions() (program, goVersion string) {
	program = "devel"
	if info, ok := debug.ReadBuildInfo(); ok {
		goVersion = info.GoVersion
		if v := info.Main.Version; v != "" && v != "(devel)" {
			program = v
		}
	}
	return program, goVersion
}

// Run prints the version that the module system knows, "devel" for a build
// from a working copy.
func (versionCmd) Run(e *env) error {
	version, goVersion := buildVersions()
	v := struct {
		Version string `json:"version"`
		Go      string `json:"go"`
	}{version, goVersion}
	return e.print(v, "VERSION GO", [][]string{{version, goVersion}})
}
