// Package config holds every setting of the program: one struct, read once
// from flags and environment, checked as a whole.
package config

import (
	"time"
)

// Config is the settings as they are written. The tags are kong's, so that a
// command line embeds the struct; the order is that of --help. Resolve turns
// it into what the program uses.
type Config struct {
	Listen      string `name:"listen" env:"STAGEDOOR_LISTEN" default:"127.0.0.1:8080" group:"Addresses and storage" help:"Address of the API, the callbacks and the console."`
	OpsListen   string `name:"ops-listen" env:"STAGEDOOR_OPS_LISTEN" placeholder:"HOST:PORT" group:"Addresses and storage" help:"Address of metrics, health and pprof. Empty: on the main listener."`
	PublicURL   string `name:"public-url" env:"STAGEDOOR_PUBLIC_URL" placeholder:"URL" group:"Addresses and storage" help:"Base of the links we hand out. Empty: from the listen address."`
	DatabaseURL Secret `name:"database-url" env:"STAGEDOOR_DATABASE_URL" placeholder:"URL" group:"Addresses and storage" help:"PostgreSQL 14 or later. Empty: a private server in the data directory."`
	DirectURL   Secret `name:"database-direct-url" env:"STAGEDOOR_DATABASE_DIRECT_URL" placeholder:"URL" group:"Addresses and storage" help:"Way to the same database past a pooler in transaction mode (PgBouncer), for migrations, news of changes and leadership. Empty: the database URL."`
	DataDir     string `name:"data-dir" env:"STAGEDOOR_DATA_DIR" default:"./data" group:"Addresses and storage" help:"Directory of the private database and of generated secrets."`
	ConsoleDir  string `name:"console-dir" env:"STAGEDOOR_CONSOLE_DIR" placeholder:"DIR" group:"Addresses and storage" help:"Directory to serve the console from, read anew for every request, for those who work on it. Empty: the one that the program carries."`
	MasterKey   Secret `name:"master-key" env:"STAGEDOOR_MASTER_KEY" placeholder:"KEY" group:"Addresses and storage" help:"32 bytes in hex or base64 that encrypt stored keys and passwords. Empty: generated into the data directory."`

	AdminUsername string        `name:"admin-username" env:"STAGEDOOR_ADMIN_USERNAME" default:"admin" group:"Accounts" help:"First administrator, created when there is none."`
	AdminPassword Secret        `name:"admin-password" env:"STAGEDOOR_ADMIN_PASSWORD" placeholder:"PASSWORD" group:"Accounts" help:"Password of the first administrator. Empty: random, printed once."`
	Registration  string        `name:"registration" env:"STAGEDOOR_REGISTRATION" default:"closed" group:"Accounts" help:"closed, or open: anyone may create an account with permission level 0."`
	TokenTTL      time.Duration `name:"token-ttl" env:"STAGEDOOR_TOKEN_TTL" default:"24h" group:"Accounts" help:"How long an access token of the live_auth login is valid."`
	AppTokenTTL   time.Duration `name:"app-token-ttl" env:"STAGEDOOR_APP_TOKEN_TTL" default:"168h" group:"Accounts" help:"How long an access token of the AppServer login is valid."`

	PushDomain     string        `name:"push-domain" env:"STAGEDOOR_PUSH_DOMAIN" placeholder:"HOST[:PORT]" group:"URLs" help:"Where push URLs point. Empty: the listen host."`
	PullDomain     string        `name:"pull-domain" env:"STAGEDOOR_PULL_DOMAIN" placeholder:"HOST[:PORT]" group:"URLs" help:"Where RTMP pull URLs point. Empty: the push domain."`
	HTTPPullDomain string        `name:"http-pull-domain" env:"STAGEDOOR_HTTP_PULL_DOMAIN" placeholder:"HOST[:PORT]" group:"URLs" help:"Where FLV and HLS URLs point. Empty: the pull domain without its port, on a loopback address with port 8081."`
	PullScheme     string        `name:"pull-scheme" env:"STAGEDOOR_PULL_SCHEME" placeholder:"SCHEME" group:"URLs" help:"Scheme of FLV and HLS URLs, http or https. Empty: https, on a loopback address http."`
	RTSURLs        bool          `name:"rts-urls" env:"STAGEDOOR_RTS_URLS" group:"URLs" help:"Also hand out ultra-low-latency (artc) URLs. Encoders prefer them, so only for servers that take them."`
	App            string        `name:"app" env:"STAGEDOOR_APP" default:"live" group:"URLs" help:"Application in the URLs of rooms."`
	URLTTL         time.Duration `name:"url-ttl" env:"STAGEDOOR_URL_TTL" default:"24h" group:"URLs" help:"How long push and pull URLs that we hand out are valid."`
	HLSSessionIdle time.Duration `name:"hls-session-idle" env:"STAGEDOOR_HLS_SESSION_IDLE" default:"10m" group:"URLs" help:"How long a player behind an edge may pause before its HLS session ends."`
	TimeZone       string        `name:"time-zone" env:"STAGEDOOR_TIME_ZONE" default:"+08:00" group:"URLs" help:"Offset from UTC of the times in AppServer answers."`

	DefaultPolicy   string        `name:"default-policy" env:"STAGEDOOR_DEFAULT_POLICY" default:"deny" group:"Decisions and sessions" help:"What happens to a publish or play without a rule or credential: deny or open."`
	ReconcilePeriod time.Duration `name:"reconcile-period" env:"STAGEDOOR_RECONCILE_PERIOD" default:"10s" group:"Decisions and sessions" help:"How often each node is asked for its connections, to which the sessions on record are then made to agree."`
	SessionLease    time.Duration `name:"session-lease" env:"STAGEDOOR_SESSION_LEASE" default:"24h" group:"Decisions and sessions" help:"How long a session stays on record of which its node cannot tell: one that has no control URL, or does not answer."`
	ViewerLifetime  time.Duration `name:"viewer-lifetime" env:"STAGEDOOR_VIEWER_LIFETIME" default:"10m" group:"Decisions and sessions" help:"How long a player may stay without asking again, on media servers that cannot cut one off (OvenMediaEngine)."`
	SessionsKeep    time.Duration `name:"sessions-keep" env:"STAGEDOOR_SESSIONS_KEEP" default:"720h" group:"Decisions and sessions" help:"How long sessions that have ended stay on record. They go a day at a time."`
	EventsKeep      time.Duration `name:"events-keep" env:"STAGEDOOR_EVENTS_KEEP" default:"720h" group:"Decisions and sessions" help:"How long events can be listed and followed again. They go a day at a time."`
	RefusalsKeep    time.Duration `name:"refusals-keep" env:"STAGEDOOR_REFUSALS_KEEP" default:"72h" group:"Decisions and sessions" help:"How long refusals can be looked up by request id, stream or client."`
	WebhookKeep     time.Duration `name:"webhook-keep" env:"STAGEDOOR_WEBHOOK_KEEP" default:"168h" group:"Decisions and sessions" help:"How long deliveries of webhooks stay on record. They go a day at a time."`

	RTCAppID  string `name:"rtc-app-id" env:"STAGEDOOR_RTC_APP_ID" placeholder:"ID" group:"Message service and RTC" help:"Application id of the RTC provider. Empty: generated once and kept in the database, as are the next four."`
	RTCAppKey Secret `name:"rtc-app-key" env:"STAGEDOOR_RTC_APP_KEY" placeholder:"KEY" group:"Message service and RTC" help:"Key that signs RTC tokens."`
	IMAppID   string `name:"im-app-id" env:"STAGEDOOR_IM_APP_ID" placeholder:"ID" group:"Message service and RTC" help:"Application id of the message service."`
	IMAppKey  Secret `name:"im-app-key" env:"STAGEDOOR_IM_APP_KEY" placeholder:"KEY" group:"Message service and RTC" help:"Key that signs message tokens."`
	IMAppSign Secret `name:"im-app-sign" env:"STAGEDOOR_IM_APP_SIGN" placeholder:"SIGN" group:"Message service and RTC" help:"Application signature that message clients present."`
	PushKey   Secret `name:"push-callback-key" env:"STAGEDOOR_PUSH_CALLBACK_KEY" placeholder:"KEY" group:"Message service and RTC" help:"Key with which the CDN signs its reports of pushed streams. Empty: no report is believed."`

	AliyunServices        []string `name:"aliyun-services" env:"STAGEDOOR_ALIYUN_SERVICES" placeholder:"SERVICE" group:"Alibaba Cloud" help:"What to use of Alibaba Cloud: im_old and im_new for message groups, vod for recordings. Empty: nothing."`
	AliyunAccessKeyID     string   `name:"aliyun-access-key-id" env:"STAGEDOOR_ALIYUN_ACCESS_KEY_ID" placeholder:"ID" group:"Alibaba Cloud" help:"Access key that signs requests to Alibaba Cloud."`
	AliyunAccessKeySecret Secret   `name:"aliyun-access-key-secret" env:"STAGEDOOR_ALIYUN_ACCESS_KEY_SECRET" placeholder:"SECRET" group:"Alibaba Cloud" help:"Secret of the access key."`
	AliyunSecurityToken   Secret   `name:"aliyun-security-token" env:"STAGEDOOR_ALIYUN_SECURITY_TOKEN" placeholder:"TOKEN" group:"Alibaba Cloud" help:"Security token, for a temporary access key only."`
	AliyunRegion          string   `name:"aliyun-region" env:"STAGEDOOR_ALIYUN_REGION" default:"cn-shanghai" group:"Alibaba Cloud" help:"Region, from which endpoints and the data center of message groups follow."`
	AliyunLiveEndpoint    string   `name:"aliyun-live-endpoint" env:"STAGEDOOR_ALIYUN_LIVE_ENDPOINT" placeholder:"URL" group:"Alibaba Cloud" help:"Endpoint of the live service, a host or a URL. Empty: the region's."`
	AliyunVODEndpoint     string   `name:"aliyun-vod-endpoint" env:"STAGEDOOR_ALIYUN_VOD_ENDPOINT" placeholder:"URL" group:"Alibaba Cloud" help:"Endpoint of the video-on-demand service, a host or a URL. Empty: the region's."`
	AliyunSignature       string   `name:"aliyun-signature" env:"STAGEDOOR_ALIYUN_SIGNATURE" default:"v1" group:"Alibaba Cloud" help:"How requests to Alibaba Cloud are signed, v1 or v3."`
	IMOldAppID            string   `name:"im-old-app-id" env:"STAGEDOOR_IM_OLD_APP_ID" placeholder:"ID" group:"Alibaba Cloud" help:"Application id of the older message service, for im_old."`

	CORSOrigins         []string `name:"cors-origins" env:"STAGEDOOR_CORS_ORIGINS" placeholder:"ORIGIN" group:"Network and log" help:"Web origins that browsers may call from."`
	TLSCert             string   `name:"tls-cert" env:"STAGEDOOR_TLS_CERT" placeholder:"FILE" group:"Network and log" help:"Certificate chain to serve HTTPS with, read again when it changes."`
	TLSKey              string   `name:"tls-key" env:"STAGEDOOR_TLS_KEY" placeholder:"FILE" group:"Network and log" help:"Private key of the certificate."`
	RouteAllow          []string `name:"route-allow" env:"STAGEDOOR_ROUTE_ALLOW" placeholder:"CIDR" group:"Network and log" help:"Networks, beside the public ones, that pull routes may lead to, such as that of the cameras."`
	WebhookAllowPrivate []string `name:"webhook-allow-private" env:"STAGEDOOR_WEBHOOK_ALLOW_PRIVATE" placeholder:"CIDR" group:"Network and log" help:"Networks, beside the public ones, that webhooks may lead to; to them by plain http too."`
	TrustedProxies      []string `name:"trusted-proxies" env:"STAGEDOOR_TRUSTED_PROXIES" placeholder:"CIDR" group:"Network and log" help:"Networks whose X-Forwarded-For is believed."`
	LogLevel            string   `name:"log-level" env:"STAGEDOOR_LOG_LEVEL" default:"info" group:"Network and log" help:"debug, info, warn or error."`
	LogFormat           string   `name:"log-format" env:"STAGEDOOR_LOG_FORMAT" placeholder:"json|text" group:"Network and log" help:"Empty: text on a terminal, else json."`

	OTLPEndpoint string  `name:"otlp-endpoint" env:"STAGEDOOR_OTLP_ENDPOINT,OTEL_EXPORTER_OTLP_ENDPOINT" placeholder:"URL" group:"Traces" help:"OpenTelemetry collector that takes traces by HTTP, without the path v1/traces, such as http://127.0.0.1:4318. Otherwise OTEL_EXPORTER_OTLP_ENDPOINT; empty: no traces."`
	OTLPHeaders  Secret  `name:"otlp-headers" env:"STAGEDOOR_OTLP_HEADERS,OTEL_EXPORTER_OTLP_HEADERS" placeholder:"NAME=VALUE,..." group:"Traces" help:"Headers of each request to it, such as credentials; values are percent-encoded. Otherwise OTEL_EXPORTER_OTLP_HEADERS."`
	TraceRatio   float64 `name:"trace-ratio" env:"STAGEDOOR_TRACE_RATIO" default:"1" group:"Traces" help:"How many of the traces that begin here are kept, from 0 to 1. Who calls with a trace of their own decides about that one."`

	MaxConnections           int `name:"max-connections" env:"STAGEDOOR_MAX_CONNECTIONS" default:"10000" group:"Limits" help:"Open connections. The next one takes the place of one that is idle, of the address that has the most. 0, and at most: as many as the process may open files, less what it needs itself."`
	MaxConnectionsPerAddress int `name:"max-connections-per-address" env:"STAGEDOOR_MAX_CONNECTIONS_PER_ADDRESS" default:"1000" group:"Limits" help:"Open connections of one client address; on more, everything but callbacks is answered 429. 0: no limit."`
	MaxFollowers             int `name:"max-followers" env:"STAGEDOOR_MAX_FOLLOWERS" default:"256" group:"Limits" help:"Clients that follow events live, of one process."`
	MaxHeader                int `name:"max-header" env:"STAGEDOOR_MAX_HEADER" default:"32768" group:"Limits" help:"Bytes of the header of a request."`
	MaxBody                  int `name:"max-body" env:"STAGEDOOR_MAX_BODY" default:"1048576" group:"Limits" help:"Bytes of the body of a request. Callbacks have limits of their own, of 16 to 128 KiB, and the Volcengine dialect takes 256 KiB at most."`
	RateLimit                int `name:"rate-limit" env:"STAGEDOOR_RATE_LIMIT" default:"100" group:"Limits" help:"Requests per second of one client address, and twice as many at once. 0: no limit. Callbacks have none."`
	AccountRateLimit         int `name:"account-rate-limit" env:"STAGEDOOR_ACCOUNT_RATE_LIMIT" default:"200" group:"Limits" help:"Requests per second of one account, from wherever, and twice as many at once. 0: no limit."`
	LoginAttempts            int `name:"login-attempts" env:"STAGEDOOR_LOGIN_ATTEMPTS" default:"8" group:"Limits" help:"Failed logins to one account from one address within four minutes."`
	LoginAttemptsPerAddress  int `name:"login-attempts-per-address" env:"STAGEDOOR_LOGIN_ATTEMPTS_PER_ADDRESS" default:"60" group:"Limits" help:"Failed logins of one address, to whatever account, within two minutes."`
	HashConcurrency          int `name:"hash-concurrency" env:"STAGEDOOR_HASH_CONCURRENCY" placeholder:"N" group:"Limits" help:"Passwords that are checked at once, each on a processor and in 19 MiB. 0: half as many as there are processors."`
	HashQueue                int `name:"hash-queue" env:"STAGEDOOR_HASH_QUEUE" default:"32" group:"Limits" help:"Logins that wait for each of them, for three quarters of the time of a request; others are answered 429. Addresses take turns."`
	DatabasePool             int `name:"database-pool" env:"STAGEDOOR_DATABASE_POOL" placeholder:"N" group:"Limits" help:"Connections to the database. Empty: what its URL says (pool_max_conns), or four per processor and at least 16."`

	HeaderTimeout          time.Duration `name:"header-timeout" env:"STAGEDOOR_HEADER_TIMEOUT" default:"5s" group:"Time-outs" help:"How long a client may take to send the header of a request."`
	ReadTimeout            time.Duration `name:"read-timeout" env:"STAGEDOOR_READ_TIMEOUT" default:"15s" group:"Time-outs" help:"How long it may take to send all of the request."`
	RequestTimeout         time.Duration `name:"request-timeout" env:"STAGEDOOR_REQUEST_TIMEOUT" default:"10s" group:"Time-outs" help:"How long a request may take, its wait for the database included. The AppServer dialect has 7s at most, the Volcengine dialect 5s, as their clients wait no longer."`
	CallbackTimeout        time.Duration `name:"callback-timeout" env:"STAGEDOOR_CALLBACK_TIMEOUT" default:"5s" group:"Time-outs" help:"How long a callback may wait for the database before it is refused."`
	WriteTimeout           time.Duration `name:"write-timeout" env:"STAGEDOOR_WRITE_TIMEOUT" default:"30s" group:"Time-outs" help:"How long a request and its answer may take, slow readers included."`
	IdleTimeout            time.Duration `name:"idle-timeout" env:"STAGEDOOR_IDLE_TIMEOUT" default:"2m" group:"Time-outs" help:"How long a connection may wait for its next request."`
	DatabaseConnectTimeout time.Duration `name:"database-connect-timeout" env:"STAGEDOOR_DATABASE_CONNECT_TIMEOUT" placeholder:"DURATION" group:"Time-outs" help:"How long connecting to one database host may take. Empty: what its URL says (connect_timeout), or 3s."`
	DatabaseTimeout        time.Duration `name:"database-timeout" env:"STAGEDOOR_DATABASE_TIMEOUT" default:"1m" group:"Time-outs" help:"How long the database works on one statement. 0: no limit."`
	NodeTimeout            time.Duration `name:"node-timeout" env:"STAGEDOOR_NODE_TIMEOUT" default:"2s" group:"Time-outs" help:"How long a call of a media server may take, look-up and connecting included."`
	CloudTimeout           time.Duration `name:"cloud-timeout" env:"STAGEDOOR_CLOUD_TIMEOUT" default:"2s" group:"Time-outs" help:"How long a call of a cloud may take, look-up and connecting included."`
	LookupTimeout          time.Duration `name:"lookup-timeout" env:"STAGEDOOR_LOOKUP_TIMEOUT" default:"2s" group:"Time-outs" help:"How long looking up the host of a pull route may take."`
	WebhookTimeout         time.Duration `name:"webhook-timeout" env:"STAGEDOOR_WEBHOOK_TIMEOUT" default:"15s" group:"Time-outs" help:"How long an endpoint of a webhook may take to answer, look-up and connecting included."`
	ShutdownTimeout        time.Duration `name:"shutdown-timeout" env:"STAGEDOOR_SHUTDOWN_TIMEOUT" default:"10s" group:"Time-outs" help:"How long a stop waits for requests in flight."`
}

// Validate returns every problem at once, each named after its environment
// variable, or nil. Secrets are not repeated.
func (c Config) Validate() error {
	_, err := c.Resolve()
	return err
}
