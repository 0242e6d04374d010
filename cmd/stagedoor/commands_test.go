package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

func TestSignPrintsURLsUnderTheRulesInForce(t *testing.T) {
	t.Parallel()
	i := install(t, "--push-domain", "push.example.com", "--pull-domain", "pull.example.com", "--pull-scheme", "https")
	type signed struct{ Push, Play map[string]string }
	got := decoded[signed](t, i, "", "sign", "studio", "--ttl", "1h")
	for url, prefix := range map[string]string{
		got.Push["rtmp"]: "rtmp://push.example.com/live/studio?sd=p2-",
		got.Push["srt"]:  "srt://push.example.com/live/studio?sd=p2-",
		got.Play["rtmp"]: "rtmp://pull.example.com/live/studio?sd=v2-",
		got.Play["flv"]:  "https://pull.example.com/live/studio.flv?sd=v2-",
		got.Play["hls"]:  "https://pull.example.com/live/studio.m3u8?sd=v2-",
	} {
		if !strings.HasPrefix(url, prefix) {
			t.Errorf("%q, want %s…", url, prefix)
		}
	}
	seconds, err := strconv.ParseInt(strings.Split(got.Push["rtmp"], "-")[1], 10, 64)
	if left := time.Until(time.Unix(seconds, 0)); err != nil || left < 50*time.Minute || left > time.Hour {
		t.Errorf("expires in %v, %v", left, err)
	}

	i.ok(t, "vendor-key-of-sixteen\n", "rule", "create", "--scene", "play", "--application", "vod", "--scheme", "aliyun_a", "--key-stdin")
	got = decoded[signed](t, i, "", "sign", "film", "--application", "vod")
	_, query, _ := strings.Cut(got.Play["flv"], "?")
	scheme, _ := urlsign.Lookup("aliyun_a")
	res := scheme.Verify(query, urlsign.Target{Scene: urlsign.Play, App: "vod", Stream: "film", Path: "/vod/film.flv"},
		[]urlsign.Key{{ID: "k", Secret: []byte("vendor-key-of-sixteen")}}, urlsign.VerifyOptions{Now: time.Now()})
	if res.Status != urlsign.Valid {
		t.Errorf("%s: %v", got.Play["flv"], res.Status)
	}
	if text := i.ok(t, "", "sign", "studio"); !strings.Contains(text, "publish  rtmp://push.example.com/live/studio?sd=") {
		t.Errorf("as text:\n%s", text)
	}
}

