package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/stagedoor-live/stagedoor/gen/spec"
	"github.com/stagedoor-live/stagedoor/internal/config"
)

var (
	settingWord  = regexp.MustCompile(`\bSTAGEDOOR_[A-Z_]*[A-Z]\b`)
	callbackWord = regexp.MustCompile(`/callback/[a-z_-]+`)
	probeWord    = regexp.MustCompile(`(?m)path: (/[a-z]+)$`)
)

// deployed returns the files that run Stagedoor elsewhere, by their paths.
func deployed(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir("deploy", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files[path] = string(data)
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	return files
}

func TestPackagesNameSettingsAndPathsThatExist(t *testing.T) {
	t.Parallel()
	var known []string
	for f := range reflect.TypeFor[config.Config]().Fields() {
		known = append(known, f.Tag.Get("env"))
	}
	for path, text := range deployed(t) {
		for _, word := range settingWord.FindAllString(text, -1) {
			if !slices.Contains(known, word) {
				t.Errorf("%s: there is no setting %s", path, word)
			}
		}
		words := callbackWord.FindAllString(text, -1)
		for _, m := range probeWord.FindAllStringSubmatch(text, -1) {
			words = append(words, m[1])
		}
		for _, word := range words {
			if !bytes.Contains(spec.YAML, []byte("\n  "+word+":\n")) {
				t.Errorf("%s: the spec has no path %s", path, word)
			}
		}
	}
}

func TestPackagesAreYAMLWithoutDoubledKeys(t *testing.T) {
	t.Parallel()
	for path, text := range deployed(t) {
		if !strings.HasSuffix(path, ".yaml") {
			continue
		}
		d := yaml.NewDecoder(strings.NewReader(text))
		for {
			var document map[string]any // decoding refuses a key that comes twice
			if err := d.Decode(&document); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
		}
	}
}
