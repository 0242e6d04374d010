package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/config"
	"github.com/stagedoor-live/stagedoor/internal/errs"
)

// healthPatience is how long a server that is well may take to say so.
const healthPatience = 3 * time.Second

type healthCmd struct{}

// Run asks the server of these settings, on this machine, whether it is ready.
// An image without a shell has no curl; its health check is this command.
func (healthCmd) Run(e *env) error {
	ctx, cancel := context.WithTimeout(e.ctx, healthPatience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, healthURL(e.cfg), nil)
	if err != nil {
		return err
	}
	resp, err := healthClient().Do(req)
	if err != nil {
		return errs.New(errs.Unavailable, "unreachable", "the server does not answer").With(err)
	}
	_ = resp.Body.Close() // the status says all
	if resp.StatusCode != http.StatusOK {
		return errs.New(errs.Unavailable, "not_ready", fmt.Sprintf("the server is not ready: status %d", resp.StatusCode))
	}
	return e.print(map[string]bool{"ready": true}, "ready", nil)
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
