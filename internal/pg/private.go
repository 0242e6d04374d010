package pg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

const (
	// privateStart bounds one start; recovery after a crash may take its time.
	privateStart = time.Minute
	// privatePoll is the pause between looks at something that tells nobody.
	privatePoll = 25 * time.Millisecond
	// privateTakeover is how often a process that uses another one's server looks
	// whether that process has gone.
	privateTakeover = 250 * time.Millisecond
	// privateRetryMax bounds the pause between attempts to start a server that
	// keeps dying.
	privateRetryMax = 5 * time.Second
)

// PrivateConfig says where a private PostgreSQL lives. Only Dir and Log are
// needed.
type PrivateConfig struct {
	// Dir is the data directory. The database goes to its subdirectory
	// postgres, or elsewhere where the user that PostgreSQL runs as cannot enter
	// Dir; then the file postgres.location in Dir says where.
	Dir string
	Log *slog.Logger
	// Elsewhere is the directory for databases whose Dir cannot be entered.
	// Default: /var/lib/stagedoor.
	Elsewhere string
	// MaxConnections of the server. Default: 100.
	MaxConnections int
	// NoSync makes commits survive nothing, for tests.
	NoSync bool
}

// Private is a PostgreSQL that belongs to one data directory, runs as long as
// somebody uses it and listens on a unix socket only.
//
// The first process to come owns the server: it starts it, or adopts one whose
// owner was killed, and restarts it when it dies. Others with the same
// directory, such as a command beside the running service, share it; when the
// owner goes, one of them takes over. The last to stop shuts it down.
//
//	               owner lock free                 Stop, nobody shares
//	StartPrivate -----------------> owning (runs) ---------------------> shut down
//	      |                            ^     | Stop, somebody shares
//	      | owner lock taken           |     v
//	      +----------------------> sharing  (left running)
//	                                 owner gone
type Private struct {
	config PrivateConfig
	log    *slog.Logger
	owner  *fileLock // held exclusively by the owner
	users  *fileLock // held shared by everybody else
	server *postmaster
	url    string
	cancel context.CancelFunc
	done   chan struct{}
}

// StartPrivate returns when the server answers. The end of ctx interrupts the
// start but does not stop a server that was started: Stop does.
func StartPrivate(ctx context.Context, config PrivateConfig) (*Private, error) {
	p, err := newPrivate(config)
	if err != nil {
		return nil, fmt.Errorf("private PostgreSQL: %w", err)
	}
	starting, cancel := context.WithTimeoutCause(ctx, privateStart, errors.New("it did not become ready in time"))
	defer cancel()
	if err := p.join(starting); err != nil {
		p.owner.unlock()
		p.users.unlock()
		if cause := context.Cause(starting); cause != nil {
			err = fmt.Errorf("%w (%w)", cause, err)
		}
		return nil, fmt.Errorf("private PostgreSQL: %w", err)
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p.cancel = cancel
	go p.supervise(running)
	return p, nil
}

func newPrivate(config PrivateConfig) (*Private, error) {
	if config.Elsewhere == "" {
		config.Elsewhere = "/var/lib/stagedoor"
	}
	if config.MaxConnections == 0 {
		config.MaxConnections = 100
	}
	// Others must be able to pass through to the database; see site.
	if err := os.MkdirAll(config.Dir, 0o711); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(config.Dir)
	if err != nil {
		return nil, err
	}
	// One spelling, as a running server is recognised by it.
	if config.Dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, err
	}
	return &Private{
		config: config,
		log:    config.Log,
		owner:  newFileLock(filepath.Join(config.Dir, "postgres.lock")),
		users:  newFileLock(filepath.Join(config.Dir, "postgres.users")),
		done:   make(chan struct{}),
	}, nil
}

// URL returns the URL of the database. It holds the password.
func (p *Private) URL() string { return p.url }

