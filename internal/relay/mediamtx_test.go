package relay

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/mediamtx"
)

// fakeMediaMTX speaks as much of the control API as pulls need, as its captures
// show it.
type fakeMediaMTX struct {
	*httptest.Server
	mu    sync.Mutex
	paths map[string]map[string]any // configuration
	live  map[string]map[string]any // running paths
}

func newFakeMediaMTX(t *testing.T) *fakeMediaMTX {
	t.Helper()
	f := &fakeMediaMTX{paths: map[string]map[string]any{"all_others": {"name": "all_others", "source": "publisher"}}, live: map[string]map[string]any{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v3/config/paths/list", f.locked(func(w http.ResponseWriter, _ *http.Request) { page(w, f.paths) }))
	mux.HandleFunc("GET /v3/paths/list", f.locked(func(w http.ResponseWriter, _ *http.Request) { page(w, f.live) }))
	mux.HandleFunc("GET /v3/config/paths/get/{name...}", f.locked(func(w http.ResponseWriter, r *http.Request) {
		if p := f.paths[r.PathValue("name")]; p != nil {
			reply(w, http.StatusOK, p)
			return
		}
		reply(w, http.StatusNotFound, map[string]any{"status": "error", "error": "path configuration not found"})
	}))
	mux.HandleFunc("POST /v3/config/paths/add/{name...}", f.locked(f.write))
	mux.HandleFunc("PATCH /v3/config/paths/patch/{name...}", f.locked(f.write))
	mux.HandleFunc("DELETE /v3/config/paths/delete/{name...}", f.locked(func(w http.ResponseWriter, r *http.Request) {
		delete(f.paths, r.PathValue("name"))
		delete(f.live, r.PathValue("name"))
		reply(w, http.StatusOK, map[string]any{"status": "ok"})
	}))
	f.Server = httptest.NewServer(mux)
	t.Cleanup(f.Close)
	return f
}

func (f *fakeMediaMTX) locked(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		h(w, r)
	}
}

func (f *fakeMediaMTX) write(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	conf := f.paths[name]
	if conf == nil {
		conf = map[string]any{"name": name}
	}
	if err := json.NewDecoder(r.Body).Decode(&conf); err != nil {
		reply(w, http.StatusBadRequest, map[string]any{"status": "error", "error": err.Error()})
		return
	}
	f.paths[name] = conf
	f.live[name] = map[string]any{"name": name, "confName": name, "ready": false, "readers": []any{}}
	reply(w, http.StatusOK, map[string]any{"status": "ok"})
}

func page(w http.ResponseWriter, items map[string]map[string]any) {
	list := []any{}
	for _, i := range items {
		list = append(list, i)
	}
	reply(w, http.StatusOK, map[string]any{"itemCount": len(list), "pageCount": 1, "items": list})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client hung up
}

// set makes a path run, with so many readers.
func (f *fakeMediaMTX) set(name string, ready bool, readers int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]any, readers)
	for i := range list {
		list[i] = map[string]any{"type": "rtspSession", "id": "1"}
	}
	source := map[string]any{"type": "rtspSource", "id": ""}
	f.live[name] = map[string]any{"name": name, "confName": name, "ready": ready, "available": ready, "online": ready, "source": source, "readers": list}
}

func (f *fakeMediaMTX) has(name string) map[string]any {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.paths[name]
}

type oneNode struct{ media.Node }

func (n oneNode) Known() []media.Node { return []media.Node{n.Node} }

func TestARouteIsCarriedOutByMediaMTX(t *testing.T) {
	t.Parallel()
	b, mtx := setup(t), newFakeMediaMTX(t)
	b.Nodes = oneNode{media.Node{Name: "mtx", Kind: "mediamtx", ControlURL: mtx.URL}}
	b.Controls = media.Controls{"mediamtx": {Puller: mediamtx.Client{HTTP: mtx.Client()}}}
	b.route(t, "/hr/door", camera, false)
	b.round(t)
	conf := mtx.has("hr/door")
	if conf == nil || conf["source"] != camera || conf["sourceOnDemand"] != true || conf["sourceOnDemandCloseAfter"] != "5m0s" {
		t.Fatalf("configured %v", conf)
	}
	mtx.set("hr/door", true, 2)
	b.round(t)
	if got := b.wantState(t, Running, ""); got.Viewers != 2 || got.Node != "mtx" {
		t.Errorf("got %+v", got)
	}
	mtx.mu.Lock()
	clear(mtx.paths) // it was killed and started again
	mtx.mu.Unlock()
	b.round(t)
	if mtx.has("hr/door") == nil {
		t.Error("not established again")
	}
	if err := b.routes.Delete(t.Context(), "/hr/door"); err != nil {
		t.Fatal(err)
	}
	b.round(t)
	if mtx.has("hr/door") != nil {
		t.Error("the route is gone, its pull is not")
	}
}

func TestWhatMediaMTXHasOfItsOperatorStays(t *testing.T) {
	t.Parallel()
	b, mtx := setup(t), newFakeMediaMTX(t)
	b.Nodes = oneNode{media.Node{Name: "mtx", Kind: "mediamtx", ControlURL: mtx.URL}}
	b.Controls = media.Controls{"mediamtx": {Puller: mediamtx.Client{HTTP: mtx.Client()}}}
	mtx.mu.Lock()
	mtx.paths["hr/own"] = map[string]any{"name": "hr/own", "source": "rtsp://192.0.2.1/x", "sourceOnDemand": true, "sourceOnDemandStartTimeout": "10s"}
	mtx.mu.Unlock()
	b.route(t, "/hr/own", camera, false)
	b.round(t)
	if conf := mtx.has("hr/own"); conf == nil || conf["source"] != "rtsp://192.0.2.1/x" {
		t.Errorf("the operator's path became %v", conf)
	}
	if got := b.wantState(t, Failed, "cannot_pull"); strings.Contains(Message(got.Reason), "hunter2") {
		t.Errorf("it says %q", Message(got.Reason))
	}
}

func TestAMediaMTXThatTalksNonsenseStopsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, body := range map[string]string{"no JSON": "<html>", "endless pages": `{"pageCount":1000000000,"items":[]}`, "another shape": `{"items":"x"}`, "nothing": ""} {
		nonsense := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
		t.Cleanup(nonsense.Close)
		b.Nodes = oneNode{media.Node{Name: "mtx", Kind: "mediamtx", ControlURL: nonsense.URL}}
		b.Controls = media.Controls{"mediamtx": {Puller: mediamtx.Client{HTTP: nonsense.Client()}}}
		if err := b.Round(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
