package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// mediaServer is a real media server beside the program.
type mediaServer struct {
	short string // in the names of rows
	kind  string
	rtmp  string // host:port
	web   string
	dir   string
	// command starts it, with its callbacks at base.
	command func(m *mediaServer, base string) (*exec.Cmd, error)
	// node is how the program is told to reach it, and what it reads then.
	node func(m *mediaServer) (args []string, stdin string)
	// needs are programs, and files by their whole path, without which it cannot
	// be measured.
	needs []string
	child *child
}

// missing says what of it is not installed.
func (m *mediaServer) missing() error {
	for _, name := range append([]string{"ffmpeg"}, m.needs...) {
		if filepath.IsAbs(name) {
			if _, err := os.Stat(name); err != nil {
				return fmt.Errorf("%w: make bench installs what is needed", err)
			}
		} else if _, err := program(name); err != nil {
			return err
		}
	}
	return nil
}

// mediaServers are those that are measured.
func (s *suite) mediaServers() ([]*mediaServer, error) {
	nms, err := nmsHome()
	if err != nil {
		return nil, err
	}
	all := []*mediaServer{
		{short: "nginx", kind: "nginx-rtmp", command: nginxCommand, needs: []string{"nginx", nginxModule}, node: func(m *mediaServer) ([]string, string) {
			return []string{"--control-url", "http://" + m.web + "/stat"}, ""
		}},
		{short: "nms", kind: "node-media-server", command: nmsCommand, needs: []string{"node", filepath.Join(nms, "node-media-server")}, node: func(m *mediaServer) ([]string, string) {
			return []string{"--control-url", "http://" + m.web, "--username", "stagedoor", "--password"}, adminPassword + "\n"
		}},
	}
	for _, m := range all {
		if m.rtmp, err = freeAddress(); err != nil {
			return nil, err
		}
		if m.web, err = freeAddress(); err != nil {
			return nil, err
		}
		if m.dir, err = os.MkdirTemp(s.dir, m.short+"-"); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// run starts the media server and returns when it listens.
func (m *mediaServer) run(ctx context.Context, base string) error {
	cmd, err := m.command(m, base)
	if err != nil {
		return err
	}
	if m.child, err = spawn(cmd); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		for _, address := range []string{m.rtmp, m.web} {
			if conn, dialErr := net.Dial("tcp", address); dialErr != nil {
				err = dialErr
			} else {
				err = conn.Close()
			}
		}
		if err == nil {
			return nil
		}
		select {
		case <-m.child.done:
			return fmt.Errorf("%s ended: %s", m.kind, m.child.printed.String())
		case <-ctx.Done():
			return fmt.Errorf("%s does not listen: %w", m.kind, err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// child is a program that dies with us.
type child struct {
	cmd     *exec.Cmd
	printed bytes.Buffer // of one that is over
	done    chan struct{}
	ended   time.Time // once done is closed
}

func spawn(cmd *exec.Cmd) (*child, error) {
	c := &child{cmd: cmd, done: make(chan struct{})}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pdeathsig = true, syscall.SIGKILL
	if cmd.Stderr == nil {
		cmd.Stderr = &c.printed
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w: make bench installs what is needed", err)
	}
	go func() {
		_ = cmd.Wait() // how it ended is not what is measured
		c.ended = time.Now()
		close(c.done)
	}()
	return c, nil
}

// kill ends a child as a crash would.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // it may be gone
	<-c.done
}

// await returns when a child has ended.
func (c *child) await(ctx context.Context) (time.Time, error) {
	select {
	case <-c.done:
		return c.ended, nil
	case <-ctx.Done():
		return time.Time{}, fmt.Errorf("%s does not end: %w", filepath.Base(c.cmd.Path), ctx.Err())
	}
}

func program(name string) (string, error) {
	for _, candidate := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed: make bench installs what is needed", name)
}

const nginxModule = "/usr/lib/nginx/modules/ngx_rtmp_module.so"

const nginxConfig = `load_module ` + nginxModule + `;
worker_processes 1; daemon off; master_process off; pid nginx.pid; error_log error.log;
events { worker_connections 512; }
rtmp {
  access_log off;
  server {
    listen RTMP;
    application live {
      live on;
      on_publish      HOOK;
      on_publish_done HOOK;
      on_play         HOOK;
      on_play_done    HOOK;
    }
  }
}
http {
  access_log off;
  client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  server { listen WEB; location /stat { rtmp_stat all; } location /control { rtmp_control all; } }
}
`

func nginxCommand(m *mediaServer, base string) (*exec.Cmd, error) {
	nginx, err := program("nginx")
	if err != nil {
		return nil, err
	}
	config := strings.NewReplacer("RTMP;", m.rtmp+";", "WEB;", m.web+";", "HOOK", base+"/callback/nginx-rtmp").Replace(nginxConfig)
	file := filepath.Join(m.dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		return nil, err
	}
	cmd := exec.Command(nginx, "-p", m.dir, "-e", "stderr", "-c", file)
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if os.Geteuid() == 0 { // its files must then be somebody's else
		if cmd.SysProcAttr.Credential, err = nobody(m.dir); err != nil {
			return nil, err
		}
	}
	return cmd, nil
}

// nobody is whom root runs nginx as, once the directory is his.
func nobody(dir string) (*syscall.Credential, error) {
	u, err := user.Lookup("nobody")
	if err != nil {
		return nil, err
	}
	uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(uidErr, gidErr, os.Chown(dir, int(uid), int(gid))); err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// nmsEnv tells where make bench has installed Node-Media-Server.
const nmsEnv = "STAGEDOOR_E2E_NMS"

// nmsHome is the directory of its modules.
func nmsHome() (string, error) {
	if home := os.Getenv(nmsEnv); home != "" {
		return filepath.Abs(filepath.Join(home, "node_modules"))
	}
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, "stagedoor", "node-media-server", "node_modules"), err
}

func nmsCommand(m *mediaServer, base string) (*exec.Cmd, error) {
	node, err := program("node")
	if err != nil {
		return nil, err
	}
	modules, err := nmsHome()
	if err != nil {
		return nil, err
	}
	port := func(address string) map[string]any {
		_, text, _ := net.SplitHostPort(address) // freeAddress made it
		n, _ := strconv.Atoi(text)
		return map[string]any{"port": n}
	}
	config, err := json.Marshal(map[string]any{
		"bind": "127.0.0.1", "rtmp": port(m.rtmp), "http": port(m.web), "webadmin": map[string]any{"enable": false},
		"store": map[string]any{"path": filepath.Join(m.dir, "store")}, "notify": map[string]any{"url": base + "/callback/node-media-server"},
		"auth": map[string]any{"jwt": map[string]any{"secret": adminPassword, "expiresIn": "1h", "algorithm": "HS256",
			"users": []any{map[string]any{"username": "stagedoor", "password": adminPassword, "role": "admin"}}}},
	})
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(node, "-e", "new (require('node-media-server'))(JSON.parse(process.argv[1])).run()", string(config))
	cmd.Dir, cmd.Env = m.dir, append(environment(), "NODE_PATH="+modules)
	return cmd, nil
}
