package config

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// maxRate is more than one process answers in a second.
const maxRate = 1_000_000

// maxTTL is the longest validity that the database keeps for a rule.
const maxTTL = 10 * 365 * 24 * time.Hour

var (
	appPattern    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	hostPattern   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?\.?$`)
	offsetPattern = regexp.MustCompile(`^([+-])(\d\d):(\d\d)$`)
)

// Settings are a valid Config with every default filled in, and the parsed
// form of what is more than text.
type Settings struct {
	Config
	TrustedProxies      []netip.Prefix
	RouteAllow          []netip.Prefix
	WebhookAllowPrivate []netip.Prefix
	LogLevel            slog.Level
	Location            *time.Location // of TimeZone
	OpenPolicy          bool           // DefaultPolicy is open
	OpenRegistration    bool           // Registration is open
	Cloud               Cloud
	Traces              Traces
}

// TextLog reports whether to log as text, given whether the log is a terminal.
func (s Settings) TextLog(terminal bool) bool {
	return s.LogFormat == "text" || s.LogFormat == "" && terminal
}

// Resolve checks the whole of c, returns all its problems joined, and computes
// the settings whose default depends on others. A server that lets the system
// choose its port sets Listen to the address it got and resolves again.
func (c Config) Resolve() (Settings, error) {
	s := Settings{Config: c}
	var r resolver
	r.addresses(&s)
	r.domains(&s)
	r.secrets(&s)
	r.choices(&s)
	r.network(&s)
	r.times(&s)
	r.cloud(&s)
	r.traces(&s)
	if len(r.problems) > 0 {
		return Settings{}, errors.Join(r.problems...)
	}
	return s, nil
}

// A resolver collects problems.
type resolver struct{ problems []error }

func (r *resolver) problem(variable, format string, args ...any) {
	r.problems = append(r.problems, fmt.Errorf("STAGEDOOR_"+variable+": "+format, args...))
}

func (r *resolver) addresses(s *Settings) {
	if err := checkListen(s.Listen); err != nil {
		r.problem("LISTEN", "%w", err)
	}
	if s.OpsListen != "" {
		if err := checkListen(s.OpsListen); err != nil {
			r.problem("OPS_LISTEN", "%w", err)
		} else if s.OpsListen == s.Listen && !strings.HasSuffix(s.Listen, ":0") {
			r.problem("OPS_LISTEN", "%s is the main listener's; leave it empty to share that", s.OpsListen)
		}
	}
	if (s.TLSCert == "") != (s.TLSKey == "") {
		r.problem("TLS_CERT", "is set together with STAGEDOOR_TLS_KEY or not at all")
	}
	if s.PublicURL == "" {
		s.PublicURL = defaultPublicURL(s.Listen, s.TLSCert != "")
	} else if err := checkPublicURL(s.PublicURL); err != nil {
		r.problem("PUBLIC_URL", "%w", err)
	}
	s.PublicURL = strings.TrimRight(s.PublicURL, "/")
	if s.DataDir == "" {
		r.problem("DATA_DIR", "is empty")
	}
}

// checkListen accepts port 0, with which the system chooses.
func checkListen(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is not host:port", address)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q has no port between 0 and 65535", address)
	}
	if host != "" && !isHost(host) {
		return fmt.Errorf("%q has no usable host", address)
	}
	return nil
}

func isHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return hostPattern.MatchString(host)
}

func defaultPublicURL(listen string, tls bool) string {
	scheme := "http"
	if tls {
		scheme = "https"
	}
	_, port, _ := net.SplitHostPort(listen) // checked before
	return scheme + "://" + net.JoinHostPort(cmp.Or(listenHost(listen), "localhost"), port)
}

// listenHost returns the host of a listen address, or "" where that means every
// interface and so names none.
func listenHost(listen string) string {
	host, _, _ := net.SplitHostPort(listen)
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		return ""
	}
	return host
}

func checkPublicURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "":
		return fmt.Errorf("%q is not http://host or https://host", text)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("must have no user, query or fragment")
	}
	return nil
}

// domains fills in where URLs point. A host that listens everywhere has no name
// of its own, so the one that people use stands in.
func (r *resolver) domains(s *Settings) {
	host := listenHost(s.Listen)
	if u, err := url.Parse(s.PublicURL); host == "" && err == nil {
		host = u.Hostname()
	}
	for _, domain := range []struct{ variable, value string }{ // as given, so that a mistake is reported once
		{"PUSH_DOMAIN", s.PushDomain}, {"PULL_DOMAIN", s.PullDomain}, {"HTTP_PULL_DOMAIN", s.HTTPPullDomain},
	} {
		if domain.value != "" && !isDomain(domain.value) {
			r.problem(domain.variable, "%q is not a host name or address, with or without a port", domain.value)
		}
	}
	s.PushDomain = cmp.Or(s.PushDomain, bracketed(host))
	s.PullDomain = cmp.Or(s.PullDomain, s.PushDomain)
	s.HTTPPullDomain = cmp.Or(s.HTTPPullDomain, webDomain(s.PullDomain))
	s.PullScheme = cmp.Or(s.PullScheme, webScheme(s.HTTPPullDomain))
	if !appPattern.MatchString(s.App) {
		r.problem("APP", "%q is not 1 to 64 letters, digits, dots, dashes or underscores", s.App)
	}
}

// localWebPort is where a media server of somebody who tries this out serves FLV
// and HLS: 8080, its usual port, is ours.
const localWebPort = "8081"

func webDomain(pull string) string {
	host := withoutPort(pull)
	if isLoopback(host) {
		return host + ":" + localWebPort
	}
	return host
}

func webScheme(domain string) string {
	if isLoopback(withoutPort(domain)) {
		return "http" // nobody has a certificate for that
	}
	return "https"
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.IsLoopback() || host == "localhost"
}

// bracketed writes an IPv6 address as URLs want it.
func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

func withoutPort(domain string) string {
	if host, _, err := net.SplitHostPort(domain); err == nil {
		return bracketed(host)
	}
	return domain
}

func isDomain(domain string) bool {
	if host, port, err := net.SplitHostPort(domain); err == nil {
		number, err := strconv.ParseUint(port, 10, 16)
		return err == nil && number > 0 && isHost(host)
	}
	if inner, ok := strings.CutPrefix(domain, "["); ok {
		ip, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		return err == nil && ip.Is6() && strings.HasSuffix(inner, "]")
	}
	return hostPattern.MatchString(domain)
}

func (r *resolver) secrets(s *Settings) {
	r.database("DATABASE_URL", s.DatabaseURL)
	r.database("DATABASE_DIRECT_URL", s.DirectURL)
	if s.DirectURL != "" && s.DatabaseURL == "" {
		r.problem("DATABASE_DIRECT_URL", "needs STAGEDOOR_DATABASE_URL")
	}
	if s.MasterKey != "" && !isMasterKey(s.MasterKey.Reveal()) {
		r.problem("MASTER_KEY", "is not 32 bytes in hex or base64; 'openssl rand -hex 32' makes one")
	}
	if name := s.AdminUsername; name == "" || len(name) > 64 || strings.TrimSpace(name) != name {
		r.problem("ADMIN_USERNAME", "%q is not 1 to 64 bytes without spaces around them", name)
	}
}

// database accepts what PostgreSQL's own programs do.
func (r *resolver) database(variable string, secret Secret) {
	url := secret.Reveal()
	if url != "" && !strings.Contains(url, "=") && !strings.HasPrefix(url, "postgres://") && !strings.HasPrefix(url, "postgresql://") {
		r.problem(variable, "is neither a postgres:// URL nor key=value pairs")
	}
}

// isMasterKey only looks at the shape; the seal package reads the key.
func isMasterKey(text string) bool {
	text = strings.TrimSpace(text)
	if key, err := hex.DecodeString(text); err == nil {
		return len(key) == 32
	}
	standard := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	key, err := base64.RawStdEncoding.DecodeString(standard)
	return err == nil && len(key) == 32
}

func (r *resolver) choices(s *Settings) {
	s.OpenPolicy = r.choice("DEFAULT_POLICY", s.DefaultPolicy, "deny", "open") == "open"
	s.OpenRegistration = r.choice("REGISTRATION", s.Registration, "closed", "open") == "open"
	r.choice("PULL_SCHEME", s.PullScheme, "", "http", "https")
	r.choice("LOG_FORMAT", s.LogFormat, "", "json", "text")
	if err := s.LogLevel.UnmarshalText([]byte(s.Config.LogLevel)); err != nil {
		r.problem("LOG_LEVEL", "%q is not debug, info, warn or error", s.Config.LogLevel)
	}
}

func (r *resolver) choice(variable, value string, allowed ...string) string {
	for _, a := range allowed {
		if value == a {
			return value
		}
	}
	r.problem(variable, "%q is not %s", value, strings.TrimPrefix(strings.Join(allowed, " or "), " or "))
	return ""
}

func (r *resolver) network(s *Settings) {
	if s.HashConcurrency == 0 {
		s.HashConcurrency = max(1, runtime.GOMAXPROCS(0)/2)
	}
	r.numbers(s)
	s.TrustedProxies = r.prefixes("TRUSTED_PROXIES", s.Config.TrustedProxies)
	s.RouteAllow = r.prefixes("ROUTE_ALLOW", s.Config.RouteAllow)
	s.WebhookAllowPrivate = r.prefixes("WEBHOOK_ALLOW_PRIVATE", s.Config.WebhookAllowPrivate)
	s.CORSOrigins = items(s.CORSOrigins)
	for _, origin := range s.CORSOrigins {
		if !isOrigin(origin) {
			r.problem("CORS_ORIGINS", "%q is neither * nor scheme://host[:port]", origin)
		}
	}
}

func (r *resolver) numbers(s *Settings) {
	for _, n := range []struct {
		variable           string
		value, least, most int
	}{
		{"RATE_LIMIT", s.RateLimit, 0, maxRate},
		{"ACCOUNT_RATE_LIMIT", s.AccountRateLimit, 0, maxRate},
		{"MAX_CONNECTIONS", s.MaxConnections, 0, maxRate},
		{"MAX_CONNECTIONS_PER_ADDRESS", s.MaxConnectionsPerAddress, 0, maxRate},
		{"MAX_FOLLOWERS", s.MaxFollowers, 1, maxRate},
		{"MAX_HEADER", s.MaxHeader, 4 << 10, 1 << 20},
		{"MAX_BODY", s.MaxBody, 64 << 10, 16 << 20},
		{"DATABASE_POOL", s.DatabasePool, 0, 10_000},
		{"LOGIN_ATTEMPTS", s.LoginAttempts, 1, 1000},
		{"LOGIN_ATTEMPTS_PER_ADDRESS", s.LoginAttemptsPerAddress, 1, maxRate},
		{"HASH_CONCURRENCY", s.HashConcurrency, 1, 256},
		{"HASH_QUEUE", s.HashQueue, 1, 10_000},
	} {
		if n.value < n.least || n.value > n.most {
			r.problem(n.variable, "%d is not between %d and %d", n.value, n.least, n.most)
		}
	}
}

func (r *resolver) prefixes(variable string, list []string) (out []netip.Prefix) {
	for _, text := range items(list) {
		prefix, err := ParsePrefix(text)
		if err != nil {
			r.problem(variable, "%q is not an address or a network such as 10.0.0.0/8", text)
			continue
		}
		out = append(out, prefix)
	}
	return out
}

// items returns list without the spaces and the empty items that people write
// around commas.
func items(list []string) []string {
	var kept []string
	for _, item := range list {
		if item = strings.TrimSpace(item); item != "" {
			kept = append(kept, item)
		}
	}
	return kept
}

// ParsePrefix reads a network or a single address. Both come back in the form
// that an unmapped address matches.
func ParsePrefix(text string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(text); err == nil {
		ip = ip.Unmap().WithZone("")
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	return prefix.Masked(), err
}

func isOrigin(text string) bool {
	if text == "*" {
		return true
	}
	u, err := url.Parse(text)
	return err == nil && u.Scheme != "" && u.Hostname() != "" && u.Scheme+"://"+u.Host == text
}

func (r *resolver) times(s *Settings) {
	for _, d := range []struct {
		variable string
		value    time.Duration
		least    time.Duration
		most     time.Duration // zero: maxTTL
	}{
		{"URL_TTL", s.URLTTL, time.Second, 0}, // signatures count in seconds
		{"HLS_SESSION_IDLE", s.HLSSessionIdle, time.Second, 0},
		{"TOKEN_TTL", s.TokenTTL, time.Second, 0},
		{"APP_TOKEN_TTL", s.AppTokenTTL, time.Second, 0},
		{"RECONCILE_PERIOD", s.ReconcilePeriod, time.Second, 0},
		{"SESSION_LEASE", s.SessionLease, time.Minute, 0},
		{"CALLBACK_TIMEOUT", s.CallbackTimeout, time.Millisecond, 0},
		{"VIEWER_LIFETIME", s.ViewerLifetime, 10 * time.Second, 0},
		{"SESSIONS_KEEP", s.SessionsKeep, time.Hour, 0},
		{"EVENTS_KEEP", s.EventsKeep, time.Hour, 0},
		{"REFUSALS_KEEP", s.RefusalsKeep, time.Minute, 0},
		{"WEBHOOK_KEEP", s.WebhookKeep, 120 * time.Hour, 0}, // longer than there are attempts
		{"WEBHOOK_TIMEOUT", s.WebhookTimeout, 100 * time.Millisecond, time.Minute},
		{"SHUTDOWN_TIMEOUT", s.ShutdownTimeout, time.Millisecond, 0},
		{"HEADER_TIMEOUT", s.HeaderTimeout, time.Millisecond, time.Hour},
		{"READ_TIMEOUT", s.ReadTimeout, time.Millisecond, time.Hour},
		{"WRITE_TIMEOUT", s.WriteTimeout, time.Millisecond, time.Hour},
		{"IDLE_TIMEOUT", s.IdleTimeout, time.Millisecond, time.Hour},
		{"REQUEST_TIMEOUT", s.RequestTimeout, time.Millisecond, 10 * time.Second},
		{"DATABASE_CONNECT_TIMEOUT", s.DatabaseConnectTimeout, 0, time.Minute},
		{"DATABASE_TIMEOUT", s.DatabaseTimeout, 0, time.Hour},
		{"NODE_TIMEOUT", s.NodeTimeout, time.Millisecond, time.Minute},
		{"CLOUD_TIMEOUT", s.CloudTimeout, time.Millisecond, time.Minute},
		{"LOOKUP_TIMEOUT", s.LookupTimeout, time.Millisecond, time.Minute},
	} {
		if most := cmp.Or(d.most, maxTTL); d.value < d.least || d.value > most {
			r.problem(d.variable, "%v is not between %v and %v", d.value, d.least, most)
		}
	}
	if s.DatabaseTimeout > 0 && s.DatabaseTimeout < time.Second {
		r.problem("DATABASE_TIMEOUT", "%v is less than 1s, and not 0 for no limit", s.DatabaseTimeout)
	}
	location, err := parseOffset(s.TimeZone)
	if err != nil {
		r.problem("TIME_ZONE", "%w", err)
	}
	s.Location = location
}

func parseOffset(text string) (*time.Location, error) {
	if text == "Z" || text == "UTC" {
		return time.UTC, nil
	}
	match := offsetPattern.FindStringSubmatch(text)
	if match == nil {
		return nil, fmt.Errorf("%q is not an offset such as +08:00", text)
	}
	hours, _ := strconv.Atoi(match[2]) // two digits
	minutes, _ := strconv.Atoi(match[3])
	if hours > 14 || minutes > 59 {
		return nil, fmt.Errorf("%q is further from UTC than any place", text)
	}
	seconds := (hours*60 + minutes) * 60
	if match[1] == "-" {
		seconds = -seconds
	}
	return time.FixedZone(text, seconds), nil
}
