package access

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/finding"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// The secrets of every bench: none of them may be in any explanation.
const (
	publishSecret = "seeded-publish-secret"
	playSecret    = "seeded-play-secret"
	cloudSecret   = "seeded-cloud-secret"
	revokedSecret = "seeded-revoked-secret"
	nextSecret    = "seeded-next-secret"
	customSecret  = "seeded-custom-secret"
)

// desk is a Service with rules of several kinds in a real database, and people
// who ask why.
type desk struct {
	*bundle
	publish, play, cloud, custom, off Rule
	revoked                           string // a key of publish
	live, destroyed                   LiveToken
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	d := &desk{bundle: setup(t)}
	d.publish = d.rule(t, NewRule{Scene: media.Publish, Secret: revokedSecret})
	d.revoked = d.publish.Keys[0].ID
	if _, err := d.AddKey(t.Context(), d.publish.ID, publishSecret, true); err != nil {
		t.Fatal(err)
	}
	if _, err := d.AddKey(t.Context(), d.publish.ID, nextSecret, false); err != nil {
		t.Fatal(err)
	}
	if err := d.SetKeyState(t.Context(), d.publish.ID, d.revoked, KeyRevoked); err != nil {
		t.Fatal(err)
	}
	d.play = d.rule(t, NewRule{Scene: media.Play, Secret: playSecret})
	d.cloud = d.rule(t, NewRule{Domain: "cdn.example", Scene: media.Play, Scheme: "aliyun_a", Secret: cloudSecret, Validity: time.Minute})
	d.custom = d.rule(t, NewRule{Domain: "custom.example", Scene: media.Play, Scheme: "volcengine_custom", Secret: customSecret,
		Options: urlsign.Options{Fields: []string{"key", "volcTime", "Domain", "StreamName"}}})
	d.off = d.rule(t, NewRule{Domain: "off.example", Scene: media.Play, Disabled: true})
	alice := d.account(t, "alice", 0)
	d.destroyed = d.token(t, alice, "gone")
	d.live = d.token(t, alice, "x")
	if err := destroy(t, d, alice, d.destroyed.Token); err != nil {
		t.Fatal(err)
	}
	return d
}

// signed is a query made by one of the schemes for anything at all.
func signed(t testing.TB, scheme string, o urlsign.Options, secret, kid string, to urlsign.Target, expires time.Time) string {
	t.Helper()
	s, err := urlsign.New(scheme, o)
	if err != nil {
		t.Fatal(err)
	}
	q := s.AppendQuery(nil, to, urlsign.Key{ID: kid, Secret: []byte(secret)}, urlsign.SignOptions{Expires: expires})
	if len(q) == 0 {
		t.Fatal("nothing was signed")
	}
	return string(q)
}

func (d *desk) active() string {
	rules, _ := d.Rules(context.Background())
	for _, r := range rules {
		for _, k := range r.Keys {
			if r.ID == d.publish.ID && k.State == KeyActive {
				return k.ID
			}
		}
	}
	return ""
}

func to(scene urlsign.Scene, name string) urlsign.Target {
	return urlsign.Target{Scene: scene, App: "live", Stream: name, Path: "/live/" + name}
}

// at gives an event of a protocol and host.
func at(e media.Event, protocol, host string) media.Event {
	e.Protocol, e.Host = protocol, host
	return e
}

