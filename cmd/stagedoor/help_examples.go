package main

// commandExamples end the help of a command. Each is a line for a shell, and a test has
// the command line take them all.
var commandExamples = map[string][]string{
	"": {
		"stagedoor serve --listen 127.0.0.1:8080 --data-dir ./data",
		"stagedoor doctor",
		"stagedoor explain 'rtmp://push.example.com/live/studio?sd=…'",
	},
	"serve": {
		"stagedoor serve --listen 127.0.0.1:8080 --data-dir ./data",
		"STAGEDOOR_DATABASE_URL=postgres://stagedoor:SECRET@db/stagedoor stagedoor serve --listen :8080 --ops-listen 127.0.0.1:9090",
	},
	"migrate up":     {"stagedoor migrate up"},
	"migrate down":   {"stagedoor migrate down 1 --yes"},
	"migrate status": {"stagedoor migrate status", "stagedoor migrate status --json | jq -e '.version == .latest'"},

	"user list": {"stagedoor user list", "stagedoor user list --json | jq -r '.[] | select(.admin) | .username'"},
	"user create": {
		"openssl rand -base64 18 | tee /dev/stderr | stagedoor user create alice --email alice@example.com",
		"stagedoor user create encoder --push '/live/studio-*' --pull '' </run/secrets/encoder",
	},
	"user update":   {"stagedoor user update alice --push '/live/alice' --pull '/live/*;/vod/+/trailer'", "stagedoor user update alice --no-admin --level 2"},
	"user password": {"stagedoor user password alice </run/secrets/alice"},
	"user disable":  {"stagedoor user disable alice"},
	"user enable":   {"stagedoor user enable alice"},
	"user delete":   {"stagedoor user delete alice"},

	"access-key list":   {"stagedoor access-key list", "stagedoor access-key list --username encoder"},
	"access-key create": {"stagedoor access-key create --username encoder --comment 'studio 3' --json"},
	"access-key revoke": {"stagedoor access-key revoke AKSDEXAMPLE", "stagedoor access-key revoke AKSDEXAMPLE --json | jq -r .revoked_at"},

	"rule list": {"stagedoor rule list", "stagedoor rule list --json | jq -r '.[] | .id as $rule | .keys[] | select(.safe_to_retire) | \"\\($rule) \\(.id) \\(.state)\"'"},
	"rule get":  {"stagedoor rule get 1"},
	"rule create": {
		"stagedoor rule create --scene publish --domain push.example.com",
		"stagedoor rule create --scene play --domain pull.example.com --scheme aliyun_a --key-stdin </run/secrets/cdn-key",
		"stagedoor rule create --scene play --application vod --scheme volcengine_custom --fields key,volcTime,Domain --validity 168h",
	},
	"rule enable":     {"stagedoor rule enable 1"},
	"rule disable":    {"stagedoor rule disable 1"},
	"rule set":        {"stagedoor rule set 1 --takeover resume --takeover-window 1h"},
	"rule delete":     {"stagedoor rule delete 3"},
	"rule key add":    {"stagedoor rule key add 1 --activate", "stagedoor rule key add 1 --key-stdin </run/secrets/cdn-key"},
	"rule key set":    {"stagedoor rule key set 1 k7m2q9 active"},
	"rule key revoke": {"stagedoor rule key revoke 1 k7m2q9"},
	"rule schemes":    {"stagedoor rule schemes"},

	"ban list":   {"stagedoor ban list", "stagedoor ban list --stream studio --json"},
	"ban add":    {"stagedoor ban add studio --for 24h", "stagedoor ban add live/studio --domain push.example.com --json | jq -r .until"},
	"ban remove": {"stagedoor ban remove live/studio --domain push.example.com"},

	"node list": {"stagedoor node list", "stagedoor node list --json | jq -r '.[] | select(.health.state == \"unreachable\") | .name'"},
	"node get":  {"stagedoor node get edge1"},
	"node create": {
		"stagedoor node create edge1 --kind nginx-rtmp --source 10.0.0.5 --control-url http://10.0.0.5/stat",
		"stagedoor node create edge2 --kind srs --source 10.0.0.6 --url 'hls=https://live.example.com/{app}/{stream}.m3u8'",
	},
	"node update": {"stagedoor node update edge1 --source 10.0.0.5 --source 10.0.1.0/24", "stagedoor node update edge1 --username operator --password </run/secrets/edge1"},
	"node config": {"stagedoor node config edge1"},
	"node rotate": {"stagedoor node rotate edge1"},
	"node delete": {"stagedoor node delete edge1"},

	"route list": {"stagedoor route list", "stagedoor route list --json"},
	"explain": {
		"stagedoor explain 'rtmp://push.example.com/live/studio?sd=…'",
		"stagedoor explain 'https://pull.example.com/live/studio.flv?sd=…' --scene play --at 2026-01-31T12:00:00Z --json | jq .reason",
		"stagedoor explain --request 01JC8Z3T5Q",
	},
	"refusals": {"stagedoor refusals --since 1h", "stagedoor refusals --stream live/studio --reason signature_expired --json"},
	"sign":     {"stagedoor sign studio", "stagedoor sign film --application vod --ttl 2h --json | jq -r .play.hls"},

	"webhook list": {"stagedoor webhook list"},
	"webhook get":  {"stagedoor webhook get wh_0123456789abcdef"},
	"webhook create": {
		"stagedoor webhook create https://example.com/hook --type 'room.*' --type recording.ready",
		"stagedoor webhook create https://example.com/hook --json | jq -r .secret",
	},
	"webhook update":     {"stagedoor webhook update wh_0123456789abcdef --disable", "stagedoor webhook update wh_0123456789abcdef --type 'stream.*' --enable"},
	"webhook rotate":     {"stagedoor webhook rotate wh_0123456789abcdef --overlap 1h"},
	"webhook delete":     {"stagedoor webhook delete wh_0123456789abcdef"},
	"webhook test":       {"stagedoor webhook test wh_0123456789abcdef"},
	"webhook deliveries": {"stagedoor webhook deliveries wh_0123456789abcdef --state failed --since 2026-01-31T12:00:00Z"},
	"webhook retry":      {"stagedoor webhook retry wh_0123456789abcdef 4711"},
	"webhook replay":     {"stagedoor webhook replay wh_0123456789abcdef --since 2026-01-31T12:00:00Z --missing"},

	"token revoke": {"stagedoor token revoke 'rtmp://pull.example.com/vod/film?token=eyJ…'"},
	"doctor":       {"stagedoor doctor", "stagedoor doctor --json | jq -r '.findings[] | select(.status != \"ok\") | .advice'"},
	"health":       {"stagedoor health", "stagedoor health --listen 127.0.0.1:8080 || systemctl restart stagedoor"},
	"version":      {"stagedoor version --json"},
	"completion": {
		"stagedoor completion bash >/etc/bash_completion.d/stagedoor",
		"stagedoor completion zsh >\"${fpath[1]}/_stagedoor\"",
		"stagedoor completion fish >~/.config/fish/completions/stagedoor.fish",
	},
}
