package sdktest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/volcengine/volc-sdk-golang/service/live"
	live2023 "github.com/volcengine/volc-sdk-golang/service/live/v20230101"
	"github.com/volcengine/volcengine-go-sdk/volcengine"
	"github.com/volcengine/volcengine-go-sdk/volcengine/credentials"
	"github.com/volcengine/volcengine-go-sdk/volcengine/session"
	"github.com/volcengine/volcengine-go-sdk/volcengine/universal"
)

const (
	pushHost = "push.example.com"
	pullHost = "pull.example.com"
)

// patience is how long anything may take on an overloaded machine.
const patience = 90 * time.Second

// program is the server under test, one for all tests of this package.
var program struct {
	binary, dir, host string // host:port
	admin, guest      keys
}

type keys struct {
	ID     string `json:"access_key_id"`
	Secret string `json:"secret_access_key"`
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "stagedoor-sdktest-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	stop, err := start(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, "start the program under test:", err)
		return 1
	}
	defer stop()
	// The older package has been switched to the newer version; this is the way
	// back.
	for _, api := range live.ApiInfoList {
		api.Query.Set("Version", "2020-08-01")
	}
	return m.Run()
}

// start builds the program, runs it on a private PostgreSQL and makes the keys.
func start(dir string) (stop func(), err error) {
	if err := os.Chmod(dir, 0o711); err != nil { // PostgreSQL may run as somebody else
		return nil, err
	}
	program.dir, program.binary = dir, filepath.Join(dir, "stagedoor")
	build := exec.Command("go", "build", "-o", program.binary, "./cmd/stagedoor")
	build.Dir = filepath.Join("..", "..", "..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build: %w\n%s", err, out)
	}
	cmd := exec.Command(program.binary, "serve")
	cmd.Env = environment()
	log, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}
	if program.host, err = serving(log); err == nil {
		err = createKeys()
	}
	if err != nil {
		stop()
	}
	return stop, err
}

func environment() []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TMPDIR=" + os.Getenv("TMPDIR")}
	for name, value := range map[string]string{"LISTEN": "127.0.0.1:0", "DATA_DIR": filepath.Join(program.dir, "data"), "LOG_FORMAT": "json",
		"PUSH_DOMAIN": pushHost, "PULL_DOMAIN": pullHost, "RATE_LIMIT": "0", "ACCOUNT_RATE_LIMIT": "0"} {
		env = append(env, "STAGEDOOR_"+name+"="+value)
	}
	return env
}

// serving reads the log until the program says its address, and on.
func serving(log io.Reader) (host string, err error) {
	found := make(chan string, 1)
	go func() {
		defer close(found)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			var line struct{ Msg, Address string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
				found <- line.Address
			}
			if strings.Contains(lines.Text(), `"level":"ERROR"`) {
				fmt.Fprintln(os.Stderr, lines.Text())
			}
		}
	}()
	select {
	case host, ok := <-found:
		if !ok {
			return "", errors.New("the program ended")
		}
		return host, nil
	case <-time.After(patience):
		return "", errors.New("the program does not serve")
	}
}

func createKeys() error {
	if _, err := cli("a password of some length\n", "user", "create", "guest"); err != nil {
		return err
	}
	for username, to := range map[string]*keys{"admin": &program.admin, "guest": &program.guest} {
		out, err := cli("", "access-key", "create", "--username", username, "--json")
		if err != nil {
			return err
		}
		if err := json.Unmarshal(out, to); err != nil {
			return err
		}
	}
	return nil
}

// cli runs a command of the program beside the server.
func cli(stdin string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program.binary, args...)
	var stderr bytes.Buffer
	cmd.Env, cmd.Stdin, cmd.Stderr = environment(), strings.NewReader(stdin), &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("stagedoor %s: %w\n%s", strings.Join(args, " "), err, &stderr)
	}
	return out, nil
}

// freshKey is an access key of the administrator that no other test uses up.
func freshKey(t *testing.T) keys {
	t.Helper()
	out, err := cli("", "access-key", "create", "--username", "admin", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var k keys
	if err := json.Unmarshal(out, &k); err != nil {
		t.Fatal(err)
	}
	return k
}

// older is the SDK's package of Version 2020-08-01.
func older(k keys) *live.LIVE {
	c := live.NewInstance()
	c.SetAccessKey(k.ID)
	c.SetSecretKey(k.Secret)
	c.Client.SetHost(program.host)
	return c
}

// newer is that of Version 2023-01-01.
func newer(k keys) *live2023.Live {
	c := live2023.NewInstance()
	c.SetAccessKey(k.ID)
	c.SetSecretKey(k.Secret)
	c.SetHost(program.host)
	c.SetScheme("http")
	return c
}

// call is the universal client of the other SDK. Its result is that of the
// action, decoded.
func call(t *testing.T, k keys, action, version string, in map[string]any) (map[string]any, error) {
	t.Helper()
	config := volcengine.NewConfig().WithRegion("cn-north-1").WithEndpoint(program.host).WithDisableSSL(true).
		WithCredentials(credentials.NewStaticCredentials(k.ID, k.Secret, "")).WithMaxRetries(0)
	sess, err := session.NewSession(config)
	if err != nil {
		t.Fatal(err)
	}
	info := universal.RequestUniversal{ServiceName: "live", Action: action, Version: version, HttpMethod: universal.POST, ContentType: universal.ApplicationJSON}
	if strings.HasPrefix(action, "DescribeLive") || strings.Contains(action, "ByPage") {
		info.HttpMethod, info.ContentType = universal.GET, universal.Default
	}
	out, err := universal.New(sess).DoCall(info, &in)
	if err != nil {
		return nil, err
	}
	result, _ := (*out)["Result"].(map[string]any)
	return result, nil
}

// publish asks at the door of callbacks as SRS without vhosts does, and says
// whether the client is let in.
func publish(t *testing.T, host, app, stream, query string) bool {
	t.Helper()
	body, err := json.Marshal(map[string]string{"action": "on_publish", "client_id": "c-" + stream, "ip": "192.0.2.7", "vhost": "__defaultVhost__", "app": app,
		"stream": stream, "param": "?" + query, "tcUrl": "rtmp://" + host + "/" + app, "stream_url": "/" + app + "/" + stream, "server_id": "s1", "service_id": "p1"})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post("http://"+program.host+"/callback/on_publish", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// parts takes a stream URL apart.
func parts(t *testing.T, rawURL string) (host, app, stream, query string) {
	t.Helper()
	_, rest, _ := strings.Cut(rawURL, "://")
	rest, query, _ = strings.Cut(rest, "?")
	all := strings.SplitN(rest, "/", 3)
	if len(all) != 3 {
		t.Fatalf("no stream URL: %q", rawURL)
	}
	host, _, err := net.SplitHostPort(all[0])
	if err != nil {
		host = all[0]
	}
	return host, all[1], all[2], query
}
