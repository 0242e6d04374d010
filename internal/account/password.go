package account

import (
	"context"
	_ "embed"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"
	"golang.org/x/sync/semaphore"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

const (
	minPassword = 8   // characters
	maxPassword = 256 // characters

	// queuePerSlot bounds how many callers wait for each hash that may run. At
	// some 25 ms a hash the last one waits under a second; more would only pile
	// up requests whose clients have given up.
	queuePerSlot = 32
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
	slots  *semaphore.Weighted
	limit  int64        // running and waiting together
	inside atomic.Int64 // running and waiting now
	onHash func()       // called before each hash: the tests compare work by it
}

func newPasswords(params *argon2id.Params, concurrency int) *passwords {
	if params == nil {
		// OWASP ASVS 5.0, appendix C: two passes need 19456 KiB or more.
		params = &argon2id.Params{Memory: 19456, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}
	}
	if concurrency <= 0 {
		concurrency = defaultHashConcurrency
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
		slots:  semaphore.NewWeighted(int64(concurrency)),
		limit:  int64(concurrency) * (1 + queuePerSlot),
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

// run waits for a slot until ctx ends, and works in it. It returns RateLimited
// busy when too many wait already or ctx ends first.
func (p *passwords) run(ctx context.Context, work func() error) error {
	defer p.inside.Add(-1)
	if p.inside.Add(1) > p.limit {
		return errBusy
	}
	if err := p.slots.Acquire(ctx, 1); err != nil {
		return errBusy.With(err)
	}
	defer p.slots.Release(1)
	return work()
}

// hash returns the encoded Argon2id hash of a new password, exactly as typed.
func (p *passwords) hash(ctx context.Context, password string) (encoded string, err error) {
	err = p.run(ctx, func() (err error) {
		p.onHash()
		encoded, err = argon2id.CreateHash(password, p.params)
		return err
	})
	return encoded, err
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
	ok, err := argon2id.ComparePasswordAndHash(password, encoded)
	return ok && !overlong, err
}

// dummy returns a hash that no password matches, to be checked where there is
// no account, so that an unknown name costs what a wrong password costs.
func (p *passwords) dummy(random io.Reader) (string, error) {
	raw := make([]byte, p.params.SaltLength+p.params.KeyLength)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", err
	}
	salt, key := raw[:p.params.SaltLength], raw[p.params.SaltLength:]
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s",
		p.params.Memory, p.params.Iterations, p.params.Parallelism, b64.EncodeToString(salt), b64.EncodeToString(key)), nil
}
