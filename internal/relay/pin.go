package relay

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// pin resolves the host of a source and returns the source as a media server is
// told it, with the address that was chosen. Old is the address of before; it
// stays as long as the name leads there.
//
// A media server looks a name up when it connects, and again whenever it
// reconnects, by when the name may lead into a private network. So it is told
// the address that was checked:
//
//   - rtsp and srt need no name at all;
//   - rtmp names the virtual host in the URL of the server; the name goes along
//     as the parameter vhost, which servers that have virtual hosts understand.
//
// With http, https, rtsps and rtmps the name belongs to the request or to the
// certificate and has to stay. It is checked before the server is told and once a
// minute from then on, and the pull is ended when it leads elsewhere; between two
// checks only the network of the media server protects.
//
// Errors: Invalid address_not_allowed, Invalid host_unknown.
func (s *Service) pin(ctx context.Context, remote string, old netip.Addr) (source string, chosen netip.Addr, err error) {
	u, err := url.Parse(remote)
	if err != nil {
		return "", netip.Addr{}, errBadSource // without the cause, which repeats the URL
	}
	addrs, err := s.Guard.Resolve(ctx, u.Hostname())
	if err != nil {
		return "", netip.Addr{}, err
	}
	if slices.Contains(addrs, old) {
		chosen = old
	} else {
		chosen = slices.MinFunc(addrs, preferred)
	}
	return pinned(u, chosen), chosen, nil
}

// preferred puts IPv4 first: media servers often have no IPv6.
func preferred(a, b netip.Addr) int {
	return cmp.Or(cmp.Compare(a.BitLen(), b.BitLen()), a.Compare(b))
}

func pinned(u *url.URL, a netip.Addr) string {
	name := u.Hostname()
	if u.Scheme != "rtsp" && u.Scheme != "srt" && u.Scheme != "rtmp" {
		return u.String()
	}
	out := *u
	if port := u.Port(); port != "" {
		out.Host = net.JoinHostPort(a.String(), port)
	} else if out.Host = a.String(); a.Is6() {
		out.Host = "[" + a.String() + "]"
	}
	if _, err := netip.ParseAddr(name); u.Scheme == "rtmp" && err != nil && !u.Query().Has("vhost") {
		out.RawQuery = strings.TrimPrefix(u.RawQuery+"&vhost="+url.QueryEscape(name), "&")
	}
	return out.String()
}