func TestExplainTellsWhyForEveryReason(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	hour := start.Add(time.Hour)
	good := signed(t, "stagedoor", urlsign.Options{}, publishSecret, d.active(), to(urlsign.Publish, "x"), hour)
	flv := signed(t, "aliyun_a", urlsign.Options{}, cloudSecret, "", urlsign.Target{Scene: urlsign.Play, App: "live", Stream: "x", Path: "/live/x.flv"}, hour)
	late := signed(t, "aliyun_a", urlsign.Options{}, cloudSecret, "", to(urlsign.Play, "x"), start.Add(-5*time.Hour-time.Minute))
	bound, _ := urlsign.Lookup("stagedoor")
	elsewhere := string(bound.AppendQuery(nil, to(urlsign.Publish, "x"), urlsign.Key{ID: d.active(), Secret: []byte(publishSecret)},
		urlsign.SignOptions{Expires: hour, BindAddr: netip.MustParseAddr("203.0.113.9")}))
	customOptions := urlsign.Options{Fields: []string{"key", "volcTime", "Domain", "StreamName"}}
	if err := d.Forbid(t.Context(), Ban{Vhost: media.DefaultVhost, App: "live", Stream: "banned"}); err != nil {
		t.Fatal(err)
	}
	d.RoomClosed("closed")
	upper := flv[:len(flv)-32] + strings.ToUpper(flv[len(flv)-32:])

	for name, c := range map[string]struct {
		event  media.Event
		reason media.Reason
		code   string // of the first finding
		change string // part of what to do
	}{
		"a good signature":            {publish("x", good), media.Allowed, "", ""},
		"a live token":                {publish("x", "token="+d.live.Token), media.Allowed, "", ""},
		"a next key":                  {publish("x", signed(t, "stagedoor", urlsign.Options{}, nextSecret, d.key(t, KeyNext), to(urlsign.Publish, "x"), hour)), media.Allowed, "", ""},
		"banned":                      {publish("banned", good), media.StreamForbidden, "stream_banned", "ban remove"},
		"room ended":                  {publish("closed", good), media.RoomEnded, "room_ended", "new room"},
		"escaped question mark":       {publish("x%3Fsd=p2", ""), media.InvalidStream, "name_not_usable", "%3F"},
		"no name":                     {publish("", ""), media.InvalidStream, "name_not_usable", "name"},
		"nothing at all":              {publish("x", ""), media.NoCredential, "no_query", "stagedoor sign"},
		"other parameters":            {publish("x", "a=b"), media.NoCredential, "no_credential_in_query", "stagedoor sign"},
		"another scheme":              {publish("x", "auth_key=1700000000-0-0-"+strings.Repeat("a", 32)), media.NoCredential, "another_scheme", "scheme of the rule"},
		"html":                        {publish("x", "a=b&amp;"+good), media.NoCredential, "html_escaped", "&amp;"},
		"parameter names in capitals": {publish("x", strings.Replace(good, "sd=", "SD=", 1)), media.NoCredential, "letter_case_of_parameters", "case"},
		"rule off, host claimed":      {at(play("x", ""), "hls", "off.example"), media.NoCredential, "rule_off_for_claimed_host", "vhost"},
		"unknown token":               {publish("x", "token=abc"), media.TokenUnknown, "token_unknown", "48 characters"},
		"half a JWT":                  {publish("x", "token=abc.def.ghi"), media.TokenUnknown, "token_unknown", "eyJ"},
		"quoted token":                {publish("x", "token=\""+d.live.Token+"\""), media.TokenUnknown, "token_unknown", "quotes"},
		"destroyed token":             {publish("gone", "token="+d.destroyed.Token), media.TokenRevoked, "token_revoked", "new token"},
		"token of another stream":     {publish("y", "token="+d.live.Token), media.WrongStream, "token_of_another_stream", "live/y"},
		"play token to publish":       {publish("x", "token="+d.live.PlayToken), media.WrongScene, "play_token_used_to_publish", "play_token"},
		"two tokens":                  {publish("x", "token=a&token=b"), media.CredentialConflict, "parameter_repeated", "once"},
		"two tokens, two marks":       {publish("x", "token=a?token=b"), media.CredentialConflict, "parameter_repeated", "once"},
		"a JWT of somebody":           {publish("x", "token="+jwt(t)), media.TokenUnknown, "token_not_ours", "issued"},
		"a JWT that is none":          {publish("x", "token=eyJ.x.y"), media.TokenUnknown, "token_not_readable", "three parts"},
		"expired":                     {at(play("x", late), "rtmp", "cdn.example"), media.SignatureExpired, "expired", "new URL"},
		"half":                        {publish("x", good[:20]), media.SignatureMalformed, "signature_shape", "22 characters"},
		"milliseconds":                {at(play("x", "auth_key=1700000000000-0-0-"+strings.Repeat("a", 32)), "rtmp", "cdn.example"), media.SignatureMalformed, "time_in_milliseconds", "1000"},
		"hexadecimal time":            {at(play("x", "auth_key=6553f100-0-0-"+strings.Repeat("a", 32)), "rtmp", "cdn.example"), media.SignatureMalformed, "time_in_hexadecimal", "ten"},
		"upper case":                  {at(play("x", upper), "http-flv", "cdn.example"), media.SignatureMalformed, "upper_case_hash", "lower case"},
		"another format":              {at(play("x", flv), "hls", "cdn.example"), media.SignatureMismatch, "signed_for_another_path", "extension"},
		"another scheme's duration":   {at(play("x", "auth_key=3600-0-0-"+strings.Repeat("a", 32)), "rtmp", "cdn.example"), media.SignatureMismatch, "time_is_a_duration", "moment"},
		"far ahead":                   {at(play("x", "auth_key=17000000000-0-0-"+strings.Repeat("a", 32)), "rtmp", "cdn.example"), media.SignatureMismatch, "time_far_ahead", "unit"},
		"another stream":              {publish("y", good), media.SignatureMismatch, "signed_for_another_stream", "URL of this stream"},
		"other letters":               {publish("X", good), media.SignatureMismatch, "signed_in_other_letters", "letters"},
		"revoked key":                 {publish("x", signed(t, "stagedoor", urlsign.Options{}, revokedSecret, d.revoked, to(urlsign.Publish, "x"), hour)), media.KeyRevoked, "signed_by_revoked_key", "active key"},
		"other scene":                 {publish("x", signed(t, "stagedoor", urlsign.Options{}, publishSecret, d.active(), to(urlsign.Play, "x"), hour)), media.WrongScene, "signed_to_play", "publish"},
		"key of the other scene":      {publish("x", signed(t, "stagedoor", urlsign.Options{}, playSecret, d.play.Keys[0].ID, to(urlsign.Play, "x"), hour)), media.SignatureMismatch, "signed_with_key_of_other_scene", "rule"},
		"rule of another domain":      {at(play("x", flv), "http-flv", "custom.example"), media.NoCredential, "signed_under_another_rule", "rule"},
		"another address":             {publish("x", elsewhere), media.WrongAddress, "bound_to_another_address", "address"},
		"another host": {at(play("x", signed(t, "volcengine_custom", customOptions, customSecret, "", hosted("pull.example"), hour)), "rtmp", "custom.example"),
			media.SignatureMismatch, "signed_for_another_host", "host"},
		"unknown key":    {publish("x", signed(t, "stagedoor", urlsign.Options{}, "nobody-knows-it", "zzzzzz", to(urlsign.Publish, "x"), hour)), media.SignatureMismatch, "key_unknown", "rule list"},
		"another secret": {publish("x", signed(t, "stagedoor", urlsign.Options{}, "nobody-knows-it", d.active(), to(urlsign.Publish, "x"), hour)), media.SignatureMismatch, "key_named_but_mismatch", "byte for byte"},
		"nobody's":       {at(play("x", signed(t, "aliyun_a", urlsign.Options{}, "nobody-knows-it", "", to(urlsign.Play, "x"), hour)), "rtmp", "cdn.example"), media.SignatureMismatch, "no_key_made_it", "byte for byte"},
		"a blank behind": {at(play("x", late+"%20"), "rtmp", "cdn.example"), media.SignatureMalformed, "trailing_characters", "end of the URL"},
	} {
		t.Run(name, func(t *testing.T) {
			x := d.Explain(t.Context(), start, c.event, stream("x"), stream("z"))
			if x.Allowed != (c.reason == media.Allowed) || x.Reason != c.reason {
				t.Fatalf("allowed %v, %s; want %s", x.Allowed, x.Reason, c.reason)
			}
			if decided := d.Decide(t.Context(), start, c.event); decided.Allow != x.Allowed || decided.Reason != x.Reason || decided.Credential != x.Credential {
				t.Errorf("explained %+v, decided %+v", x, decided)
			}
			for _, f := range x.Findings {
				wantFilled(t, f)
			}
			if code := firstCode(x); code != c.code {
				t.Errorf("first finding is %q, want %q: %+v", code, c.code, x.Findings)
			}
			changes := strings.Join(x.Changes(), "\n")
			if c.change == "" && changes != "" || !strings.Contains(changes, c.change) {
				t.Errorf("to do is %q, want something about %q", changes, c.change)
			}
			d.noSecret(t, x, c.event)
		})
	}
}

