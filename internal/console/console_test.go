package console

import (
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

func refuse(w http.ResponseWriter, _ *http.Request, err error) {
	http.Error(w, errs.As(err).Reason, httpx.StatusOf(errs.KindOf(err)))
}

func noMedia() []string { return nil }

// get asks a console for its page, or for a file.
func get(c *Console, file string, header ...string) *httptest.ResponseRecorder {
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if file == "" {
		c.Page(w, r, refuse)
	} else {
		c.File(w, r, file, refuse)
	}
	return w
}

var small = fstest.MapFS{
	"index.html":      {Data: []byte("<!doctype html>\n<!-- modules -->\n<script src=\"{base}app.js\"></script>")},
	"docs/index.html": {Data: []byte("<!doctype html>\n<script src=\"{base}docs/docs.js\"></script>")},
	"app.js":          {Data: []byte(strings.Repeat("export const a = 1;\n", 99))},
	"i18n/en.js":      {Data: []byte("x")}, "pages/a.js": {Data: []byte("x")}, "vendor/v.js": {Data: []byte("x")},
}

func versionOf(t *testing.T, page string) string {
	t.Helper()
	m := regexp.MustCompile(`src="/console/([0-9a-f]{16})/app\.js"`).FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("no version in\n%s", page)
	}
	return m[1]
}

func TestThePageNamesItsFilesByTheirVersion(t *testing.T) {
	t.Parallel()
	c := New(small, noMedia)
	page := get(c, "")
	version := versionOf(t, page.Body.String())
	if want := `<link rel="modulepreload" href="/console/` + version + `/app.js">`; strings.Count(page.Body.String(), "modulepreload") != 1 || !strings.Contains(page.Body.String(), want) {
		t.Errorf("the page is\n%s", page.Body)
	}
	if got := page.Header().Get("Cache-Control"); got != "no-cache" {
		t.Errorf("the page may be kept: %q", got)
	}
	kept, other := get(c, version+"/app.js"), get(c, "0123456789abcdef/app.js")
	if kept.Code != 200 || kept.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" {
		t.Errorf("a file of this version: %d %v", kept.Code, kept.Header())
	}
	if other.Code != 200 || other.Header().Get("Cache-Control") != "no-cache" {
		t.Errorf("a file of another version: %d %v", other.Code, other.Header())
	}
	changed := fstest.MapFS{}
	for name, f := range small {
		changed[name] = f
	}
	changed["app.js"] = &fstest.MapFile{Data: []byte("export const a = 2;")}
	if again := versionOf(t, get(New(changed, noMedia), "").Body.String()); again == version {
		t.Error("another file has the same version")
	}
}

func TestFilesAreSentOnceAndPacked(t *testing.T) {
	t.Parallel()
	c := New(small, noMedia)
	plain := get(c, "v/app.js")
	packed := get(c, "v/app.js", "Accept-Encoding", "br, gzip;q=0.8", "Range", "bytes=0-3")
	z, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil || string(text) != plain.Body.String() || packed.Header().Get("Content-Encoding") != "gzip" {
		t.Errorf("packed: %v, %d bytes, %v", err, len(text), packed.Header())
	}
	if a, b := plain.Header().Get("ETag"), packed.Header().Get("ETag"); a == b || plain.Header().Get("Vary") != "Accept-Encoding" {
		t.Errorf("both forms have the tag %s, %v", a, plain.Header())
	}
	again := get(c, "v/app.js", "Accept-Encoding", "gzip", "If-None-Match", packed.Header().Get("ETag"))
	if again.Code != http.StatusNotModified || again.Body.Len() != 0 {
		t.Errorf("sent again: %d, %d bytes", again.Code, again.Body.Len())
	}
	for _, refused := range []string{"", "identity", "gzip;q=0", "gzip; q=0.0", "br;q=1"} {
		if got := get(c, "v/app.js", "Accept-Encoding", refused); got.Header().Get("Content-Encoding") != "" {
			t.Errorf("Accept-Encoding %q gets %v", refused, got.Header())
		}
	}
	if got := get(c, "v/pages/a.js", "Accept-Encoding", "gzip"); got.Header().Get("Content-Encoding") != "" || got.Body.String() != "x" {
		t.Errorf("packed although it is shorter without: %v", got.Header())
	}
}