func TestRulesAndTheirKeys(t *testing.T) {
	t.Parallel()
	i := install(t)
	rules := decoded[[]gen.Rule](t, i, "", "rule", "list")
	if len(rules) != 2 || rules[0].Strength != "strong" || !rules[0].Enabled || len(rules[0].Keys) != 1 || rules[0].Keys[0].State != "active" {
		t.Fatalf("the rules of an empty database: %+v", rules)
	}
	created := decoded[gen.Rule](t, i, "", "rule", "create", "--scene", "play", "--domain", "Pull.Example.com", "--validity", "30m", "--disabled")
	if created.Domain != "pull.example.com" || created.ValiditySeconds != 1800 || created.Enabled || created.Scheme != "stagedoor" {
		t.Errorf("created: %+v", created)
	}
	id := created.ID
	if got := decoded[gen.Rule](t, i, "", "rule", "enable", id); !got.Enabled {
		t.Errorf("enabled: %+v", got)
	}
	if got := decoded[gen.Rule](t, i, "", "rule", "disable", id); got.Enabled {
		t.Errorf("disabled: %+v", got)
	}

	first := created.Keys[0].ID
	next := decoded[gen.RuleKey](t, i, "", "rule", "key", "add", id)
	active := decoded[gen.RuleKey](t, i, "a key of my own\n", "rule", "key", "add", id, "--activate", "--key-stdin")
	if next.State != "next" || active.State != "active" {
		t.Errorf("added: %+v, %+v", next, active)
	}
	if got := decoded[gen.RuleKey](t, i, "", "rule", "key", "revoke", id, first); got.ID != first || got.State != "revoked" || got.Secret != "" {
		t.Errorf("revoked: %+v", got)
	}
	i.says(t, "key "+next.ID+" of rule "+id+" is active", "rule", "key", "set", id, next.ID, "active")
	states := map[string]gen.RuleKeyState{}
	for _, r := range decoded[[]gen.Rule](t, i, "", "rule", "list") {
		for _, k := range r.Keys {
			states[k.ID] = k.State
		}
	}
	if states[first] != "revoked" || states[next.ID] != "active" || states[active.ID] != "retiring" {
		t.Errorf("states: %v", states)
	}
	if text := i.ok(t, "", "rule", "list"); !strings.HasPrefix(text, "ID ") || !regexp.MustCompile(`(?m)`+first+` +revoked +never +true$`).MatchString(text) ||
		!regexp.MustCompile(`(?m)`+next.ID+` +active +never +false$`).MatchString(text) {
		t.Errorf("as text:\n%s", text)
	}
	if one := decoded[gen.Rule](t, i, "", "rule", "get", id); len(one.Keys) != 3 || one.Domain != "pull.example.com" {
		t.Errorf("shown: %+v", one)
	}
	if text := i.ok(t, "", "rule", "get", id); !strings.Contains(text, "key "+active.ID) || !strings.Contains(text, "retiring. URLs that it signed before it retired are good until") {
		t.Errorf("shown as text:\n%s", text)
	}

	i.fails(t, exitConflict, "exists", "", "rule", "create", "--scene", "play", "--domain", "pull.example.com")
	i.fails(t, exitUsage, "bytes", "short\n", "rule", "create", "--scene", "play", "--application", "x", "--key-stdin")
	i.fails(t, exitFailed, "standard input", "", "rule", "create", "--scene", "play", "--application", "x", "--key-stdin")
	i.says(t, "rule "+id+" is deleted", "rule", "delete", id)
	i.fails(t, exitNotFound, "rule", "", "rule", "delete", id)
	i.fails(t, exitNotFound, "rule", "", "rule", "enable", id)
	i.fails(t, exitNotFound, "rule", "", "rule", "get", id)
	i.fails(t, exitNotFound, "rule", "", "rule", "key", "add", id)
	i.fails(t, exitNotFound, "key", "", "rule", "key", "revoke", "1", "nobody")
}

func TestRulesOfCloudVendors(t *testing.T) {
	t.Parallel()
	i := install(t, "--push-domain", "push.example.com", "--pull-domain", "pull.example.com")
	created := decoded[gen.Rule](t, i, "1asd111\n", "rule", "create", "--scene", "play", "--application", "vod", "--scheme", "volcengine_custom",
		"--fields", "key,volcTime,Domain", "--param-signature", "sign", "--param-time", "expire", "--time-base", "16", "--key-stdin")
	want := urlsign.Options{SignatureParam: "sign", TimeParam: "expire", TimeBase: 16, Fields: []string{"key", "volcTime", "Domain"}}
	if created.Scheme != "volcengine_custom" || !slices.Equal(created.Options, want.Chosen()) || created.Strength != "unconfirmed" {
		t.Errorf("created: %+v", created)
	}
	got := decoded[struct{ Push, Play map[string]string }](t, i, "", "sign", "film", "--application", "vod")
	_, query, _ := strings.Cut(got.Play["rtmp"], "?")
	scheme, err := urlsign.New("volcengine_custom", want)
	if err != nil {
		t.Fatal(err)
	}
	res := scheme.Verify(query, urlsign.Target{Scene: urlsign.Play, App: "vod", Stream: "film", Host: "pull.example.com"},
		[]urlsign.Key{{ID: "k", Secret: []byte("1asd111")}}, urlsign.VerifyOptions{Now: time.Now()})
	if res.Status != urlsign.Valid {
		t.Errorf("%s: %v", got.Play["rtmp"], res.Status)
	}
	plain := decoded[gen.Rule](t, i, "", "rule", "create", "--scene", "publish", "--vhost", "v.example", "--scheme", "volcengine_b")
	if plain.Strength != "compatibility" || len(plain.Options) != 0 {
		t.Errorf("created: %+v", plain)
	}
	text := i.ok(t, "", "rule", "list")
	if !strings.Contains(text, "param-signature=sign;param-time=expire;time-base=16;fields=key,volcTime,Domain") || !strings.Contains(text, "unconfirmed") {
		t.Errorf("as text:\n%s", text)
	}

	create := func(more ...string) []string {
		return append([]string{"rule", "create", "--application", "x"}, more...)
	}
	i.fails(t, exitUsage, "key and volcTime", "", create("--scene", "play", "--scheme", "volcengine_custom")...)
	i.fails(t, exitUsage, "not published", "", create("--scene", "play", "--scheme", "volcengine_c")...)
	i.fails(t, exitUsage, "playing only", "", create("--scene", "publish", "--scheme", "volcengine_a")...)
	i.fails(t, exitUsage, "2, 8, 10 or 16", "", create("--scene", "play", "--scheme", "volcengine_b", "--time-base", "12")...)
	i.fails(t, exitUsage, "no options", "", create("--scene", "play", "--time-base", "16")...)
}

