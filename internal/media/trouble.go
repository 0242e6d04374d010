package media

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// Answered is the HTTP status with which a control API refuses.
type Answered int

func (a Answered) Error() string { return fmt.Sprintf("answered %d", int(a)) }

// Advice is an error whose text says what to do, and no secret.
type Advice string

func (a Advice) Error() string { return string(a) }

// Trouble says to whoever runs a media server why it cannot be asked, and what to
// look at. It repeats nothing that was sent or answered.
func Trouble(err error) string {
	var advice Advice
	var status Answered
	var slow interface{ Timeout() bool }
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var noTLS tls.RecordHeaderError
	var network *net.OpError
	switch {
	case errors.As(err, &advice):
		return advice.Error()
	case errors.As(err, &status):
		return refusal(int(status))
	case errors.As(err, &slow) && slow.Timeout():
		return "it does not answer in time: is it overloaded, or is something between us and its control URL?"
	case errors.As(err, &dns):
		return "the name in its control URL is not known"
	case errors.As(err, &certificate):
		return "its certificate is not valid for its control URL"
	case errors.As(err, &noTLS):
		return "it speaks no TLS: should its control URL be http?"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nobody listens at its control URL: is it running, and is the port right?"
	case errors.As(err, &network):
		return "no connection to its control URL: is it running, and is the way to it open?"
	}
	return "it does not answer as its control API should: are kind and control URL right? The log says more"
}

func refusal(status int) string {
	switch {
	case status == 401 || status == 403:
		return fmt.Sprintf("it refuses us (%d): are username and password those of its control API, and may our address ask?", status)
	case status == 404:
		return "there is no control API (404): is its control URL right, and is the API switched on?"
	case status >= 500:
		return fmt.Sprintf("its control API fails (%d): what does its own log say?", status)
	}
	return fmt.Sprintf("its control API answered %d: are kind and control URL right?", status)
}
