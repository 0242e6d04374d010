// Package errs is the one error type that crosses package borders: a kind,
// a stable reason, a message that is safe to show, and a hidden cause.
//
// The domain never speaks HTTP. Each dialect maps kinds (and, where a vendor
// wants it finer, reasons) to its own status and envelope, once, on the way out.
package errs

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what went wrong in terms that every dialect can translate.
type Kind uint8

// The kinds. A test of each dialect fails when one of them has no mapping.
const (
	Internal         Kind = iota // we failed; nothing about the cause is shown
	Invalid                      // the input breaks a documented rule
	Unauthorized                 // no credential, or a bad one
	Forbidden                    // a good credential without the right
	NotFound                     // no such thing, or not visible to the caller
	Conflict                     // the state does not allow it
	TooLarge                     // the body is over the limit
	RateLimited                  // too many attempts; see RetryAfter
	Unavailable                  // a dependency of ours does not answer
	BadGateway                   // a provider or media server answered badly
	MethodNotAllowed             // the path exists, the method does not
)

// Kinds lists every kind, for tests that check a mapping is total.
var Kinds = []Kind{Internal, Invalid, Unauthorized, Forbidden, NotFound, Conflict, TooLarge, RateLimited, Unavailable, BadGateway, MethodNotAllowed}

var kindNames = [...]string{"internal", "invalid", "unauthorized", "forbidden", "not_found", "conflict", "too_large", "rate_limited", "unavailable", "bad_gateway", "method_not_allowed"}

// String returns the kind in snake_case.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", k)
}

// Error is what domain packages return for every expected failure.
type Error struct {
	Kind       Kind
	Reason     string        // stable, snake_case, safe to show and to count
	Message    string        // one short sentence, safe to show
	Field      string        // the input field at fault, or empty
	RetryAfter time.Duration // RateLimited and Unavailable: when to try again
	cause      error
}

// New returns an error of the given kind.
func New(kind Kind, reason, message string) *Error {
	return &Error{Kind: kind, Reason: reason, Message: message}
}

// InvalidField returns an Invalid error that names the field at fault.
func InvalidField(field, message string) *Error {
	return &Error{Kind: Invalid, Reason: "invalid_" + field, Message: message, Field: field}
}

// With returns a copy that hides cause behind the safe message.
func (e *Error) With(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// Error is for logs. It includes the cause, so it must not reach a client.
func (e *Error) Error() string {
	if e.cause != nil {
		return e.Reason + ": " + e.Message + ": " + e.cause.Error()
	}
	return e.Reason + ": " + e.Message
}

// Unwrap returns the hidden cause.
func (e *Error) Unwrap() error { return e.cause }

// Is makes errors.Is compare by reason, so that sentinels survive With.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Reason == e.Reason && t.Kind == e.Kind
}

// As returns the Error inside err. Anything else becomes an Internal one that
// says nothing, with err as its cause.
func As(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Kind: Internal, Reason: "internal", Message: "internal error", cause: err}
}

// KindOf returns the kind of err, Internal for foreign errors.
func KindOf(err error) Kind { return As(err).Kind }