// Rules that a cloud API has written have keys of several kinds.
func TestKeysOfOtherKindsThanTheirRuleAreShown(t *testing.T) {
	t.Parallel()
	r := access.Rule{ID: 7, Scene: "play", Scheme: "volcengine_b", Keys: []access.Key{
		{ID: "inherits", State: access.KeyActive}, {ID: "same", State: access.KeyNext, Scheme: "volcengine_b"},
		{ID: "other", State: access.KeyNext, Scheme: "volcengine_custom", Options: urlsign.Options{Fields: []string{"key", "volcTime"}}},
	}}
	var text strings.Builder
	if err := printRules(&env{stdout: &text}, &app{access: access.New(access.Config{Now: time.Now})}, nil, r); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`volcengine_b +- .* inherits`, `volcengine_b +- .* same`, `volcengine_custom +fields=key,volcTime .* other`} {
		if !regexp.MustCompile(want).MatchString(text.String()) {
			t.Errorf("no %s in:\n%s", want, &text)
		}
	}
}

func TestBansAreMadeListedAndEnded(t *testing.T) {
	t.Parallel()
	i := install(t)
	for _, args := range [][]string{{"studio"}, {"vod/film", "--domain", "Pull.Example.com", "--for", "1h"}, {"live/sub/cam", "--vhost", "v.example"}} {
		made := decoded[gen.Ban](t, i, "", append([]string{"ban", "add"}, args...)...)
		if want := args[0][strings.LastIndexByte(args[0], '/')+1:]; made.Stream != want || !made.Active || !made.Until.After(made.CreatedAt) {
			t.Errorf("made: %+v", made)
		}
	}
	if text := i.ok(t, "", "ban", "add", "studio", "--for", "2160h"); !strings.HasPrefix(text, "live/studio is banned until 2") {
		t.Errorf("as text: %s", text)
	}
	bans := decoded[[]gen.Ban](t, i, "", "ban", "list")
	if len(bans) != 3 {
		t.Fatalf("bans %+v", bans)
	}
	for _, b := range bans {
		lasts := b.Until.Sub(b.CreatedAt).Round(time.Minute)
		switch want := 90 * 24 * time.Hour; {
		case !b.Active:
			t.Errorf("not active: %+v", b)
		case b.Stream == "studio" && (b.Vhost != "__defaultVhost__" || b.App != "live" || lasts != want),
			b.Stream == "film" && (b.Domain != "pull.example.com" || b.App != "vod" || lasts != time.Hour),
			b.Stream == "cam" && (b.Vhost != "v.example" || b.App != "live/sub" || lasts != want):
			t.Errorf("ban %+v, lasts %v", b, lasts)
		}
	}
	i.says(t, "live/studio is not banned", "ban", "remove", "studio")
	decoded[gone](t, i, "", "ban", "remove", "studio")
	if left := decoded[[]gen.Ban](t, i, "", "ban", "list", "--stream", "il"); len(left) != 1 || left[0].Stream != "film" {
		t.Errorf("left: %+v", left)
	}
	if text := i.ok(t, "", "ban", "list"); !strings.HasPrefix(text, "VHOST ") || !strings.Contains(text, "v.example") || strings.Contains(text, "studio") {
		t.Errorf("as text:\n%s", text)
	}
	i.fails(t, exitUsage, "90 days", "", "ban", "add", "studio", "--for", "2200h")
	i.fails(t, exitUsage, "lies ahead", "", "ban", "add", "studio", "--for=-1h")
	i.fails(t, exitUsage, "stream", "", "ban", "add", "a?b")
	i.fails(t, exitUsage, "together", "", "ban", "add", "studio", "--domain", "d", "--vhost", "v")
}

