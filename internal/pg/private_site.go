package pg

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const (
	// locationFile in the data directory names the database's own directory
	// where that is somewhere else.
	locationFile = "postgres.location"
	// passwordFile in the data directory holds the password of the only role.
	// PostgreSQL's peer authentication would let in the user it runs as, which
	// as root we are not.
	passwordFile = "postgres.password"
	// privateName is the database and its role.
	privateName = "stagedoor"
	// maxSocketPath is the longest path that fits sockaddr_un on every system.
	maxSocketPath = 103
)

// A site is where a private database lives and as whom it runs. Its home
// belongs to that user and holds data and the socket.
type site struct {
	home string
	cred *syscall.Credential // nil: as ourselves
}

func (s site) data() string { return filepath.Join(s.home, "data") }

// sockets returns the directory of the socket: in home, or a short name where
// that would be too long for a socket. Not under TMPDIR, which may differ
// between the service and a command beside it.
func (s site) sockets() string {
	dir := filepath.Join(s.home, "run")
	if len(filepath.Join(dir, ".s.PGSQL.5432")) <= maxSocketPath {
		return dir
	}
	return filepath.Join("/tmp", "stagedoor-"+shortHash(s.home))
}

// existingSite returns the site that an owner has made. It changes nothing.
func existingSite(config PrivateConfig) (site, error) {
	home, err := knownHome(config.Dir)
	if err != nil {
		return site{}, err
	}
	if home == "" {
		home = filepath.Join(config.Dir, "postgres")
	}
	if _, err := os.Stat(home); err != nil {
		return site{}, err
	}
	return site{home: home}, nil
}

// prepareSite finds or makes the site, with its directories.
func prepareSite(ctx context.Context, config PrivateConfig) (site, error) {
	home, err := knownHome(config.Dir)
	if err != nil {
		return site{}, err
	}
	if home != "" {
		if _, err := os.Stat(home); err != nil {
			return site{}, fmt.Errorf("the database of %s is gone (%w); remove %s there to begin with an empty one", config.Dir, err, locationFile)
		}
		return openSite(home)
	}
	s, err := openSite(filepath.Join(config.Dir, "postgres"))
	if err != nil || s.enter(ctx) == nil {
		return s, err
	}
	// A database that was reachable once must not be left behind for a new one.
	if _, err := os.Stat(s.data()); err == nil {
		return s, nil
	}
	if err := os.RemoveAll(s.home); err != nil { // empty, as it holds no data
		return site{}, err
	}
	return siteElsewhere(ctx, config)
}

// knownHome returns what the location file says, "" without one.
func knownHome(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, locationFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(text)), err
}

// siteElsewhere makes a home outside a data directory that PostgreSQL's user
// cannot enter. Its name starts with a hash of the directory's and is always
// new: a data directory that was removed and made again starts empty.
func siteElsewhere(ctx context.Context, config PrivateConfig) (site, error) {
	if err := os.MkdirAll(config.Elsewhere, 0o711); err != nil {
		return site{}, err
	}
	home, err := os.MkdirTemp(config.Elsewhere, shortHash(config.Dir)+"-")
	if err != nil {
		return site{}, err
	}
	s, err := openSite(home)
	if err != nil {
		return site{}, err
	}
	if err := s.enter(ctx); err != nil {
		return site{}, errors.Join(
			fmt.Errorf("the user that PostgreSQL would run as can use neither %s nor %s: %w", config.Dir, config.Elsewhere, err),
			os.RemoveAll(home))
	}
	config.Log.InfoContext(ctx, "the private database lives outside the data directory, which PostgreSQL's user cannot enter",
		"data_dir", config.Dir, "location", home)
	return s, writeFile(filepath.Join(config.Dir, locationFile), home+"\n", nil)
}

// openSite makes the home of a site unless it is there, and finds out whom it
// belongs to.
func openSite(home string) (site, error) {
	cred, err := runAs(home)
	if err != nil {
		return site{}, err
	}
	s := site{home: home, cred: cred}
	return s, s.ownDir(home)
}

// ownDir makes dir for the site's user alone. A socket directory in /tmp that
// somebody else made first is refused.
func (s site) ownDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	uid := os.Geteuid()
	if s.cred != nil {
		uid = int(s.cred.Uid)
	}
	owner := ownerOf(info)
	if !info.IsDir() || owner != uid && owner != os.Geteuid() {
		return fmt.Errorf("%s is not a directory of user id %d", dir, uid)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return err
	}
	return s.own(dir)
}

// own gives a path to the site's user.
func (s site) own(path string) error {
	if s.cred == nil {
		return nil
	}
	return os.Lchown(path, int(s.cred.Uid), int(s.cred.Gid))
}

// enter tries whether the site's user can enter and write its home. Asking the
// kernel covers mode bits, ACLs and mount options of every directory above.
func (s site) enter(ctx context.Context) error {
	if s.cred == nil {
		return nil // we just made it
	}
	return s.command(ctx, "/bin/sh", "-c", "test -x . && test -w .").Run()
}

// dropSockets removes the socket directory where it is not part of home.
func (s site) dropSockets() error {
	if filepath.Dir(s.sockets()) == s.home {
		return nil
	}
	return os.RemoveAll(s.sockets())
}

// command returns a command that runs as the site's user in its home. It
// inherits none of our environment, which may hold secrets.
func (s site) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = s.home
	cmd.Env = []string{"LC_ALL=C", "PATH=" + filepath.Dir(name) + ":/usr/bin:/bin", "HOME=" + s.home}
	// A group of its own: Ctrl-C on the terminal is for us, and we stop the
	// server when we are done with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.cred, Setpgid: true}
	// initdb has children of its own.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

// runAs returns whom PostgreSQL, which refuses to be root, runs as: the owner
// of an existing home, else postgres, else nobody.
func runAs(home string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	if info, err := os.Stat(home); err == nil && ownerOf(info) > 0 {
		u, err := user.LookupId(strconv.Itoa(ownerOf(info)))
		if err != nil {
			return nil, fmt.Errorf("owner of %s: %w", home, err)
		}
		return credential(u)
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			return credential(u)
		}
	}
	return nil, errors.New("PostgreSQL refuses to run as root, and there is no user postgres or nobody")
}

func credential(u *user.User) (*syscall.Credential, error) {
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	cred := &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	ids, err := u.GroupIds() // Debian's ssl-cert, for one
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		group, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return nil, err
		}
		cred.Groups = append(cred.Groups, uint32(group))
	}
	return cred, nil
}

func ownerOf(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}

func readPassword(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, passwordFile))
	return strings.TrimSpace(string(text)), err
}

// loadOrCreatePassword makes a password only for a database that is still to
// be made.
func loadOrCreatePassword(dir string, s site) (string, error) {
	password, err := readPassword(dir)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return password, err
	}
	if _, err := os.Stat(s.data()); err == nil {
		return "", fmt.Errorf("%s holds a database but %s has no %s to enter it with", s.home, dir, passwordFile)
	}
	password = rand.Text()
	return password, writeFile(filepath.Join(dir, passwordFile), password+"\n", nil)
}

// writeFile writes a file of mode 0600 that is there whole or not at all, and
// gives it away with own where that is not nil.
func writeFile(path, text string, own func(string) error) error {
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.WriteString(text)
	if err := errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if own != nil {
		if err := own(temp.Name()); err != nil {
			return err
		}
	}
	return os.Rename(temp.Name(), path)
}

func shortHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:6])
}
