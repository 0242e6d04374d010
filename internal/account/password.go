package account

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"
	"golang.org/x/crypto/argon2"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

const (
	minPassword = 8   // characters
	maxPassword = 256 // characters
)

//go:embed common_passwords.txt
var commonPasswords string

var errBusy = &errs.Error{
	Kind: errs.RateLimited, Reason: "busy", Message: "too many logins at the moment, try again soon",
	RetryAfter: time.Second,
}

// passwords hashes and checks, a few at a time: each Argon2id hash takes 19 MiB
// and a processor for tens of milliseconds, so a flood of logins must not take
// them from the callbacks.
type passwords struct {
	params *argon2id.Params
	common map[string]struct{}
	md5s   map[string]struct{} // of the common ones
	line   *line
	key    keyFunc
	onHash func() // called before each hash: the tests compare work by it
}

// keyFunc is argon2.IDKey, wherever it is computed.
type keyFunc func(password, salt []byte, time, memory uint32, threads uint8, length uint32) []byte

func newPasswords(params *argon2id.Params, key keyFunc, line *line) *passwords {
	if params == nil {
		// OWASP ASVS 5.0, appendix C: two passes need 19456 KiB or more.
		params = &argon2id.Params{Memory: 19456, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}
	}
	if key == nil {
		key = argon2.IDKey
	}
	common, md5s := make(map[string]struct{}), make(map[string]struct{})
	for line := range strings.Lines(commonPasswords) {
		password := strings.TrimSpace(line)
		common[password], md5s[md5Of(password)] = struct{}{}, struct{}{}
	}
	return &passwords{
		params: params,
		common: common,
		md5s:   md5s,
		line:   line,
		key:    key,
		onHash: func() {},
	}
}

// check refuses passwords that are too short, too long, well known, or the
// username itself. There are no composition rules: length is what helps.
func (p *passwords) check(password, username string) error {
	n := utf8.RuneCountInString(password)
	if n < minPassword {
		return errs.InvalidField("password", fmt.Sprintf("the password needs at least %d characters", minPassword))
	}
	if n > maxPassword {
		return errs.InvalidField("password", fmt.Sprintf("the password may have at most %d characters", maxPassword))
	}
	lower := strings.ToLower(password)
	if lower == strings.ToLower(username) {
		return errs.InvalidField("password", "the password must differ from the username")
	}
	if _, ok := p.common[lower]; ok {
		return errs.InvalidField("password", "the password is one of the most common ones")
	}
	return nil
}

// run works when the line has let it in. It returns RateLimited busy when too
// many wait already or its time to wait is over.
func (p *passwords) run(ctx context.Context, source netip.Prefix, known bool, work func() error) error {
	waiting, cancel := forWaiting(ctx)
	defer cancel()
	if err := p.line.enter(waiting, source, known); err != nil {
		return err
	}
	defer p.line.leave()
	return work()
}

// forWaiting keeps a quarter of the time for the work: whoever is let in at the
// last moment would be told that the database is away, which it is not.
func forWaiting(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, limited := ctx.Deadline()
	if !limited {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-time.Until(deadline)/4))
}

// hash returns the encoded Argon2id hash of a new password, exactly as typed.
func (p *passwords) hash(ctx context.Context, password string) (encoded string, err error) {
	err = p.run(ctx, netip.Prefix{}, false, func() error {
		p.onHash()
		salt := make([]byte, p.params.SaltLength)
		_, _ = rand.Read(salt) // never fails
		encoded = encode(p.params, salt, p.derive(password, salt, p.params))
		return nil
	})
	return encoded, err
}

func (p *passwords) derive(password string, salt []byte, params *argon2id.Params) []byte {
	return p.key([]byte(password), salt, params.Iterations, params.Memory, params.Parallelism, params.KeyLength)
}

// encode writes a hash as the reference implementation of Argon2 does.
func encode(params *argon2id.Params, salt, key []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, params.Memory, params.Iterations, params.Parallelism,
		b64.EncodeToString(salt), b64.EncodeToString(key))
}

// matches says whether the password belongs to the encoded hash. Call it inside
// run. A password over the limit never matches, but costs the same work.
func (p *passwords) matches(password, encoded string) (bool, error) {
	overlong := utf8.RuneCountInString(password) > maxPassword
	if overlong {
		password = ""
	}
	if hash, made := strings.CutPrefix(encoded, md5Mark); made {
		password, encoded = md5Of(password), hash
	}
	p.onHash()
	params, salt, want, err := argon2id.DecodeHash(encoded)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(p.derive(password, salt, params), want) == 1 && !overlong, nil
}

// dummy returns a hash that no password matches, to be checked where there is
// no account, so that an unknown name costs what a wrong password costs.
func (p *passwords) dummy(random io.Reader) (string, error) {
	raw := make([]byte, p.params.SaltLength+p.params.KeyLength)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", err
	}
	return encode(p.params, raw[:p.params.SaltLength], raw[p.params.SaltLength:]), nil
}
