package config

import (
	"log/slog"
	"net/netip"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// defaults returns a Config as a command line without flags fills it.
func defaults(t *testing.T) Config {
	t.Helper()
	var c Config
	fields := reflect.ValueOf(&c).Elem()
	for i := range fields.NumField() {
		text := fields.Type().Field(i).Tag.Get("default")
		switch field := fields.Field(i); {
		case text == "":
		case field.Type() == reflect.TypeFor[time.Duration]():
			d, err := time.ParseDuration(text)
			if err != nil {
				t.Fatal(err)
			}
			field.SetInt(int64(d))
		case field.Kind() == reflect.Int:
			n, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			field.SetInt(int64(n))
		case field.Kind() == reflect.Float64:
			x, err := strconv.ParseFloat(text, 64)
			if err != nil {
				t.Fatal(err)
			}
			field.SetFloat(x)
		default:
			field.SetString(text)
		}
	}
	return c
}

func resolve(t *testing.T, change func(*Config)) Settings {
	t.Helper()
	c := defaults(t)
	if change != nil {
		change(&c)
	}
	s, err := c.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEveryFieldIsAFlagAndAVariableWithHelp(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	for field := range reflect.TypeFor[Config]().Fields() {
		tag := field.Tag
		variable := "STAGEDOOR_" + strings.ToUpper(strings.ReplaceAll(tag.Get("name"), "-", "_"))
		if !name.MatchString(tag.Get("name")) || first(tag.Get("env")) != variable || !strings.HasSuffix(tag.Get("help"), ".") {
			t.Errorf("%s: name %q, variable %q, help %q", field.Name, tag.Get("name"), tag.Get("env"), tag.Get("help"))
		}
		if field.Type == reflect.TypeFor[Secret]() && tag.Get("default") != "" {
			t.Errorf("%s: a secret with a default", field.Name)
		}
	}
}

func TestDefaultsAreValid(t *testing.T) {
	t.Parallel()
	s := resolve(t, nil)
	if s.PublicURL != "http://127.0.0.1:8080" || s.PushDomain != "127.0.0.1" || s.PullDomain != "127.0.0.1" || s.HTTPPullDomain != "127.0.0.1:8081" {
		t.Errorf("URL and domains: %q %q %q %q", s.PublicURL, s.PushDomain, s.PullDomain, s.HTTPPullDomain)
	}
	if s.OpenPolicy || s.OpenRegistration || s.LogLevel != slog.LevelInfo || len(s.TrustedProxies) != 0 {
		t.Errorf("policy %t, registration %t, level %v, proxies %v", s.OpenPolicy, s.OpenRegistration, s.LogLevel, s.TrustedProxies)
	}
	if _, offset := time.Unix(0, 0).In(s.Location).Zone(); offset != 8*3600 {
		t.Errorf("offset %d seconds", offset)
	}
	if s.URLTTL != 24*time.Hour || s.App != "live" || s.PullScheme != "http" {
		t.Errorf("TTL %v, app %q, scheme %q", s.URLTTL, s.App, s.PullScheme)
	}
}

func TestPublicURLFollowsTheListenAddress(t *testing.T) {
	t.Parallel()
	for listen, want := range map[string]string{
		"10.1.2.3:80":      "http://10.1.2.3:80",
		"live.test:8080":   "http://live.test:8080",
		"[::1]:8080":       "http://[::1]:8080",
		":8080":            "http://localhost:8080",
		"0.0.0.0:8080":     "http://localhost:8080",
		"[::]:8080":        "http://localhost:8080",
		"127.0.0.1:0":      "http://127.0.0.1:0",
		"sub.live.test.:1": "http://sub.live.test.:1",
	} {
		if got := resolve(t, func(c *Config) { c.Listen = listen }).PublicURL; got != want {
			t.Errorf("listen %s: %s, want %s", listen, got, want)
		}
	}
	withTLS := resolve(t, func(c *Config) { c.TLSCert, c.TLSKey = "a.pem", "b.pem" })
	if withTLS.PublicURL != "https://127.0.0.1:8080" {
		t.Errorf("with TLS: %s", withTLS.PublicURL)
	}
	own := resolve(t, func(c *Config) { c.PublicURL = "https://live.example.com/base/" })
	if own.PublicURL != "https://live.example.com/base" {
		t.Errorf("its own: %s", own.PublicURL)
	}
}

func TestDomainsFollowEachOther(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name               string
		listen, public     string
		push, pull, http   string
		wantPush, wantPull string
		wantHTTP           string
	}{
		{"listen host", "10.0.0.1:80", "", "", "", "", "10.0.0.1", "10.0.0.1", "10.0.0.1"},
		{"listen host beside a public URL", "10.0.0.1:80", "https://x.test", "", "", "", "10.0.0.1", "10.0.0.1", "10.0.0.1"},
		{"every interface", "0.0.0.0:80", "https://x.test:444", "", "", "", "x.test", "x.test", "x.test"},
		{"every interface, no name", ":80", "", "", "", "", "localhost", "localhost", "localhost:8081"},
		{"IPv6", "[::1]:80", "", "", "", "", "[::1]", "[::1]", "[::1]:8081"},
		{"push with port", ":80", "", "push.test:1936", "", "", "push.test:1936", "push.test:1936", "push.test"},
		{"IPv6 with port", ":80", "", "[2001:db8::1]:1935", "", "", "[2001:db8::1]:1935", "[2001:db8::1]:1935", "[2001:db8::1]"},
		{"all", ":80", "", "a.test", "b.test:1935", "c.test:8443", "a.test", "b.test:1935", "c.test:8443"},
	}
	for _, test := range tests {
		s := resolve(t, func(c *Config) {
			c.Listen, c.PublicURL = test.listen, test.public
			c.PushDomain, c.PullDomain, c.HTTPPullDomain = test.push, test.pull, test.http
		})
		if s.PushDomain != test.wantPush || s.PullDomain != test.wantPull || s.HTTPPullDomain != test.wantHTTP {
			t.Errorf("%s: %q %q %q", test.name, s.PushDomain, s.PullDomain, s.HTTPPullDomain)
		}
		if want := webScheme(test.wantHTTP); s.PullScheme != want || (want == "http") != strings.HasSuffix(test.wantHTTP, ":8081") {
			t.Errorf("%s: %s://%s", test.name, s.PullScheme, s.HTTPPullDomain)
		}
	}
}

func TestTrustedProxiesAreNetworksOrAddresses(t *testing.T) {
	t.Parallel()
	s := resolve(t, func(c *Config) {
		c.TrustedProxies = []string{"10.0.0.0/8", " 192.168.1.7 ", "", "fd00::1", "::ffff:127.0.0.1", "10.9.9.9/16"}
	})
	want := []string{"10.0.0.0/8", "192.168.1.7/32", "fd00::1/128", "127.0.0.1/32", "10.9.0.0/16"}
	var got []string
	for _, p := range s.TrustedProxies {
		got = append(got, p.String())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got %v, want %v", got, want)
	}
	if !s.TrustedProxies[1].Contains(netip.MustParseAddr("192.168.1.7")) {
		t.Error("an address is not in its own network")
	}
}

func TestTimeZoneIsAnOffset(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"+08:00": "+08:00", "-03:30": "-03:30", "Z": "Z", "UTC": "Z", "+00:00": "Z"} {
		s := resolve(t, func(c *Config) { c.TimeZone = text })
		if got := time.Unix(0, 0).In(s.Location).Format("Z07:00"); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}

func TestLogIsTextOnATerminalUnlessSaid(t *testing.T) {
	t.Parallel()
	for format, want := range map[string][2]bool{"": {true, false}, "json": {false, false}, "text": {true, true}} {
		s := resolve(t, func(c *Config) { c.LogFormat = format })
		if got := [2]bool{s.TextLog(true), s.TextLog(false)}; got != want {
			t.Errorf("%q: %v, want %v", format, got, want)
		}
	}
	if got := resolve(t, func(c *Config) { c.LogLevel = "debug" }).LogLevel; got != slog.LevelDebug {
		t.Errorf("level %v", got)
	}
}

func TestNonsenseIsRefusedByName(t *testing.T) {
	t.Parallel()
	tests := []struct {
		variable string
		change   func(*Config)
	}{
		{"LISTEN", func(c *Config) { c.Listen = "8080" }},
		{"LISTEN", func(c *Config) { c.Listen = "" }},
		{"LISTEN", func(c *Config) { c.Listen = "127.0.0.1:99999" }},
		{"LISTEN", func(c *Config) { c.Listen = "127.0.0.1:http" }},
		{"LISTEN", func(c *Config) { c.Listen = "not a host:80" }},
		{"OPS_LISTEN", func(c *Config) { c.OpsListen = "nonsense" }},
		{"OPS_LISTEN", func(c *Config) { c.OpsListen = c.Listen }},
		{"PUBLIC_URL", func(c *Config) { c.PublicURL = "live.example.com" }},
		{"PUBLIC_URL", func(c *Config) { c.PublicURL = "ftp://live.example.com" }},
		{"PUBLIC_URL", func(c *Config) { c.PublicURL = "https://live.example.com/?a=b" }},
		{"PUBLIC_URL", func(c *Config) { c.PublicURL = "https://me:pw@live.example.com/" }},
		{"DATA_DIR", func(c *Config) { c.DataDir = "" }},
		{"DATABASE_URL", func(c *Config) { c.DatabaseURL = "mysql://db/x" }},
		{"DATABASE_DIRECT_URL", func(c *Config) { c.DatabaseURL, c.DirectURL = "postgres://db/x", "mysql://db/x" }},
		{"DATABASE_DIRECT_URL", func(c *Config) { c.DirectURL = "postgres://db/x" }},
		{"MASTER_KEY", func(c *Config) { c.MasterKey = "abcd" }},
		{"MASTER_KEY", func(c *Config) { c.MasterKey = Secret(strings.Repeat("ab", 33)) }},
		{"ADMIN_USERNAME", func(c *Config) { c.AdminUsername = "" }},
		{"ADMIN_USERNAME", func(c *Config) { c.AdminUsername = " admin" }},
		{"REGISTRATION", func(c *Config) { c.Registration = "yes" }},
		{"DEFAULT_POLICY", func(c *Config) { c.DefaultPolicy = "allow" }},
		{"PULL_SCHEME", func(c *Config) { c.PullScheme = "rtmp" }},
		{"PUSH_DOMAIN", func(c *Config) { c.PushDomain = "rtmp://push.test" }},
		{"PULL_DOMAIN", func(c *Config) { c.PullDomain = "pull.test/live" }},
		{"PULL_DOMAIN", func(c *Config) { c.PullDomain = "pull.test:0" }},
		{"HTTP_PULL_DOMAIN", func(c *Config) { c.HTTPPullDomain = "[nonsense]" }},
		{"APP", func(c *Config) { c.App = "a/b" }},
		{"APP", func(c *Config) { c.App = "" }},
		{"CORS_ORIGINS", func(c *Config) { c.CORSOrigins = []string{"https://ok.test", "bad.test"} }},
		{"CORS_ORIGINS", func(c *Config) { c.CORSOrigins = []string{"https://ok.test/path"} }},
		{"TLS_CERT", func(c *Config) { c.TLSCert = "cert.pem" }},
		{"TLS_CERT", func(c *Config) { c.TLSKey = "key.pem" }},
		{"ROUTE_ALLOW", func(c *Config) { c.RouteAllow = []string{"cameras"} }},
		{"WEBHOOK_ALLOW_PRIVATE", func(c *Config) { c.WebhookAllowPrivate = []string{"inside"} }},
		{"WEBHOOK_KEEP", func(c *Config) { c.WebhookKeep = time.Hour }},
		{"WEBHOOK_TIMEOUT", func(c *Config) { c.WebhookTimeout = time.Hour }},
		{"RATE_LIMIT", func(c *Config) { c.RateLimit = -1 }},
		{"RATE_LIMIT", func(c *Config) { c.RateLimit = 1_000_001 }},
		{"ACCOUNT_RATE_LIMIT", func(c *Config) { c.AccountRateLimit = -1 }},
		{"MAX_CONNECTIONS", func(c *Config) { c.MaxConnections = -1 }},
		{"MAX_FOLLOWERS", func(c *Config) { c.MaxFollowers = 0 }},
		{"MAX_CONNECTIONS_PER_ADDRESS", func(c *Config) { c.MaxConnectionsPerAddress = -1 }},
		{"MAX_HEADER", func(c *Config) { c.MaxHeader = 100 }},
		{"MAX_BODY", func(c *Config) { c.MaxBody = 1 << 30 }},
		{"DATABASE_POOL", func(c *Config) { c.DatabasePool = -1 }},
		{"HEADER_TIMEOUT", func(c *Config) { c.HeaderTimeout = 0 }},
		{"READ_TIMEOUT", func(c *Config) { c.ReadTimeout = 0 }},
		{"WRITE_TIMEOUT", func(c *Config) { c.WriteTimeout = 2 * time.Hour }},
		{"IDLE_TIMEOUT", func(c *Config) { c.IdleTimeout = 0 }},
		{"REQUEST_TIMEOUT", func(c *Config) { c.RequestTimeout = 11 * time.Second }},
		{"DATABASE_CONNECT_TIMEOUT", func(c *Config) { c.DatabaseConnectTimeout = -1 }},
		{"DATABASE_TIMEOUT", func(c *Config) { c.DatabaseTimeout = time.Millisecond }},
		{"NODE_TIMEOUT", func(c *Config) { c.NodeTimeout = 0 }},
		{"CLOUD_TIMEOUT", func(c *Config) { c.CloudTimeout = 0 }},
		{"LOOKUP_TIMEOUT", func(c *Config) { c.LookupTimeout = 0 }},
		{"LOGIN_ATTEMPTS", func(c *Config) { c.LoginAttempts = 0 }},
		{"LOGIN_ATTEMPTS_PER_ADDRESS", func(c *Config) { c.LoginAttemptsPerAddress = 0 }},
		{"HASH_CONCURRENCY", func(c *Config) { c.HashConcurrency = -1 }},
		{"HASH_QUEUE", func(c *Config) { c.HashQueue = 0 }},
		{"TRUSTED_PROXIES", func(c *Config) { c.TrustedProxies = []string{"10.0.0.0/33"} }},
		{"LOG_LEVEL", func(c *Config) { c.LogLevel = "loud" }},
		{"LOG_FORMAT", func(c *Config) { c.LogFormat = "xml" }},
		{"TIME_ZONE", func(c *Config) { c.TimeZone = "Beijing" }},
		{"TIME_ZONE", func(c *Config) { c.TimeZone = "+15:00" }},
		{"URL_TTL", func(c *Config) { c.URLTTL = 0 }},
		{"URL_TTL", func(c *Config) { c.URLTTL = 20 * 365 * 24 * time.Hour }},
		{"TOKEN_TTL", func(c *Config) { c.TokenTTL = -time.Hour }},
		{"APP_TOKEN_TTL", func(c *Config) { c.AppTokenTTL = 0 }},
		{"RECONCILE_PERIOD", func(c *Config) { c.ReconcilePeriod = time.Millisecond }},
		{"SESSION_LEASE", func(c *Config) { c.SessionLease = time.Second }},
		{"CALLBACK_TIMEOUT", func(c *Config) { c.CallbackTimeout = 0 }},
		{"VIEWER_LIFETIME", func(c *Config) { c.ViewerLifetime = time.Second }},
		{"SESSIONS_KEEP", func(c *Config) { c.SessionsKeep = time.Minute }},
		{"EVENTS_KEEP", func(c *Config) { c.EventsKeep = time.Minute }},
		{"REFUSALS_KEEP", func(c *Config) { c.RefusalsKeep = time.Second }},
		{"SHUTDOWN_TIMEOUT", func(c *Config) { c.ShutdownTimeout = 0 }},
	}
	for _, test := range tests {
		c := defaults(t)
		test.change(&c)
		err := c.Validate()
		if err == nil {
			t.Errorf("%s: accepted", test.variable)
			continue
		}
		if text := err.Error(); !strings.HasPrefix(text, "STAGEDOOR_"+test.variable+": ") || strings.Contains(text, "\n") {
			t.Errorf("%s: %v", test.variable, err)
		}
	}
}

func TestUsualValuesAreAccepted(t *testing.T) {
	t.Parallel()
	resolve(t, func(c *Config) {
		c.OpsListen = "127.0.0.1:9090"
		c.DatabaseURL = "postgres://a:b@db/x"
		c.CORSOrigins = []string{"https://a.test", " http://b.test:3000", ""}
		c.MasterKey = Secret(strings.Repeat("ab", 32))
	})
	resolve(t, func(c *Config) {
		c.Listen, c.OpsListen = "127.0.0.1:0", "127.0.0.1:0"
		c.RateLimit = 0
		c.DatabaseURL = "host=/run/postgresql dbname=x"
		c.CORSOrigins = []string{"*"}
		c.MasterKey = "--__-__---------------------------------__8="
	})
}

func TestEveryProblemIsReportedTogetherAndNoSecretIs(t *testing.T) {
	t.Parallel()
	c := defaults(t)
	c.Listen, c.DefaultPolicy, c.TimeZone = "x", "maybe", "here"
	c.DatabaseURL, c.MasterKey, c.AdminPassword = "secret-one", "secret-two", "secret-three"
	c.TLSCert = "cert.pem"
	err := c.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, variable := range []string{"LISTEN", "DEFAULT_POLICY", "TIME_ZONE", "DATABASE_URL", "MASTER_KEY", "TLS_CERT"} {
		if !strings.Contains(err.Error(), "STAGEDOOR_"+variable+":") {
			t.Errorf("%s is not reported in: %v", variable, err)
		}
	}
	if strings.Contains(err.Error(), "secret-") {
		t.Errorf("a secret is in: %v", err)
	}
}

// first is the variable of ours; behind it may be one that others use, too.
func first(variables string) string {
	ours, _, _ := strings.Cut(variables, ",")
	return ours
}