func TestNodesShowTheirSecretInTheLinesToPaste(t *testing.T) {
	t.Parallel()
	i := install(t, "--public-url", "https://door.example.com/")
	edge := decoded[nodeJSON](t, i, "", "node", "create", "edge1", "--kind", "nginx-rtmp", "--source", "10.0.0.5", "--source", "10.1.0.0/16",
		"--control-url", "http://10.0.0.5/stat")
	if !edge.Secured || len(edge.Secret) < 20 || strings.Join(edge.Sources, " ") != "10.0.0.5/32 10.1.0.0/16" {
		t.Errorf("created: %+v", edge)
	}
	line := "on_publish      https://door.example.com/callback/nginx-rtmp?secret=" + edge.Secret + ";"
	if !strings.Contains(edge.Config, line) || strings.Contains(edge.Config, "on_update") {
		t.Errorf("lines:\n%s", edge.Config)
	}
	for _, line := range []string{"server { application live { } }", "listen 10.0.0.5:80;", "location = /stat {", "location /control {", "deny all;"} {
		if !strings.Contains(edge.Config, line) {
			t.Errorf("no %q in the lines:\n%s", line, edge.Config)
		}
	}
	if text := i.ok(t, "", "node", "config", "edge1"); strings.TrimSpace(text) != edge.Config {
		t.Errorf("lines as text:\n%s", text)
	}
	rotated := decoded[nodeJSON](t, i, "", "node", "rotate", "edge1")
	if rotated.Secret == edge.Secret || !strings.Contains(rotated.Config, rotated.Secret) {
		t.Errorf("rotated: %+v", rotated)
	}

	i.ok(t, "basic\n", "node", "update", "edge1", "--kind", "srs", "--username", "operator", "--password", "--url", "http-flv=https://cdn/{app}/{stream}.flv",
		"--url", "hls=https://cdn/{app}/{stream}.m3u8?a=b;c")
	nodes := map[string]nodeJSON{}
	for _, n := range decoded[[]nodeJSON](t, i, "", "node", "list") {
		nodes[n.Name] = n
	}
	if n := nodes["edge1"]; n.Kind != "srs" || n.ControlURL != "http://10.0.0.5/stat" || len(n.Sources) != 2 || n.Secret != "" {
		t.Errorf("updated: %+v", n)
	}
	if u := nodes["edge1"].Urls; *u.HTTPFLV != "https://cdn/{app}/{stream}.flv" || *u.HLS != "https://cdn/{app}/{stream}.m3u8?a=b;c" || u.RTMP != nil {
		t.Errorf("the URLs are %+v", u)
	}
	i.ok(t, "", "node", "update", "edge1", "--url", "hls=", "--url", "rtmp=rtmp://h/{app}/{stream}")
	one := decoded[nodeJSON](t, i, "", "node", "get", "edge1")
	if *one.Urls.RTMP != "rtmp://h/{app}/{stream}" || one.Urls.HTTPFLV == nil || one.Urls.HLS != nil || !one.ControlPasswordSet || one.Health.State != "unknown" || one.LastSeenAt != nil {
		t.Errorf("shown: %+v", one)
	}
	if text := i.ok(t, "", "node", "get", "edge1"); !strings.Contains(text, "rtmp://h/{app}/{stream}") || strings.Contains(text, "basic") {
		t.Errorf("shown as text:\n%s", text)
	}
	if n := nodes["local"]; n.Secured || n.Name == "" {
		t.Errorf("the local node: %+v", n)
	}
	if text := i.ok(t, "", "node", "config", "edge1"); !strings.Contains(text, "on_dvr       https://door.example.com/callback/on_dvr?secret=") {
		t.Errorf("lines for SRS:\n%s", text)
	}

	i.fails(t, exitConflict, "exists", "", "node", "create", "edge1")
	i.fails(t, exitUsage, "source", "", "node", "create", "edge2", "--source", "nonsense")
	i.fails(t, exitUsage, "kind", "", "node", "create", "edge2", "--kind", "toaster")
	i.fails(t, exitUsage, "{stream}", "", "node", "create", "edge2", "--url", "hls=https://cdn/")
	i.fails(t, exitUsage, "protocols", "", "node", "create", "edge2", "--url", "gopher=gopher://h/{stream}")
	if got := decoded[nodeJSON](t, i, "", "node", "update", "edge1", "--username", "operator"); got.Name != "edge1" || got.ControlUsername != "operator" || got.Secret != "" {
		t.Errorf("updated: %+v", got)
	}
	decoded[gone](t, i, "", "node", "delete", "edge1")
	for _, verb := range []string{"get", "delete", "config", "rotate", "update"} {
		i.fails(t, exitNotFound, "node", "", "node", verb, "edge1")
	}
}