// wantFilled holds that each place of the sentences of a finding has its value.
func wantFilled(t *testing.T, f finding.Finding) {
	t.Helper()
	sentences := maps.Collect(finding.Texts())[f.TextCode] + maps.Collect(finding.Changes())[f.ChangeCode]
	for _, m := range finding.Place.FindAllStringSubmatch(sentences, -1) {
		if finding.Wire(f.Args[m[1]]) == "" {
			t.Errorf("%s, %s: no %s among %v", f.TextCode, f.ChangeCode, m[1], f.Args)
		}
	}
	if f.Text == "" || f.ChangeCode != "" && f.Change == "" {
		t.Errorf("a finding without words: %+v", f)
	}
}

func firstCode(x Explanation) string {
	if len(x.Findings) == 0 {
		return ""
	}
	return x.Findings[0].Code
}

func hosted(host string) urlsign.Target {
	u := to(urlsign.Play, "x")
	u.Host = host
	return u
}

// noSecret looks for what would open a door: seeded secrets, tokens, and the
// signatures that would be right for the request.
func (d *desk) noSecret(t *testing.T, x Explanation, e media.Event) {
	t.Helper()
	text, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	all := string(text) + fmt.Sprintf("%+v", x)
	for _, secret := range []string{"seeded-", d.live.Token, d.live.PlayToken, d.destroyed.Token, "nobody-knows-it"} {
		if strings.Contains(all, secret) {
			t.Errorf("the explanation has %q: %s", secret, all)
		}
	}
	for _, right := range d.rightOnes(e) {
		if right != "" && strings.Contains(all, right) {
			t.Errorf("the explanation has the signature %q", right)
		}
	}
}