func TestWhatIsNotThereIsRefused(t *testing.T) {
	t.Parallel()
	c := New(small, noMedia)
	for _, file := range []string{"v/index.html", "v/none.js", "v", "v/", "app.js", "v/../app.js", "v/i18n"} {
		if got := get(c, file); got.Code != http.StatusNotFound {
			t.Errorf("%s: %d", file, got.Code)
		}
	}
	for _, file := range []string{"", "v/app.js"} {
		if got := get(New(fstest.MapFS{}, noMedia), file); got.Code != http.StatusInternalServerError {
			t.Errorf("without a document, %q: %d", file, got.Code)
		}
	}
}

func TestFilesThatChangeAreReadAnew(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{"index.html": {Data: []byte("one")}, "docs/index.html": {}}
	c := Live(files, noMedia)
	first := get(c, "").Body.String()
	files["index.html"] = &fstest.MapFile{Data: []byte("two")}
	if second := get(c, "").Body.String(); first != "one" || second != "two" {
		t.Errorf("%q, then %q", first, second)
	}
}

func TestThePolicyLetsInWhatIsNeeded(t *testing.T) {
	t.Parallel()
	page := get(New(small, func() []string { return []string{"https://pull.example.com", "http://edge:8080"} }), "")
	policy := page.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'",
		"connect-src 'self' https://pull.example.com http://edge:8080;", "media-src 'self' blob: https://pull.example.com http://edge:8080;"} {
		if !strings.Contains(policy, want) {
			t.Errorf("no %s in %s", want, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		t.Error(policy)
	}
	if alone := get(New(small, noMedia), "").Header().Get("Content-Security-Policy"); !strings.Contains(alone, "connect-src 'self';") {
		t.Error(alone)
	}
}

func TestOriginsOfURLs(t *testing.T) {
	t.Parallel()
	got := Origins([]string{"https://Pull.example.com/{app}/{stream}.flv", "http://[2001:db8::1]:8080/x", "https://pull.example.com/other", "",
		"rtmp://pull.example.com/live", "https://{vhost}/{app}", "https://*.example.com/", "https://a b/", "https://x;script-src/", "https://", ":"})
	if want := "http://[2001:db8::1]:8080 https://pull.example.com"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEveryFileHasATypeAndThirdPartiesTheirLicence(t *testing.T) {
	t.Parallel()
	err := fs.WalkDir(Files(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if types[path.Ext(name)] == "" {
			t.Errorf("%s has no type", name)
		}
		if parts := strings.Split(name, "/"); parts[0] == "vendor" {
			if _, err := fs.Stat(Files(), "vendor/"+parts[1]+"/LICENSE.txt"); err != nil {
				t.Error(err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheReferenceHasAPolicyOfItsOwn(t *testing.T) {
	t.Parallel()
	c := New(Files(), func() []string { return []string{"https://pull.example.com"} })
	w := httptest.NewRecorder()
	c.Reference(w, httptest.NewRequest(http.MethodGet, "/docs", nil), refuse)
	policy := w.Header().Get("Content-Security-Policy")
	if w.Code != http.StatusOK || !strings.Contains(policy, "script-src 'self';") || strings.Contains(policy, "pull.example.com") {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	for _, m := range regexp.MustCompile(`"/console/([^"]+)"`).FindAllStringSubmatch(w.Body.String(), -1) {
		if got := get(c, m[1]); got.Code != http.StatusOK || got.Header().Get("Cache-Control") == "no-cache" {
			t.Errorf("%s: %d %v", m[1], got.Code, got.Header())
		}
	}
	if page := get(c, "").Body.String(); strings.Contains(page, "rapidoc") || strings.Contains(page, "docs.js") {
		t.Error("the console fetches the reference")
	}
}