func TestAccountsAreManagedWithoutPasswordsOnTheCommandLine(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.ok(t, "first horse battery\n", "user", "create", "alice", "--admin")
	bob := decoded[gen.Account](t, i, "correct horse battery\n", "user", "create", "bob", "--email", "bob@example.com", "--full-name", "Bob B", "--level", "2",
		"--push", "/live/bob", "--pull", "/live/*;/vod/*")
	if bob.CreatedAt.IsZero() || !bob.UpdatedAt.Equal(bob.CreatedAt) {
		t.Errorf("made %v, changed %v", bob.CreatedAt, bob.UpdatedAt)
	}
	bob.CreatedAt, bob.UpdatedAt = time.Time{}, time.Time{}
	if bob != (gen.Account{Username: "bob", Email: "bob@example.com", FullName: "Bob B", PermissionLevel: 2, Push: "/live/bob", Pull: "/live/*;/vod/*"}) {
		t.Errorf("created: %+v", bob)
	}
	if got := decoded[gen.Account](t, i, "", "user", "update", "bob", "--level", "3", "--admin"); got.PermissionLevel != 3 || !got.Admin {
		t.Errorf("updated: %+v", got)
	}
	if got := decoded[gen.Account](t, i, "", "user", "update", "BOB", "--no-admin", "--pull", ""); got.PermissionLevel != 3 || got.Admin ||
		got.Push != "/live/bob" || got.Pull != "" {
		t.Errorf("updated again: %+v", got)
	}
	i.ok(t, "another horse battery\n", "user", "password", "bob")
	if got := decoded[gen.Account](t, i, "", "user", "disable", "bob"); !got.Disabled {
		t.Errorf("disabled: %+v", got)
	}
	if got := decoded[gen.Account](t, i, "", "user", "enable", "bob"); got.Disabled {
		t.Errorf("enabled: %+v", got)
	}
	if all := decoded[[]gen.Account](t, i, "", "user", "list"); len(all) != 2 || all[0].Username != "alice" || all[1].Username != "bob" {
		t.Errorf("listed: %+v", all)
	}
	if text := i.ok(t, "", "user", "list"); !strings.HasPrefix(text, "USERNAME ") || !strings.Contains(text, "bob@example.com") {
		t.Errorf("as text:\n%s", text)
	}

	i.fails(t, exitConflict, "already", "correct horse battery\n", "user", "create", "Bob")
	i.fails(t, exitUsage, "password", "x\n", "user", "create", "carol")
	i.fails(t, exitFailed, "standard input", "", "user", "create", "carol")
	i.fails(t, exitConflict, "last administrator", "", "user", "delete", "alice")
	i.says(t, "account BOB is deleted", "user", "delete", "BOB")
	for _, verb := range []string{"disable", "enable", "update", "delete"} {
		i.fails(t, exitNotFound, "", "", "user", verb, "bob")
	}
	i.fails(t, exitNotFound, "", "another horse battery\n", "user", "password", "nobody")
}

