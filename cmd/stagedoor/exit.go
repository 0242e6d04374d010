package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

// The exit codes, for scripts.
const (
	exitOK = iota
	exitFailed
	exitUsage
	exitNotFound
	exitConflict
	exitUnreachable
)

// exitCodes say what the codes mean, in their order; --help and README.md have
// them from here.
var exitCodes = []string{
	exitOK:          "It is done, or the answer is yes.",
	exitFailed:      "It has failed, or the answer is no: explain refused, health not ready, doctor found a failure.",
	exitUsage:       "A command, flag, setting or input is not as it must be. Nothing was changed.",
	exitNotFound:    "What was named is not there.",
	exitConflict:    "It exists already, or the state of things does not allow it.",
	exitUnreachable: "The database, a media server or another server does not answer. Trying again may help.",
}

// errSaidNo ends a command whose answer, printed already, is no.
var errSaidNo = errors.New("the answer is no")

// report tells what went wrong, if anything has, and returns the exit code.
func report(stderr io.Writer, err error) int {
	switch {
	case err == nil || errors.Is(err, context.Canceled):
		return exitOK
	case errors.Is(err, errSaidNo):
		return exitFailed
	}
	fmt.Fprintln(stderr, "stagedoor:", message(err))
	switch errs.KindOf(err) {
	case errs.NotFound:
		return exitNotFound
	case errs.Invalid:
		return exitUsage
	case errs.Conflict:
		return exitConflict
	case errs.Unavailable, errs.BadGateway:
		return exitUnreachable
	}
	return exitFailed
}

// message shows a person the safe text of our own errors, and the cause where
// something is broken: whoever runs a command may read the logs too.
func message(err error) string {
	var e *errs.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	broken := e.Kind == errs.Internal || e.Kind == errs.Unavailable || e.Kind == errs.BadGateway
	if cause := errors.Unwrap(e); cause != nil && broken {
		return e.Message + ": " + cause.Error()
	}
	return e.Message
}
