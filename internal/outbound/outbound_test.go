package outbound

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

func TestAddressesThatLeadNowherePublicAreRefused(t *testing.T) {
	t.Parallel()
	for _, a := range []string{
		"127.0.0.1", "127.8.9.10", "::1", "0.0.0.0", "0.1.2.3", "::", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
		"169.254.169.254", "100.100.100.200", "192.0.0.192", "168.63.129.16", "198.18.0.1", "224.0.0.1", "239.1.1.1", "255.255.255.255", "240.0.0.1",
		"fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1", "100::1", "64:ff9b:1::1",
		"::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a00:1::1", "2001:0:1::1",
		"::127.0.0.1", "::a00:1", "::ffff:0:7f00:1", "4000::1", "fd12::1%eth0",
	} {
		if (Guard{}).Permits(netip.MustParseAddr(a)) {
			t.Errorf("%s is permitted", a)
		}
	}
	for _, a := range []string{"8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"} {
		if !(Guard{}).Permits(netip.MustParseAddr(a)) {
			t.Errorf("%s is refused", a)
		}
	}
}

func TestTheOperatorAllowsPrefixes(t *testing.T) {
	t.Parallel()
	g := Guard{Allow: []netip.Prefix{netip.MustParsePrefix("192.168.7.0/24"), netip.MustParsePrefix("fd00:7::/32")}}
	for a, want := range map[string]bool{"192.168.7.9": true, "::ffff:192.168.7.9": true, "192.168.8.9": false, "fd00:7::1": true, "fd00:8::1": false, "127.0.0.1": false} {
		if got := g.Permits(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s: %v", a, got)
		}
	}
}

// A C library takes all of these for an address.
func TestEveryWritingOfAnAddressIsUnderstood(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0X7F.0.0.1", "0177.0.0.1", "017700000001",
		"[::1]", "::1", "::ffff:127.0.0.1", "[::ffff:7f00:1]", "127.0.0.1.", "0", "10.1", "169.254.43518", "0251.0376.0xa9.254"} {
		if err := (Guard{}).Check(t.Context(), host); errs.KindOf(err) != errs.Invalid {
			t.Errorf("%s: %v", host, err)
		}
	}
	for _, host := range []string{"8.8.8.8", "134744072", "8.8.2056", "0x8.0x8.0x8.0x8"} {
		if err := (Guard{}).Check(t.Context(), host); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	for _, host := range []string{"1.2.3.4.5", "256.1.1.1", "1.2.3.256", "4294967296", "1_0", "+1", "0b1", "a.b", "", "1..2", "08"} {
		if a, ok := parseAddr(host); ok {
			t.Errorf("%q is read as %v", host, a)
		}
	}
}

func TestANameIsJudgedByWhereItLeads(t *testing.T) {
	t.Parallel()
	err := (Guard{}).Check(t.Context(), "localhost")
	if errs.As(err).Reason != "address_not_allowed" {
		t.Errorf("localhost: %v", err)
	}
	broken := Guard{Resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: context.DeadlineExceeded}
	}}}
	if err := broken.Check(t.Context(), "camera.example.com"); err != nil {
		t.Errorf("a name that does not resolve: %v", err)
	}
}

// What a name led to when it was checked does not matter: the address that is
// dialled does, also behind a redirect.
func TestControlSeesTheAddressThatIsDialled(t *testing.T) {
	t.Parallel()
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("secret")) }))
	defer inside.Close()
	port := inside.Listener.Addr().(*net.TCPAddr).Port
	u := &url.URL{Scheme: "http", Host: net.JoinHostPort("localhost", strconv.Itoa(port))}
	client := func(g Guard) *http.Client {
		d := &net.Dialer{Control: g.Control, Timeout: 5 * time.Second}
		return &http.Client{Transport: &http.Transport{DialContext: d.DialContext, DisableKeepAlives: true}}
	}
	if resp, err := client(Guard{}).Get(u.String()); err == nil || !strings.Contains(err.Error(), "not a public one") {
		t.Errorf("got %v, %v", resp, err)
	}
	open := Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}
	resp, err := client(open).Get(u.String())
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()

	redirects := httptest.NewServer(http.RedirectHandler("http://[::1]:"+strconv.Itoa(port)+"/", http.StatusFound))
	defer redirects.Close()
	only4 := Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	if resp, err := client(only4).Get(redirects.URL); err == nil {
		t.Errorf("a redirect led to %v", resp.Status)
	}
}

func TestControlRefusesWhatIsNoAddress(t *testing.T) {
	t.Parallel()
	for _, a := range []string{"", "localhost:80", "127.0.0.1"} {
		if (Guard{}).Control("tcp", a, nil) == nil {
			t.Errorf("%q is permitted", a)
		}
	}
}

func FuzzParseAddr(f *testing.F) {
	for _, s := range []string{"127.0.0.1", "0x7f.1", "2130706433", "[::1%lo]", "1.2.3.4.", "....", "0x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, host string) {
		a, ok := parseAddr(host)
		if ok && !a.IsValid() {
			t.Errorf("%q", host)
		}
		(Guard{}).Permits(a)
	})
}
