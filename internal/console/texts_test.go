package console

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/finding"
)

// readTexts returns the texts of a language by key, and which file has them.
func readTexts(t *testing.T, language string) map[string]string {
	t.Helper()
	texts := map[string]string{}
	names, err := fs.Glob(Files(), "i18n/"+language+"/*.js")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d files of texts, %v", len(names), err)
	}
	for _, name := range names {
		raw, err := fs.ReadFile(Files(), name)
		if err != nil {
			t.Fatal(err)
		}
		raw, plain := bytes.CutPrefix(raw, []byte("export default "))
		found := map[string]string{}
		if err := json.Unmarshal(bytes.TrimSuffix(raw, []byte(";\n")), &found); err != nil || !plain {
			t.Fatalf("%s is no JSON object behind `export default`: %v", name, err)
		}
		prefix := strings.TrimSuffix(path.Base(name), ".js") + "."
		for key, text := range found {
			if !strings.HasPrefix(key, prefix) {
				t.Errorf("%s: the key %s does not begin with %s", name, key, prefix)
			}
			if texts[key] = text; strings.TrimSpace(text) == "" {
				t.Errorf("%s: %s is empty", name, key)
			}
		}
	}
	return texts
}

var placeholder = regexp.MustCompile(`\{(\w+)[^}]*\}`)

// values are the names that a text is filled with.
func values(text string) []string {
	names := []string{}
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func TestBothLanguagesSayTheSame(t *testing.T) {
	t.Parallel()
	english, chinese := readTexts(t, "en"), readTexts(t, "zh")
	for key, text := range english {
		other, ok := chinese[key]
		if !ok {
			t.Errorf("%s has no Chinese text", key)
			continue
		}
		if a, b := values(text), values(other); !slices.Equal(a, b) {
			t.Errorf("%s is filled with %v in English and %v in Chinese", key, a, b)
		}
	}
	for key := range chinese {
		if _, ok := english[key]; !ok {
			t.Errorf("%s has no English text", key)
		}
	}
}

// modules are our own scripts, texts aside.
func modules(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := fs.WalkDir(Files(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) != ".js" || strings.HasPrefix(name, "vendor/") || strings.HasPrefix(name, "i18n/") {
			return err
		}
		text, err := fs.ReadFile(Files(), name)
		found[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

var (
	comment = regexp.MustCompile(`(?m)^\s*//.*$`)
	// keyed is t('key') or has('key'), and also the start of t(`key.${…}`).
	keyed = regexp.MustCompile("\\b(?:t|has)\\(\\s*(?:'([^']+)'|`([^`$]*)(\\$\\{)?)")
	// quoted is any text in quotes that looks like a key, for those that are chosen
	// by a condition.
	quoted = regexp.MustCompile("['`]([a-z]+\\.[A-Za-z0-9_.]+)")
)

func TestTextsAndModulesKnowEachOther(t *testing.T) {
	t.Parallel()
	texts := readTexts(t, "en")
	unused := maps.Clone(texts)
	for name, script := range modules(t) {
		script = comment.ReplaceAllString(script, "")
		for _, m := range keyed.FindAllStringSubmatch(script, -1) {
			if key := m[1] + m[2]; m[3] == "" && texts[key] == "" {
				t.Errorf("%s asks for %s, which has no text", name, key)
			}
		}
		for _, m := range quoted.FindAllStringSubmatch(script, -1) {
			for key := range unused {
				if key == m[1] || strings.HasSuffix(m[1], ".") && strings.HasPrefix(key, m[1]) {
					delete(unused, key)
				}
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(unused)) {
		if !strings.HasPrefix(key, "core.") { // some wait for their pages
			t.Errorf("nobody asks for %s", key)
		}
	}
}

// spoken are texts that people would see or hear, where no key is.
var spoken = regexp.MustCompile(`[\x{2E80}-\x{9FFF}]|(?:title|placeholder|'aria-label'|label|text|empty):\s*['` + "`" + `][A-Za-z]{2}|\bh\('[a-z0-9]+', (?:\{[^{}]*\}|null), ['` + "`" + `][A-Za-z]{2}`)

func TestNoTextIsWrittenIntoAModule(t *testing.T) {
	t.Parallel()
	for name, script := range modules(t) {
		for i, line := range strings.Split(comment.ReplaceAllString(script, ""), "\n") {
			if spoken.MatchString(line) && !strings.Contains(line, "const names = {") {
				t.Errorf("%s:%d: %s", name, i+1, strings.TrimSpace(line))
			}
		}
	}
}

// Whoever is refused can read why, and what to do, in both languages.
func TestEveryReasonHasWords(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../media/media.go")
	if err != nil {
		t.Fatal(err)
	}
	reasons := regexp.MustCompile(`Reason = "(\w+)"`).FindAllStringSubmatch(string(source), -1)
	if len(reasons) < 20 {
		t.Fatalf("%d reasons found", len(reasons))
	}
	admissions := []string{"allowed", "open_policy", "duplicate", "server_relay", "credential_unknown"}
	texts, page := readTexts(t, "en"), modules(t)["pages/decisions.js"]
	for _, m := range reasons {
		refusal := !slices.Contains(admissions, m[1])
		if texts["door.reason."+m[1]] == "" || refusal != (texts["door.advice."+m[1]] != "") {
			t.Errorf("%s: %q, %q", m[1], texts["door.reason."+m[1]], texts["door.advice."+m[1]])
		}
		if refusal && !strings.Contains(page, "'"+m[1]+"'") {
			t.Errorf("nobody can search for %s", m[1])
		}
	}
}

// What an explanation says has words in both languages, with the same values.
func TestEverySentenceOfAnExplanationHasWords(t *testing.T) {
	t.Parallel()
	english, chinese := readTexts(t, "en"), readTexts(t, "zh")
	ours := map[string]bool{}
	for kind, sentences := range map[string]map[string]string{
		"text": maps.Collect(finding.Texts()), "change": maps.Collect(finding.Changes()), "guess": maps.Collect(finding.Guesses()),
	} {
		for code, text := range sentences {
			key := "explain." + kind + "." + code
			if ours[key] = true; english[key] != text {
				t.Errorf("%s is %q, the server says %q", key, english[key], text)
			}
			if a, b := values(text), values(chinese[key]); chinese[key] == "" || !slices.Equal(a, b) {
				t.Errorf("%s is %q, to be filled with %v", key, chinese[key], a)
			}
		}
	}
	for code := range finding.Codes() {
		key := "explain.finding." + code
		ours[key] = true
		if english[key] == "" || chinese[key] == "" {
			t.Errorf("%s has no heading", code)
		}
	}
	for key := range english {
		kind, _, _ := strings.Cut(strings.TrimPrefix(key, "explain."), ".")
		if slices.Contains([]string{"text", "change", "guess", "finding"}, kind) && !ours[key] {
			t.Errorf("the server never says %s", key)
		}
	}
}
