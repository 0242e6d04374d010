package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pair is a certificate and its key in files.
type pair struct{ cert, key string }

func newPair(t *testing.T) pair {
	t.Helper()
	dir := t.TempDir()
	return pair{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
}

// write makes a certificate with a serial number, dated so that every number
// has another time of change.
func (p pair) write(t *testing.T, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now().Add(-time.Hour)
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: begin, NotAfter: begin.Add(24 * time.Hour),
		IPAddresses: nil, DNSNames: []string{"localhost"}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	p.put(t, serial, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
}

func (p pair) put(t *testing.T, serial int64, cert, key []byte) {
	t.Helper()
	changed := time.Now().Add(time.Duration(serial) * time.Minute)
	for path, text := range map[string][]byte{p.key: key, p.cert: cert} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, changed, changed); err != nil {
			t.Fatal(err)
		}
	}
}

// served returns the serial number of the certificate that a client is shown.
func served(t *testing.T, address string) int64 {
	t.Helper()
	if _, err := netip.ParseAddrPort(address); err != nil {
		t.Fatal(err)
	}
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true}) // any certificate is shown
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func TestARenewedCertificateIsServedWithoutRestart(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.write(t, 1)
	s := install(t).serve(t, "--tls-cert", p.cert, "--tls-key", p.key)
	address := strings.TrimPrefix(s.url, "http://")
	if !strings.Contains(s.stdout.String(), "Stagedoor is at https://"+address+"\n") {
		t.Errorf("printed:\n%s", s.stdout)
	}
	if got := served(t, address); got != 1 {
		t.Errorf("certificate %d, want 1", got)
	}
	p.write(t, 2)
	if got := served(t, address); got != 2 {
		t.Errorf("certificate %d, want 2", got)
	}
	p.put(t, 3, []byte("half a file"), nil)
	if got := served(t, address); got != 2 {
		t.Errorf("certificate %d while the file is being written, want 2", got)
	}
	p.write(t, 4)
	if got := served(t, address); got != 4 {
		t.Errorf("certificate %d, want 4", got)
	}
}

func TestACertificateThatCannotBeReadStopsTheStart(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.put(t, 1, []byte("no certificate"), []byte("no key"))
	got := install(t).command(t, "", "serve", "--listen", "127.0.0.1:0", "--tls-cert", p.cert, "--tls-key", p.key)
	if got.code != exitFailed || !strings.Contains(got.stderr, "TLS certificate") {
		t.Errorf("code %d\n%s", got.code, got.stderr)
	}
}
