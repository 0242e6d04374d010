// Package bearer authenticates access tokens for the dialects that use them.
package bearer

import (
	"context"
	"net/http"
	"strings"

	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

type authenticator interface {
	Authenticate(ctx context.Context, token string) (account.Principal, error)
}

type principalKey struct{}

// caller is who is calling, and by which token.
type caller struct {
	account.Principal
	token string
}

// Principal returns who is calling. Only operations that the spec leaves open
// have none.
func Principal(ctx context.Context) account.Principal {
	c, _ := ctx.Value(principalKey{}).(caller)
	return c.Principal
}

// errMissing is a request without a bearer token at all, which dialects word
// differently from a bad one.
var errMissing = errs.New(errs.Unauthorized, "not_authenticated", "Not authenticated")

// Middleware authenticates every operation that the spec secures. The
// generated code leaves the operation's scopes in the context under scopesKey;
// without them the operation is open and the header is not even looked at.
func Middleware(a authenticator, scopesKey any, fail httpx.ErrorWriter) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Context().Value(scopesKey) == nil {
				next.ServeHTTP(w, r)
				return
			}
			c, err := authenticate(a, r)
			if err == nil {
				httpx.SetPrincipal(r.Context(), c.Username)
				err = httpx.ChargeAccount(r.Context(), w.Header(), c.Username)
			}
			if err != nil {
				fail(w, r, err)
				return
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), principalKey{}, c)))
		})
	}
}

func authenticate(a authenticator, r *http.Request) (c caller, err error) {
	if c.token, err = tokenOf(r); err != nil {
		return caller{}, err
	}
	c.Principal, err = a.Authenticate(r.Context(), c.token)
	return c, err
}

func tokenOf(r *http.Request) (string, error) {
	scheme, token, found := strings.Cut(r.Header.Get("Authorization"), " ")
	if !found || token == "" || !strings.EqualFold(scheme, "bearer") {
		return "", errMissing
	}
	return token, nil
}

type tokenKey struct{}

// Token returns the token that the caller proved to be somebody with, or that of
// an operation that Unchecked let through.
func Token(ctx context.Context) string {
	if token, ok := ctx.Value(tokenKey{}).(string); ok {
		return token
	}
	c, _ := ctx.Value(principalKey{}).(caller)
	return c.token
}

// Unchecked hands the token on to operations that have its own rules for it, as
// the spec's security scheme under scopesKey says. One must be there.
func Unchecked(scopesKey any, fail httpx.ErrorWriter) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Context().Value(scopesKey) == nil {
				next.ServeHTTP(w, r)
				return
			}
			token, err := tokenOf(r)
			if err != nil {
				fail(w, r, err)
				return
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tokenKey{}, token)))
		})
	}
}

// ParamErrors answers a parameter that does not parse. The generated code
// parses parameters before any middleware runs, but a caller who is nobody is
// told that first.
func ParamErrors(a authenticator, scopesKey any, fail httpx.ErrorWriter) httpx.ErrorWriter {
	return func(w http.ResponseWriter, r *http.Request, err error) {
		if r.Context().Value(scopesKey) != nil {
			if _, authErr := authenticate(a, r); authErr != nil {
				err = authErr
			}
		}
		fail(w, r, err)
	}
}
