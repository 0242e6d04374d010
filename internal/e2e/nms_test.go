package e2e

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/nms"
)

// nmsEnv tells where make deps-test has installed the Node-Media-Server that
// nodemediaserver/package-lock.json names.
const nmsEnv = "STAGEDOOR_E2E_NMS"

// The account of its API.
const nmsUser, nmsPassword = "stagedoor", "an API of its own"

// nodeMediaServer is Node-Media-Server.
type nodeMediaServer struct {
	rtmp, web string // host:port
	release   func()
	dir       string
	config    map[string]any
	proc      *process
	api       *nms.Client
}

func newNodeMediaServer(t *testing.T) *nodeMediaServer {
	t.Helper()
	ports, release := addresses(t, 2)
	return &nodeMediaServer{rtmp: ports[0], web: ports[1], release: release, api: &nms.Client{HTTP: &http.Client{Timeout: patience}}}
}

// start runs the server with its callbacks at base. Auth is what the server
// itself demands of URLs.
func (m *nodeMediaServer) start(t *testing.T, base string, auth map[string]any) {
	t.Helper()
	m.dir = t.TempDir()
	m.config = map[string]any{
		"bind": "127.0.0.1", "rtmp": map[string]any{"port": port(t, m.rtmp)}, "http": map[string]any{"port": port(t, m.web)},
		"store": map[string]any{"path": filepath.Join(m.dir, "data")}, "webadmin": map[string]any{"enable": false},
		"record": map[string]any{"path": filepath.Join(m.dir, "record")},
		"auth": map[string]any{"jwt": map[string]any{"secret": "one for this test", "expiresIn": "1h", "algorithm": "HS256",
			"users": []any{map[string]any{"username": nmsUser, "password": nmsPassword, "role": "admin"}}}},
	}
	if base != "" {
		m.config["notify"] = map[string]any{"url": base + "/callback/node-media-server"}
	}
	for key, value := range auth {
		m.config["auth"].(map[string]any)[key] = value
	}
	m.release()
	m.run(t)
}

func (m *nodeMediaServer) run(t *testing.T) {
	t.Helper()
	config, err := json.Marshal(m.config)
	if err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs(filepath.Join("nodemediaserver", "server.js"))
	if err != nil {
		t.Fatal(err)
	}
	var printed lockedBuffer
	cmd := exec.Command(need(t, "node"), script, string(config))
	cmd.Dir, cmd.Stdout, cmd.Stderr = m.dir, &printed, &printed
	cmd.Env = append(os.Environ(), "NODE_PATH="+nmsModules(t))
	m.proc = launch(t, cmd, syscall.SIGKILL)
	eventually(t, "Node-Media-Server listens", func() bool {
		if m.proc.ended() {
			t.Fatalf("Node-Media-Server ended: %v\n%s", m.proc.err, &printed)
		}
		conn, err := net.Dial("tcp", m.web)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
}

// nmsModules is where the server is installed.
func nmsModules(t *testing.T) string {
	t.Helper()
	home := os.Getenv(nmsEnv)
	if home == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		home = filepath.Join(cache, "stagedoor", "node-media-server")
	}
	modules := filepath.Join(home, "node_modules")
	if _, err := os.Stat(filepath.Join(modules, "node-media-server")); err != nil {
		t.Fatalf("%v: run make deps-test first", err)
	}
	return modules
}

func (m *nodeMediaServer) node() media.Node {
	return media.Node{Kind: "node-media-server", ControlURL: "http://" + m.web, Username: nmsUser, Password: nmsPassword}
}

// publishes says whether a stream has a publisher that was let in.
func (m *nodeMediaServer) publishes(t *testing.T, stream string) bool {
	t.Helper()
	list, err := m.api.Streams(t.Context(), m.node())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		if s.Stream.Name == stream {
			return true
		}
	}
	return false
}

// clients says how many publishers and players are connected.
func (m *nodeMediaServer) clients(t *testing.T) int {
	t.Helper()
	census, err := m.api.Census(t.Context(), m.node())
	if err != nil {
		t.Fatal(err)
	}
	return len(census.Clients)
}

func port(t *testing.T, address string) int {
	t.Helper()
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	n, err := net.LookupPort("tcp", text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