// rightOnes are the signatures that keys of ours would make for a request at any
// time that is in its query.
func (d *desk) rightOnes(e media.Event) (out []string) {
	r, ok := d.ruleFor(e.Scene(), d.clientHost(e.Scene(), e.Host), e.Stream)
	if !ok {
		return nil
	}
	tg := target(e.Scene(), &e)
	tg.Host = d.signedHost(r, e.Scene(), e.Host)
	for _, g := range r.groups() {
		for _, k := range slices.Concat(g.keys, g.revoked()) {
			c := g.scheme.Canonical(e.Query, tg, urlsign.VerifyOptions{})
			query := string(g.scheme.AppendQuery(nil, tg, k, urlsign.SignOptions{Expires: c.At}))
			out = append(out, query[max(0, len(query)-22):])
		}
	}
	return out
}

func (d *desk) key(t testing.TB, state KeyState) string {
	t.Helper()
	rules, err := d.Rules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range rules[0].Keys {
		if k.State == state {
			return k.ID
		}
	}
	t.Fatal("no such key")
	return ""
}

// jwt is one that is not ours.
func jwt(t testing.TB) string {
	t.Helper()
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return part(`{"alg":"ES256","kid":"k"}`) + "." + part(`{"sub":"mallory","jti":"j1","exp":1700003600}`) + "." + part("signature")
}

func TestExplainShowsWhatWasSignedAndWhen(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	query := signed(t, "aliyun_a", urlsign.Options{}, cloudSecret, "", to(urlsign.Play, "x"), start.Add(-5*time.Hour-time.Minute))
	x := d.Explain(t.Context(), start, at(play("x", query), "rtmp", "cdn.example"))
	sig := x.Signature
	if sig == nil || sig.Signed != fmt.Sprintf("/live/x-%d-0-0-{key}", start.Add(-5*time.Hour-time.Minute).Unix()) {
		t.Fatalf("signed %+v", sig)
	}
	if sig.KeyID != d.cloud.Keys[0].ID || sig.KeyState != KeyActive || sig.Status != "expired" || sig.Strength != "compatibility" {
		t.Errorf("%+v", sig)
	}
	if !sig.Time.Equal(start.Add(-5*time.Hour-time.Minute)) || !sig.Expires.Equal(start.Add(-5*time.Hour)) || sig.Validity != time.Minute {
		t.Errorf("%+v", sig)
	}
	if !slices.ContainsFunc(x.Findings, func(f finding.Finding) bool { return f.Code == "whole_hours_off" }) {
		t.Errorf("five hours to the minute are not noticed: %+v", x.Findings)
	}
	r := x.Rule
	if r == nil || r.ID != d.cloud.ID || r.Domain != "cdn.example" || r.Scheme != "aliyun_a" || !r.Enabled || len(r.Keys) != 1 || !strings.Contains(r.Why, "cdn.example") {
		t.Errorf("%+v", r)
	}
}

