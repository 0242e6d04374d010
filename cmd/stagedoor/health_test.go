package main

import (
	"net/netip"
	"strings"
	"testing"
)

func TestHealthAsksTheServerOfTheSettings(t *testing.T) {
	t.Parallel()
	s := install(t).serve(t, "--ops-listen", "127.0.0.1:0")
	main, ops := strings.TrimPrefix(s.url, "http://"), strings.TrimPrefix(s.ops, "http://")
	_, port, _ := strings.Cut(ops, ":")
	for name, flags := range map[string][]string{
		"the address of operations": {"--listen", main, "--ops-listen", ops},
		"every address":             {"--listen", "0.0.0.0:" + port},
		"no address":                {"--listen", ":" + port},
	} {
		if got := command(t, "", append([]string{"health", "--json"}, flags...)...); got.code != exitOK || !strings.Contains(got.stdout, `"ready": true`) {
			t.Errorf("%s: code %d\n%s%s", name, got.code, got.stdout, got.stderr)
		}
	}
	// The main listener does not tell when another does.
	if got := command(t, "", "health", "--listen", main); got.code != exitFailed || !strings.Contains(got.stderr, "404") {
		t.Errorf("code %d\n%s", got.code, got.stderr)
	}
}

func TestHealthOfAServerWithCertificate(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.write(t, 1)
	s := install(t).serve(t, "--tls-cert", p.cert, "--tls-key", p.key)
	got := command(t, "", "health", "--listen", strings.TrimPrefix(s.url, "http://"), "--tls-cert", p.cert, "--tls-key", p.key)
	if got.code != exitOK {
		t.Errorf("code %d\n%s", got.code, got.stderr)
	}
}

func TestHealthOfNobody(t *testing.T) {
	t.Parallel()
	nobody := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), 1).String()
	if got := command(t, "", "health", "--listen", nobody); got.code != exitFailed || !strings.Contains(got.stderr, "does not answer") {
		t.Errorf("code %d\n%s", got.code, got.stderr)
	}
}
