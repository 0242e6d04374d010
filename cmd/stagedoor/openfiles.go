package main

import (
	"log/slog"
	"syscall"
)

// otherFiles is what a process opens beside the connections of clients and of
// its pool: calls of media servers and of clouds, pipes, files, its own sessions
// with the database.
const otherFiles = 128

// fitConnections returns how many connections of clients there may be where the
// process may open no more than so many files. A door that accepts one more than
// it can serve would not reach its database either.
func fitConnections(log *slog.Logger, wanted, pool int, openFiles uint64) int {
	fit := int(min(openFiles, 1<<31)) - pool - otherFiles
	fit = max(fit, int(min(openFiles, 1<<31))/4) // what little there is, is shared
	if wanted > 0 && wanted <= fit {
		return wanted
	}
	if wanted == 0 {
		log.Info("the number of connections is limited by that of open files", "max_connections", fit, "open_files", openFiles)
		return fit
	}
	log.Warn("fewer connections than STAGEDOOR_MAX_CONNECTIONS, as the process may not open as many files: raise its limit (ulimit -n, LimitNOFILE)",
		"wanted", wanted, "max_connections", fit, "open_files", openFiles)
	return fit
}

// openFiles is the limit of this process, which Go has raised as far as it goes.
func openFiles() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1 << 31 // nobody knows
	}
	return limit.Cur
}