func TestExplainTellsWhoseTokenItIs(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	x := d.Explain(t.Context(), start, publish("gone", "token="+d.destroyed.Token))
	if x.Token == nil || x.Token.Subject != "alice" || !x.Token.Verified || x.Token.Rights != "publish and play" || !x.Token.RevokedAt.Equal(start) {
		t.Fatalf("%+v", x.Token)
	}
	d.exec(t, "UPDATE accounts SET disabled_at = $1", start.Add(time.Minute))
	if err := d.Reload(t.Context(), d.pool); err != nil {
		t.Fatal(err)
	}
	x = d.Explain(t.Context(), start, publish("x", "token="+d.live.Token))
	if firstCode(x) != "account_disabled" || !x.Token.RevokedAt.Equal(start.Add(time.Minute)) {
		t.Errorf("%+v: %+v", x.Token, x.Findings)
	}
	x = d.Explain(t.Context(), start, publish("x", "token="+jwt(t)))
	if x.Token.Kind != ByAccessToken || x.Token.Verified || x.Token.Subject != "mallory" || x.Token.ID != "j1" || x.Token.ExpiresAt.Unix() != 1700003600 {
		t.Errorf("%+v", x.Token)
	}
}

func TestExplainCountsNoUseOfAKey(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	query := signed(t, "stagedoor", urlsign.Options{}, publishSecret, d.active(), to(urlsign.Publish, "x"), start.Add(time.Hour))
	if x := d.Explain(t.Context(), start, publish("x", query)); !x.Allowed {
		t.Fatal(x.Reason)
	}
	if err := d.FlushKeyUse(t.Context()); err != nil {
		t.Fatal(err)
	}
	rules, err := d.Rules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range rules[0].Keys {
		if k.LastUsed != nil {
			t.Errorf("key %s was used at %v", k.ID, k.LastUsed)
		}
	}
}

// Whatever can refuse has something that can be done about it.
func TestEveryRefusalHasAdvice(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../media/media.go")
	if err != nil {
		t.Fatal(err)
	}
	admissions := []media.Reason{media.Allowed, media.OpenPolicy, media.Duplicate, media.ServerRelay, media.CredentialUnknown}
	all := regexp.MustCompile(`Reason = "(\w+)"`).FindAllStringSubmatch(string(source), -1)
	if len(all) < 20 {
		t.Fatalf("%d reasons found", len(all))
	}
	for _, match := range all {
		if r := media.Reason(match[1]); (Advice(r) == "") != slices.Contains(admissions, r) {
			t.Errorf("%s has the advice %q", r, Advice(r))
		}
	}
}

func rowOf(id int64, scene media.Scene, scheme string) db.AuthRule {
	return db.AuthRule{ID: id, Scene: string(scene), Scheme: scheme, Enabled: true}
}

// Nothing that a client writes may break the one who asks why, or its terminal.
func FuzzExplain(f *testing.F) {
	d := pure(f)
	d.putRule(f, rowOf(1, media.Publish, "stagedoor"), key(1, "k1", publishSecret, KeyActive), key(2, "k0", revokedSecret, KeyRevoked))
	d.putRule(f, rowOf(2, media.Play, "aliyun_a"), key(3, "k2", cloudSecret, KeyActive))
	for _, seed := range []string{"", "sd=p2-1893456000-k1-AAAAAAAAAAAAAAAAAAAAAA", "auth_key=1-%1b[2J%ff-0-" + strings.Repeat("0", 32), "a=b&amp;sd=x", "token=a?token=b",
		"token=eyJ.e30.x", strings.Repeat("a=b&", 1000), "sd=" + strings.Repeat("9", 40), "sd=%", "%00=\x00"} {
		f.Add("x", "live", "example.com", seed)
		f.Add(seed, seed, seed, seed)
	}
	f.Fuzz(func(t *testing.T, name, app, host, query string) {
		for _, a := range []media.Action{media.Publishing, media.Playing} {
			e := media.Event{Action: a, Stream: media.Stream{App: app, Name: name}, Host: host, Query: query}
			x := d.Explain(t.Context(), start, e, stream("x"))
			text, err := json.Marshal(x)
			if err != nil || strings.Contains(string(text), "seeded-") {
				t.Fatalf("%s, %v", text, err)
			}
			for _, f := range x.Findings {
				if strings.ContainsFunc(f.Text+f.Change, func(r rune) bool { return r < ' ' || r == 0x7f }) || f.Code == "" || f.Text == "" {
					t.Errorf("finding %+v", f)
				}
			}
			if !x.Allowed && len(x.Changes()) == 0 {
				t.Errorf("%s: nothing to do", x.Reason)
			}
		}
	})
}
