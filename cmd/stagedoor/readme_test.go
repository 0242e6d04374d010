package main

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/stagedoor-live/stagedoor/gen/spec"
	"github.com/stagedoor-live/stagedoor/internal/config"
)

// settingsTable is the table of README.md, from the tags that --help shows.
func settingsTable() (rows []string) {
	rows = []string{"| variable | default | meaning |", "|---|---|---|"}
	for f := range reflect.TypeFor[config.Config]().Fields() {
		value := f.Tag.Get("default")
		if value != "" {
			value = "`" + value + "`"
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s |", variableOf(f), value, f.Tag.Get("help")))
	}
	return rows
}

func TestReadmeListsEverySettingAsTheProgramHasIt(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	table := strings.Join(settingsTable(), "\n")
	if !strings.Contains(string(readme), "\n"+table+"\n") {
		t.Errorf("README.md does not have this table of settings:\n%s", table)
	}
}

func TestEverySettingIsAFlagAndAVariableOfTheSameName(t *testing.T) {
	t.Parallel()
	for f := range reflect.TypeFor[config.Config]().Fields() {
		name := strings.ToUpper(strings.ReplaceAll(f.Tag.Get("name"), "-", "_"))
		if variableOf(f) != "STAGEDOOR_"+name || f.Tag.Get("help") == "" {
			t.Errorf("%s: flag %q, variable %q, help %q", f.Name, f.Tag.Get("name"), f.Tag.Get("env"), f.Tag.Get("help"))
		}
	}
}

// variableOf is the variable of ours that sets a field; behind it may be one that
// others use, too.
func variableOf(f reflect.StructField) string {
	ours, _, _ := strings.Cut(f.Tag.Get("env"), ",")
	return ours
}

// Two spellings of a field are one in languages that have a style of their own;
// README.md tells how to leave the second out.
func TestReadmeNamesFieldsThatDifferInSpellingOnly(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(spec.YAML)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range doc.Components.Schemas {
		seen := map[string]bool{}
		properties := slices.Sorted(maps.Keys(s.Value.Properties))
		slices.Reverse(properties) // snake_case first
		for _, p := range properties {
			plain := strings.ToLower(strings.ReplaceAll(p, "_", ""))
			if seen[plain] && !strings.Contains(string(readme), ".properties."+p) {
				t.Errorf("%s has %s in another spelling, too", name, p)
			}
			seen[plain] = true
		}
	}
}