func TestAccessKeysShowTheirSecretOnce(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.ok(t, "correct horse battery\n", "user", "create", "encoder")
	key := decoded[gen.CreatedAccessKey](t, i, "", "access-key", "create", "--username", "ENCODER", "--comment", "studio 3")
	if !strings.HasPrefix(key.AccessKeyID, "AKSD") || len(key.SecretAccessKey) < 40 || key.Username != "encoder" || key.Comment != "studio 3" {
		t.Errorf("created: %+v", key)
	}
	text := i.ok(t, "", "access-key", "create", "--username", "encoder")
	if !strings.Contains(text, "access_key_id      AKSD") || !strings.Contains(text, "secret_access_key  ") {
		t.Errorf("as text:\n%s", text)
	}
	if revoked := decoded[gen.AccessKey](t, i, "", "access-key", "revoke", key.AccessKeyID); revoked.AccessKeyID != key.AccessKeyID || revoked.RevokedAt == nil {
		t.Errorf("revoked: %+v", revoked)
	}
	keys := decoded[[]gen.AccessKey](t, i, "", "access-key", "list", "--username", "encoder")
	if len(keys) != 2 || keys[0].AccessKeyID != key.AccessKeyID || keys[0].RevokedAt == nil || keys[0].LastUsedAt != nil || keys[1].RevokedAt != nil {
		t.Errorf("listed: %+v", keys)
	}
	for _, text := range []string{i.ok(t, "", "access-key", "list"), i.ok(t, "", "access-key", "list", "--json")} {
		if strings.Contains(text, key.SecretAccessKey) || !strings.Contains(text, key.AccessKeyID) || !strings.Contains(text, "studio 3") {
			t.Errorf("listed:\n%s", text)
		}
	}

	i.fails(t, exitNotFound, "account", "", "access-key", "create", "--username", "nobody")
	i.fails(t, exitUsage, "username", "", "access-key", "create")
	i.fails(t, exitUsage, "comment", "", "access-key", "create", "--username", "encoder", "--comment", "a\nb")
	i.fails(t, exitNotFound, "access key", "", "access-key", "revoke", "AKSD00000000000000000000")
}

func TestMigrationsGoUpAndDown(t *testing.T) {
	t.Parallel()
	i := installation{[]string{"--database-url", dbtest.EmptyURL(t), "--data-dir", t.TempDir()}}
	type status struct {
		Version, Latest uint
		Dirty           bool
		Queue           int `json:"queue_version"`
		LatestQueue     int `json:"queue_latest"`
	}
	if got := decoded[status](t, i, "", "migrate", "status"); got.Version != 0 || got.Latest == 0 || got.Dirty || got.Queue != 0 || got.LatestQueue == 0 {
		t.Errorf("empty: %+v", got)
	}
	if got := decoded[status](t, i, "", "migrate", "up"); got.Version != got.Latest || got.Queue != got.LatestQueue {
		t.Errorf("up: %+v", got)
	}
	if got := decoded[status](t, i, "", "migrate", "down", "--yes"); got.Version >= got.Latest {
		t.Errorf("down: %+v", got)
	}
	i.fails(t, exitUsage, "--yes", "", "migrate", "down")
	// Any other command brings the schema up by itself.
	i.ok(t, "", "rule", "list")
}

func TestADatabaseThatIsAwayIsSaidPlainly(t *testing.T) {
	t.Parallel()
	i := installation{[]string{"--database-url", "postgres://nobody:hunter2@127.0.0.1:1/none", "--data-dir", t.TempDir()}}
	got := i.command(t, "", "rule", "list")
	if got.code != exitUnreachable || !strings.Contains(got.stderr, "127.0.0.1") || strings.Contains(got.stderr, "hunter2") {
		t.Errorf("code %d\n%s", got.code, got.stderr)
	}
}

