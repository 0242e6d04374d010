// Command stagedoor is the door of a live-streaming platform: it decides who
// may publish and who may play, runs the life of live rooms, and answers the
// media servers that call back.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/stagedoor-live/stagedoor/internal/config"
)

func main() {
	// The standard library tells there, unasked, what others send us out of turn,
	// in their words. Our own log is slog's.
	log.SetOutput(io.Discard)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// cli is the command line. The settings are flags of every command, because
// each works beside a running server with the same database.
type cli struct {
	config.Config
	JSON bool `help:"Print JSON: what there is, or what a change has made of it; {} of what is deleted." name:"json"`

	Serve     serveCmd     `cmd:"" default:"withargs" help:"Serve (default)."`
	Migrate   migrateCmd   `cmd:"" help:"Bring the database schema up or down."`
	User      userCmd      `cmd:"" help:"Manage accounts."`
	AccessKey accessKeyCmd `cmd:"" help:"Manage the keys with which machines sign requests."`
	Rule      ruleCmd      `cmd:"" help:"Manage auth rules and their signing keys."`
	Ban       banCmd       `cmd:"" help:"Forbid streams for a while."`
	Node      nodeCmd      `cmd:"" help:"Manage media servers."`
	Route     routeCmd     `cmd:"" help:"Show how pull routes go."`
	Explain   explainCmd   `cmd:"" help:"Tell why a URL is admitted or refused; ends with status 1 if it is refused."`
	Refusals  refusalsCmd  `cmd:"" help:"List who was refused and why."`
	Sign      signCmd      `cmd:"" help:"Print signed URLs of a stream."`
	Webhook   webhookCmd   `cmd:"" help:"Manage where events are sent to."`
	Token     tokenCmd     `cmd:"" help:"Manage stream tokens, which rules of mediamtx_jwt hand out."`
	Doctor    doctorCmd    `cmd:"" help:"Check the database, clock, keys, media servers and public address, and say what to do; ends with status 1 if anything has failed."`
	Health    healthCmd    `cmd:"" help:"Ask the server on this machine whether it is ready; ends with status 1 if it is not."`
	Version   versionCmd   `cmd:"" help:"Print the version."`

	Completion completionCmd `cmd:"" help:"Print a script that has a shell complete commands, flags and their values."`

	HashPasswords hashCmd `cmd:"" hidden:"" help:"Hash passwords for the server that started it."`
}

// env is what commands get besides their own flags.
type env struct {
	ctx    context.Context
	cfg    *config.Settings
	json   bool
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
}

// exitPanic carries kong's wish to end (--help) out of its parser.
type exitPanic int

func newParser(c *cli, stdout, stderr io.Writer) (*kong.Kong, error) {
	return kong.New(c, kong.Name("stagedoor"), kong.Description("The door of a live-streaming platform. Settings are flags or environment variables."),
		kong.Writers(stdout, stderr), kong.Exit(func(code int) { panic(exitPanic(code)) }), kong.Help(printHelp), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
}

// run is main without the process: it returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (code int) {
	defer func() {
		if p := recover(); p != nil {
			c, ok := p.(exitPanic)
			if !ok {
				panic(p)
			}
			code = int(c)
		}
	}()
	var c cli
	parser, err := newParser(&c, stdout, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "stagedoor:", err)
		return exitFailed
	}
	if len(args) > 0 && args[0] == completeWord {
		printCandidates(stdout, parser.Model, args[1:])
		return exitOK
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "stagedoor: %v\nRun %s --help for usage.\n", err, asked(err))
		return exitUsage
	}
	settings, err := c.Config.Resolve()
	if err != nil {
		fmt.Fprintf(stderr, "stagedoor: the settings are not usable:\n%v\n", err)
		return exitUsage
	}
	err = parsed.Run(&env{ctx: ctx, cfg: &settings, json: c.JSON, stdin: stdin, stdout: stdout, stderr: stderr})
	return report(stderr, err)
}
