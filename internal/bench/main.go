// Command bench measures Stagedoor beside its bare counterparts and prints one
// table:
//
//	make bench            # or: go run ./internal/bench
//	make bench JSON=FILE  # also writes the table as JSON
//	make bench GROWTH=1   # prints how figures grow from a thousand entries to a million instead
//
// The server is the real program: built as for production, run as a process of
// its own with default settings and a private PostgreSQL whose commits reach
// the disk. Beside it runs the bare one, a net/http handler that decodes the
// same JSON and answers "0". Both serve the same load from the same generator
// in turn, round by round, so that whatever else the machine does hits both; a
// figure is the median of its rounds, that of a hash the fastest of many. Ratios
// travel from machine to machine, absolute numbers do not.
//
// A round fails the whole run at the first wrong answer, and the rows in the
// database are counted afterwards: a figure is of callbacks that were admitted
// and kept, or there is none. Nothing is left behind.
//
// Revocations are measured on real media servers with real encoders and players,
// one after the other: from the request until the last byte. Others are measured on
// three processes with one PostgreSQL, each asked without a pause until the last
// of them refuses.
//
// What must not grow with what there is to know is measured on two servers at
// once, one with a thousand rooms and live tokens and one with a million, each
// with a tenth as many rules.
//
// A row whose programs are missing on this machine is in the table without a
// figure, and counts as not reached.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// bareArg makes the program the bare server instead, for its own use.
const bareArg = "-bare"

// bareDatabase tells the bare server, in its environment, of a database.
const bareDatabase = "BENCH_DATABASE_URL"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is main without the process. Progress goes to stderr.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(args) == 1 && args[0] == bareArg {
		return serveBare(ctx, os.Getenv(bareDatabase), stdin, stdout)
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	jsonFile := flags.String("json", "", "also write the table as JSON to `FILE`")
	only := flags.String("only", "", "measure only these, a `LIST` with commas: "+strings.Join((&suite{}).names(), ", "))
	growth := flags.Bool("growth", false, "measure how figures grow from a thousand entries to a million instead, and print a table of that")
	short := flags.Bool("quick", false, "one short round of each, to see that everything can be measured; the figures say little")
	var profiles profiles
	for _, k := range profileKinds {
		flags.Func(k.flag, "write a profile of the server under callbacks to `FILE`: "+k.of+"; the figures suffer", profiles.add(k))
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	s := &suite{plan: standard(), progress: stderr, profiles: profiles}
	if *short {
		s.plan = quick()
	}
	if err := s.restrict(*only); err != nil {
		return err
	}
	if *growth {
		return s.printGrowth(ctx, stdout)
	}
	rows, err := s.run(ctx)
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	if err != nil {
		return err
	}
	if err := writeTable(stdout, rows); err != nil || *jsonFile == "" {
		return err
	}
	return writeJSON(*jsonFile, rows)
}
