package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// printHelp is kong's help with examples at its end. The settings, which every
// command takes, are listed once: by the program itself.
func printHelp(o kong.HelpOptions, ctx *kong.Context) error {
	node, brief := ctx.Selected(), false
	if node == nil {
		node = ctx.Model.Node
	}
	if brief = node != ctx.Model.Node && node != ctx.Model.DefaultCmd; brief {
		for _, f := range ctx.Model.Flags {
			f.Hidden = f.Hidden || isSetting(f)
		}
	}
	if err := kong.DefaultHelpPrinter(o, ctx); err != nil {
		return err
	}
	if brief {
		fmt.Fprintln(ctx.Stdout, "\nSettings, such as --database-url, are flags too: stagedoor --help lists them.")
	} else {
		printExitCodes(ctx.Stdout)
	}
	fmt.Fprintln(ctx.Stdout, "\nExamples:")
	for _, line := range examplesOf(node) {
		fmt.Fprintln(ctx.Stdout, " ", line)
	}
	return nil
}

// isSetting tells the settings from a command's own flags.
func isSetting(f *kong.Flag) bool { return f.Group != nil }

func printExitCodes(w io.Writer) {
	fmt.Fprintln(w, "\nExit codes:")
	for code, meaning := range exitCodes {
		fmt.Fprintf(w, "  %d  %s\n", code, meaning)
	}
}

// mostExamples are those of a command. A group of commands has the first of each.
const mostExamples = 3

func examplesOf(n *kong.Node) (lines []string) {
	if own := commandExamples[pathOf(n)]; own != nil {
		return own
	}
	for _, c := range n.Children {
		if inner := examplesOf(c); len(inner) > 0 && len(lines) < mostExamples {
			lines = append(lines, inner[0])
		}
	}
	return lines
}

// pathOf names a command without the program: "rule key add", "" for the program
// itself.
func pathOf(n *kong.Node) string {
	if n.Parent == nil {
		return ""
	}
	return strings.TrimSpace(pathOf(n.Parent) + " " + n.Name)
}

// asked is the command that somebody meant when it could not be understood.
func asked(err error) string {
	var e *kong.ParseError
	if errors.As(err, &e) && e.Context != nil && e.Context.Selected() != nil && e.Context.Selected() != e.Context.Model.DefaultCmd {
		return "stagedoor " + pathOf(e.Context.Selected())
	}
	return "stagedoor"
}
