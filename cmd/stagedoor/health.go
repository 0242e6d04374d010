package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/config"
)

// healthPatience is how long a server that is well may take to say so.
const healthPatience = 3 * time.Second

type healthCmd struct{}

// Run asks the server of these settings, on this machine, whether it is ready.
// An image without a shell has no curl; its health check is this command.
func (healthCmd) Run(e *env) error {
	ctx, cancel := context.WithTimeout(e.ctx, healthPatience)
	defer cancel()
	text, err := askReady(ctx, healthURL(e.cfg))
	switch {
	case errors.Is(err, errNotReady):
		fmt.Fprintln(e.stderr, "stagedoor: the server is not ready:", text)
		return errSaidNo
	case err != nil:
		fmt.Fprintln(e.stderr, "stagedoor: the server does not answer:", err)
		return errSaidNo
	}
	return e.print(map[string]bool{"ready": true}, "ready", nil)
}

var errNotReady = errors.New("not ready")

// maxReadyText bounds what is read of a server's reason.
const maxReadyText = 1024

// askReady returns what the server says of itself; errNotReady if it says no.
func askReady(ctx context.Context, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	resp, err := healthClient().Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxReadyText))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errNotReady
	}
	return fmt.Sprintf("%s (status %d)", strings.TrimSpace(string(text)), resp.StatusCode), err
}

// healthURL is where readiness is told: the address of operations where there
// is one, and loopback for a server that listens everywhere.
func healthURL(cfg *config.Settings) string {
	address, scheme := cfg.Listen, "http"
	if cfg.OpsListen != "" {
		address = cfg.OpsListen
	}
	if cfg.TLSCert != "" {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(address)
	if a, bad := netip.ParseAddr(host); err == nil && (host == "" || bad == nil && a.IsUnspecified()) {
		address = net.JoinHostPort("localhost", port)
	}
	return scheme + "://" + address + "/readyz"
}

// healthClient does not check whose certificate it meets: the certificate is
// for the public name, and nothing is sent or believed but the status.
func healthClient() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}}}
}