func TestStreamTokensAreHandedOutAndRevoked(t *testing.T) {
	t.Parallel()
	i := install(t, "--pull-domain", "pull.example.com")
	r := decoded[gen.Rule](t, i, "", "rule", "create", "--scene", "play", "--application", "vod", "--scheme", "mediamtx_jwt")
	if len(r.Keys) != 0 || r.Strength != "strong" {
		t.Errorf("created: %+v", r)
	}
	got := decoded[struct{ Push, Play map[string]string }](t, i, "", "sign", "film", "--application", "vod")
	if !strings.HasPrefix(got.Play["rtmp"], "rtmp://pull.example.com/vod/film?token=eyJ") || len(got.Play["rtmp"]) > 512 {
		t.Errorf("%d bytes: %s", len(got.Play["rtmp"]), got.Play["rtmp"])
	}
	byURL := decoded[revokedJSON](t, i, "", "token", "revoke", got.Play["rtmp"])
	if _, err := hex.DecodeString(byURL.ID); err != nil || len(byURL.ID) != 32 { // nothing that a command line takes for a flag
		t.Errorf("revoked %q", byURL.ID)
	}
	if again := decoded[revokedJSON](t, i, "", "token", "revoke", byURL.ID); again.ID != byURL.ID {
		t.Errorf("revoked %q", again.ID)
	}
	i.fails(t, exitUsage, "jti", "", "token", "revoke", "rtmp://pull.example.com/vod/film?token=eyJhIjoxfQ.e30.AAAA")
	i.fails(t, exitUsage, "takes no key", "0123456789\n", "rule", "create", "--scene", "publish", "--application", "vod", "--scheme", "mediamtx_jwt", "--key-stdin")
}

func TestSchemesAreListedWithTheirStrength(t *testing.T) {
	t.Parallel()
	i := install(t)
	list := decoded[[]schemeJSON](t, i, "", "rule", "schemes")
	if len(list) != len(urlsign.Names()) || list[0].Name != "stagedoor" || list[0].Strength != "strong" {
		t.Errorf("schemes %+v", list)
	}
	text := i.ok(t, "", "rule", "schemes")
	for _, want := range []string{"nms_sign", "compatibility", "unconfirmed", "path_prefix"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

// A vendor's private key is many lines of text.
func TestPrivateKeysOfVendors(t *testing.T) {
	t.Parallel()
	i := install(t, "--http-pull-domain", "d1.cloudfront.example", "--pull-scheme", "https")
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)}))
	create := []string{"rule", "create", "--scene", "play", "--application", "vod", "--scheme", "cloudfront_canned", "--key-name", "K2JCJMDEHXQW5F"}
	i.fails(t, exitUsage, "PEM", "", create...)
	i.fails(t, exitUsage, "PEM", "0123456789\n", append(create, "--key-stdin")...)
	r := decoded[gen.Rule](t, i, text, append(create, "--key-stdin")...)
	if r.Strength != "compatibility" || !slices.Equal(r.Options, []string{"key-name=K2JCJMDEHXQW5F"}) {
		t.Errorf("created: %+v", r)
	}
	url := decoded[struct{ Push, Play map[string]string }](t, i, "", "sign", "film", "--application", "vod").Play["flv"]
	scheme, err := urlsign.New("cloudfront_canned", urlsign.Options{KeyID: "K2JCJMDEHXQW5F"})
	if err != nil {
		t.Fatal(err)
	}
	_, query, _ := strings.Cut(url, "?")
	res := scheme.Verify(query, urlsign.Target{Scene: urlsign.Play, App: "vod", Stream: "film", Path: "/vod/film.flv", Origin: "https://d1.cloudfront.example"},
		[]urlsign.Key{{ID: "k", Public: private.Public()}}, urlsign.VerifyOptions{Now: time.Now()})
	if res.Status != urlsign.Valid {
		t.Errorf("%s: %v", url, res.Status)
	}
}