// Stop ends this process's use of the server and shuts it down when nobody
// else uses it, which takes until running transactions are rolled back. When
// ctx ends first, the server is stopped the hard way and recovers at its next
// start.
func (p *Private) Stop(ctx context.Context) error {
	p.cancel()
	<-p.done
	defer p.owner.unlock()
	defer p.users.unlock()
	for {
		owning, err := p.owner.tryExclusive()
		if err != nil || !owning {
			return err // somebody took over
		}
		p.users.unlock()
		last, err := p.users.tryExclusive()
		if err != nil {
			return err
		}
		if last {
			if err := p.shutDown(ctx); err != nil {
				return fmt.Errorf("stop private PostgreSQL: %w", err)
			}
			return nil
		}
		// Somebody still uses it and takes over, unless they are leaving too:
		// then nobody would be left to stop it.
		p.owner.unlock()
		if !pauseFor(ctx, privatePoll) {
			return nil
		}
	}
}

func (p *Private) shutDown(ctx context.Context) error {
	s, err := existingSite(p.config)
	if err != nil {
		return err
	}
	if p.server == nil { // its owner went without a word
		p.server = findPostmaster(s)
	}
	if p.server != nil {
		err = p.server.stop(ctx)
	}
	return errors.Join(err, s.dropSockets())
}

// join makes this process the owner or one of the users.
func (p *Private) join(ctx context.Context) error {
	for {
		owning, err := p.owner.tryExclusive()
		if err != nil {
			return err
		}
		if owning {
			return p.lead(ctx)
		}
		// Sharing fails while the last user shuts the server down.
		sharing, err := p.users.tryShared()
		if err != nil {
			return err
		}
		if sharing && p.attach(ctx) {
			return nil
		}
		p.users.unlock()
		if !pauseFor(ctx, privatePoll) {
			return errors.New("another process is starting or stopping it")
		}
	}
}

// attach reports whether the owner's server answers.
func (p *Private) attach(ctx context.Context) bool {
	s, err := existingSite(p.config)
	if err != nil {
		return false
	}
	password, err := readPassword(p.config.Dir)
	if err != nil || ping(ctx, s.url(password)) != nil {
		return false
	}
	p.url = s.url(password)
	return true
}

// lead starts the server or adopts a running one. This process is the owner.
func (p *Private) lead(ctx context.Context) error {
	s, err := prepareSite(ctx, p.config)
	if err != nil {
		return err
	}
	bin, err := findServer(ctx, s.data())
	if err != nil {
		return err
	}
	password, err := loadOrCreatePassword(p.config.Dir, s)
	if err != nil {
		return err
	}
	if err := initDatabase(ctx, bin, s, password); err != nil {
		return err
	}
	if p.url == "" { // later starts must not write what others read
		p.url = s.url(password)
	}
	p.server, err = startPostmaster(ctx, p.config, bin, s, p.url)
	return err
}

// supervise keeps the server alive while this process owns it, and takes over
// when the owner goes.
func (p *Private) supervise(ctx context.Context) {
	defer close(p.done)
	for {
		if p.server == nil {
			if !p.takeOver(ctx) {
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-p.server.exited:
		}
		p.log.WarnContext(ctx, "private PostgreSQL died; starting it again", "pid", p.server.pid)
		if !p.leadUntil(ctx) {
			return
		}
	}
}

// takeOver waits for the owner to go and returns false when ctx ended before.
func (p *Private) takeOver(ctx context.Context) bool {
	for pauseFor(ctx, privateTakeover) {
		if owning, err := p.owner.tryExclusive(); err == nil && owning {
			p.users.unlock()
			return p.leadUntil(ctx)
		}
	}
	return false
}

// leadUntil tries until the server runs and returns false when ctx ended
// before.
func (p *Private) leadUntil(ctx context.Context) bool {
	for pause := privatePoll; ; pause = min(2*pause, privateRetryMax) {
		attempt, cancel := context.WithTimeout(ctx, privateStart)
		err := p.lead(attempt)
		cancel()
		if err == nil {
			p.log.InfoContext(ctx, "private PostgreSQL runs", "pid", p.server.pid)
			return true
		}
		if ctx.Err() == nil {
			p.log.ErrorContext(ctx, "private PostgreSQL does not start", "error", err)
		}
		if !pauseFor(ctx, pause) {
			return false
		}
	}
}

// url returns the URL of the database behind the site's socket.
func (s site) url(password string) string {
	return s.urlOf(privateName, password)
}

func (s site) urlOf(database, password string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(privateName, password),
		Path:     "/" + database,
		RawQuery: url.Values{"host": {s.sockets()}}.Encode(),
	}
	return u.String()
}
