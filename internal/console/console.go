// Package console serves the page on which people operate Stagedoor: plain
// HTML, CSS and ES modules from an fs.FS, with no build step and nothing from
// elsewhere. All that the page can do, it does through documented operations.
//
// The files are addressed below a hash of all of them, so that browsers keep
// them for good and never mix two versions. Only the document itself is asked
// for anew each time.
package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

//go:embed static
var embedded embed.FS

// Files are those that the program carries.
func Files() fs.FS {
	sub, err := fs.Sub(embedded, "static")
	if err != nil {
		panic(err) // the directory is part of the program
	}
	return sub
}

// Root is where the files are served. The documents are filled in, and served
// elsewhere: the console, and the API reference.
const (
	Root      = "/console/"
	document  = "index.html"
	reference = "docs/index.html"
)

// Console serves the page and its files. Use New.
type Console struct {
	// media tells the origins that the page may fetch pictures and sound from,
	// as "https://pull.example.com".
	media func() []string
	load  func() (*bundle, error)
}

// New returns a Console of files that do not change while it lives.
func New(files fs.FS, media func() []string) *Console {
	return &Console{media: media, load: sync.OnceValues(func() (*bundle, error) { return read(files) })}
}

// Live returns one that reads the files for every request, for those who are
// changing them.
func Live(files fs.FS, media func() []string) *Console {
	return &Console{media: media, load: func() (*bundle, error) { return read(files) }}
}

// bundle is the files of one version.
type bundle struct {
	version   string // hash of all of them
	files     map[string]*file
	documents map[string]*file
}

var errNoFile = errs.New(errs.NotFound, "no_such_file", "no such file")

// Page serves the console.
func (c *Console) Page(w http.ResponseWriter, r *http.Request, fail httpx.ErrorWriter) {
	c.document(w, r, fail, document, policy(c.media()))
}

// Reference serves the API reference.
func (c *Console) Reference(w http.ResponseWriter, r *http.Request, fail httpx.ErrorWriter) {
	c.document(w, r, fail, reference, referencePolicy)
}

func (c *Console) document(w http.ResponseWriter, r *http.Request, fail httpx.ErrorWriter, name, policy string) {
	b, err := c.load()
	if err != nil {
		fail(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache")
	b.documents[name].serve(w, r)
}

// File serves what lies below Root: a version and a name.
func (c *Console) File(w http.ResponseWriter, r *http.Request, p string, fail httpx.ErrorWriter) {
	b, err := c.load()
	if err != nil {
		fail(w, r, err)
		return
	}
	version, name, _ := strings.Cut(p, "/")
	f := b.files[name]
	if f == nil {
		fail(w, r, errNoFile)
		return
	}
	// Another version asks while processes are being replaced. What it gets may
	// serve, but must not be kept under that name.
	w.Header().Set("Cache-Control", "no-cache")
	if version == b.version {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	f.serve(w, r)
}

func read(files fs.FS) (*bundle, error) {
	b, sum := &bundle{files: map[string]*file{}, documents: map[string]*file{}}, sha256.New()
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s %d\n%s", name, len(text), text)
		b.files[name] = newFile(name, text)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the console: %w", err)
	}
	b.version = hex.EncodeToString(sum.Sum(nil)[:8])
	for _, name := range []string{document, reference} {
		page := b.files[name]
		if page == nil {
			return nil, fmt.Errorf("read the console: no %s", name)
		}
		delete(b.files, name)
		b.documents[name] = newFile(name, b.fill(page.text))
	}
	return b, nil
}

// fill writes into the document where its files are, and which modules it will
// need in any case, so that browsers fetch them at once and not one after the
// other as they discover them.
func (b *bundle) fill(text []byte) []byte {
	base := Root + b.version + "/"
	var preloads strings.Builder
	for _, name := range b.core() {
		fmt.Fprintf(&preloads, "<link rel=\"modulepreload\" href=\"%s%s\">\n", base, name)
	}
	return []byte(strings.NewReplacer("{base}", base, "<!-- modules -->\n", preloads.String()).Replace(string(text)))
}

// core are the modules that every page stands on: not the pages themselves, nor
// texts, nor what others have made.
func (b *bundle) core() (names []string) {
	for name := range b.files {
		switch top, _, _ := strings.Cut(name, "/"); {
		case path.Ext(name) != ".js", name == "boot.js", top == "pages", top == "docs", top == "i18n", top == "vendor":
		default:
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
