package nms

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/hook"
)

// The server takes ten logins a minute of one address, and after five failures
// in a row none for a quarter of an hour. One failure is therefore enough for a
// while, and everybody who comes meanwhile is told of it without asking.
const (
	afterFailure = 4 * time.Minute
	afterFull    = time.Minute
	maxLogins    = 1024 // nodes that are remembered; beyond, all are forgotten
)

// logins keeps the tokens of the nodes.
type logins struct {
	mu sync.Mutex
	of map[credentials]*login
}

// credentials are what a token stands for: those that have changed are tried
// at once.
type credentials struct{ url, username, password string }

// login is the token of one node, or why there is none. Whoever needs it while
// it is being asked for waits for the lock.
type login struct {
	mu    sync.Mutex
	token string
	err   error
	until time.Time // when err may be tried again
}

func (l *logins) get(n media.Node) *login {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := credentials{n.ControlURL, n.Username, n.Password}
	if one := l.of[key]; one != nil {
		return one
	}
	if l.of == nil || len(l.of) >= maxLogins {
		l.of = map[credentials]*login{}
	}
	one := &login{}
	l.of[key] = one
	return one
}

// token returns the token of a node, and logs in where there is none. A token
// that was refused is replaced, unless somebody has done that already.
func (c *Client) token(ctx context.Context, n media.Node, refused string) (string, error) {
	one := c.logins.get(n)
	one.mu.Lock()
	defer one.mu.Unlock()
	if one.token != "" && one.token != refused {
		return one.token, nil
	}
	if time.Now().Before(one.until) {
		return "", one.err
	}
	token, pause, err := c.logIn(ctx, n)
	one.token, one.err, one.until = token, err, time.Now().Add(pause)
	return token, err
}

var (
	errLogin  error = media.Advice("the login at the API is refused: username and password of the node must be those of one of its auth.jwt.users")
	errLogins error = media.Advice("too many logins at the API; it takes none for a while")
	errNoAPI  error = media.Advice("there is no API: auth.jwt must be configured")
)

// logIn asks for a token. It also returns how long not to ask again after a
// failure. Version 4.2 wants proof of the password instead of the password, and
// answers the login with a challenge.
func (c *Client) logIn(ctx context.Context, n media.Node) (token string, pause time.Duration, err error) {
	if n.Username == "" || n.Password == "" {
		return "", 0, errLogin
	}
	reply, pause, err := c.askLogin(ctx, n, map[string]string{"username": n.Username, "password": n.Password})
	if err != nil || reply.Token != "" {
		return reply.Token, pause, err
	}
	if reply.Challenge == "" {
		return "", afterFailure, errors.New("login answered neither token nor challenge")
	}
	proof := hmac.New(sha256.New, []byte(n.Password))
	proof.Write([]byte(reply.Challenge))
	reply, pause, err = c.askLogin(ctx, n, map[string]string{"username": n.Username, "challenge": reply.Challenge,
		"response": hex.EncodeToString(proof.Sum(nil))})
	if err == nil && reply.Token == "" {
		return "", afterFailure, errors.New("login answered without a token")
	}
	return reply.Token, pause, err
}

type loginReply struct {
	Token     string `json:"token"`
	Challenge string `json:"challenge"`
}

func (c *Client) askLogin(ctx context.Context, n media.Node, ask map[string]string) (loginReply, time.Duration, error) {
	body, _ := json.Marshal(ask) // cannot fail
	req, err := c.request(ctx, http.MethodPost, n, "/login", bytes.NewReader(body))
	if err != nil {
		return loginReply{}, 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, text, err := hook.Ask(c.HTTP, req, maxReply)
	if err != nil {
		return loginReply{}, 0, err
	}
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized, http.StatusBadRequest:
		return loginReply{}, afterFailure, errLogin
	case http.StatusTooManyRequests:
		return loginReply{}, retryAfter(resp), errLogins
	case http.StatusNotFound:
		return loginReply{}, 0, errNoAPI
	default:
		return loginReply{}, 0, fmt.Errorf("login: %w", media.Answered(resp.StatusCode))
	}
	var reply envelope[loginReply]
	if err := json.Unmarshal(text, &reply); err != nil {
		return loginReply{}, afterFailure, fmt.Errorf("read login: %w", err)
	}
	return reply.Data, 0, nil
}

// retryAfter is how long the limit lasts, as far as we are told.
func retryAfter(resp *http.Response) time.Duration {
	for _, header := range []string{"Retry-After", "RateLimit-Reset"} {
		if seconds, err := strconv.Atoi(resp.Header.Get(header)); err == nil && seconds > 0 {
			return min(time.Duration(seconds)*time.Second, afterFailure)
		}
	}
	return afterFull
}
