// Package outbound keeps connections whose target others choose away from
// where they have no business: this machine, private networks and the metadata
// services of clouds, unless the operator allows an address.
//
// A name can change between the moment that it is checked and the moment that
// it is dialled, so Check is for telling a user early and Control, which sees
// the address that is really dialled, is what protects.
package outbound

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

// Guard says which addresses may be dialled.
type Guard struct {
	// Allow lists prefixes that may be dialled although they are not public.
	Allow []netip.Prefix
	// Timeout bounds what a name server may cost a request; 0: two seconds.
	Timeout time.Duration
	// Resolver looks names up for Check; nil is the system's.
	Resolver *net.Resolver
	// Lookup takes the place of Resolver where it is set.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
}

// lookupTimeout is the usual Timeout.
const lookupTimeout = 2 * time.Second

var errForbidden = errs.New(errs.Invalid, "address_not_allowed", "the address is not a public one, and the operator has not allowed it")

// special are the ranges that lead nowhere public, beside those that netip
// knows. The address of a translation or tunnel is judged by the one inside.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),        // this network
	netip.MustParsePrefix("100.64.0.0/10"),    // behind a carrier's translation; Alibaba Cloud's metadata
	netip.MustParsePrefix("192.0.0.0/24"),     // protocol assignments; Oracle Cloud's metadata
	netip.MustParsePrefix("192.88.99.0/24"),   // relays of 6to4
	netip.MustParsePrefix("198.18.0.0/15"),    // benchmarks
	netip.MustParsePrefix("240.0.0.0/4"),      // reserved, broadcast included
	netip.MustParsePrefix("168.63.129.16/32"), // Azure's host
}

// public6 is all of IPv6 that leads anywhere public. What is outside are local
// ranges, old and new, and IPv4 addresses in ways of writing that are long
// given up but that some system may still follow.
var public6 = netip.MustParsePrefix("2000::/3")

// Permits reports whether an address may be dialled.
func (g Guard) Permits(a netip.Addr) bool {
	if g.Allows(a) {
		return true
	}
	a = inner(a).WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.Is6() && !public6.Contains(a) {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// Allows reports whether the operator allows an address by name, public or not.
func (g Guard) Allows(a netip.Addr) bool {
	a = inner(a).WithZone("")
	for _, p := range g.Allow {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

var (
	nat64   = netip.MustParsePrefix("64:ff9b::/96")
	sixTo4  = netip.MustParsePrefix("2002::/16")
	teredo  = netip.MustParsePrefix("2001::/32")
	nowhere = netip.IPv4Unspecified()
)

// inner returns the IPv4 address that an IPv6 one stands for, or the address.
func inner(a netip.Addr) netip.Addr {
	if a = a.Unmap(); a.Is4() {
		return a
	}
	b := a.As16()
	switch {
	case nat64.Contains(a):
		return netip.AddrFrom4([4]byte(b[12:]))
	case sixTo4.Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6]))
	case teredo.Contains(a): // leads wherever its server likes
		return nowhere
	}
	return a
}

// Control is for net.Dialer.Control: it sees the address after every look-up
// and redirect, just before it is connected to.
func (g Guard) Control(_, address string, _ syscall.RawConn) error {
	return control(address, g.Permits)
}

// ControlAllowed is Control for what must not leave the networks that the operator
// allows, such as words in the clear.
func (g Guard) ControlAllowed(_, address string, _ syscall.RawConn) error {
	return control(address, g.Allows)
}

func control(address string, permits func(netip.Addr) bool) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("dial %q: %w", address, err)
	}
	if !permits(ap.Addr()) {
		return errForbidden
	}
	return nil
}

// Check refuses a host, a name or an address without port, that leads where it
// must not: a name does if one of its addresses does. A name that does not
// resolve now is let through, since what protects is Control. Error: Invalid
// address_not_allowed.
func (g Guard) Check(ctx context.Context, host string) error {
	addrs, err := g.addresses(ctx, host)
	if err != nil {
		return err
	}
	for _, a := range addrs {
		if !g.Permits(a) {
			return errForbidden
		}
	}
	return nil
}

var errUnknownHost = errs.New(errs.Invalid, "host_unknown", "the name of the host is not known")

// Resolve returns where a host leads, for a connection that somebody else is
// going to make: told an address, they need not look the name up again, when it
// may lead elsewhere. It refuses what Check refuses, and a name that does not
// resolve. Errors: Invalid address_not_allowed, Invalid host_unknown.
func (g Guard) Resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	addrs, err := g.addresses(ctx, host)
	if err != nil {
		return nil, err
	}
	if len(addrs) == 0 {
		return nil, errUnknownHost
	}
	for i, a := range addrs {
		if !g.Permits(a) {
			return nil, errForbidden
		}
		addrs[i] = a.Unmap()
	}
	return addrs, nil
}

func (g Guard) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, ok := parseAddr(host); ok {
		return []netip.Addr{a}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(g.Timeout, lookupTimeout))
	defer cancel()
	r := g.Resolver
	if r == nil {
		r = net.DefaultResolver
	}
	lookup := g.Lookup
	if lookup == nil {
		lookup = func(ctx context.Context, host string) ([]netip.Addr, error) { return r.LookupNetIP(ctx, "ip", host) }
	}
	addrs, err := lookup(ctx, host)
	if dns := (*net.DNSError)(nil); errors.As(err, &dns) {
		return nil, nil
	}
	return addrs, err
}

// parseAddr reads an address in all the ways in which a program may read it:
// besides the usual ones the C library knows numbers of one to four parts, each
// decimal, octal or hexadecimal, such as 2130706433 and 0x7f.1.
func parseAddr(host string) (netip.Addr, bool) {
	host = strings.TrimSuffix(strings.Trim(host, "[]"), ".")
	if a, err := netip.ParseAddr(host); err == nil {
		return a, true
	}
	parts := strings.Split(host, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var n uint64
	for i, part := range parts {
		last := i == len(parts)-1
		bits := 8
		if last {
			bits = 8 * (5 - len(parts))
		}
		v, err := strconv.ParseUint(cNumber(part), 0, bits)
		if err != nil {
			return netip.Addr{}, false
		}
		n = n<<bits | v
	}
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}), true
}

// cNumber writes an octal number of C's as one of Go's, and takes the signs and
// separators away that only Go knows.
func cNumber(part string) string {
	if strings.ContainsAny(part, "_+-oObB") && !strings.HasPrefix(strings.ToLower(part), "0x") {
		return "x"
	}
	return part
}
