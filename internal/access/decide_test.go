package access

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// doors returns a Service with a rule for each scene, and two pairs of live
// tokens: a good one and a revoked one, both for live/x.
func doors(t testing.TB) *bundle {
	b := pure(t)
	b.putRule(t, db.AuthRule{ID: 1, Scene: "publish", Enabled: true}, key(11, "k1", "publish-secret", KeyActive))
	b.putRule(t, db.AuthRule{ID: 2, Scene: "play", Enabled: true}, key(12, "k1", "play-secret", KeyActive))
	b.putToken(7, "tokenPub", "tokenPlay", false)
	b.putToken(8, "goneToken", "gonePlay", true)
	return b
}

// sign makes a query of our own scheme with a secret of doors.
func sign(scene urlsign.Scene, secret, name string, o urlsign.SignOptions) string {
	scheme, _ := urlsign.Lookup(DefaultScheme)
	if o.Expires.IsZero() {
		o.Expires = start.Add(time.Hour)
	}
	return string(scheme.AppendQuery(nil, urlsign.Target{Scene: scene, App: "live", Stream: name}, urlsign.Key{ID: "k1", Secret: []byte(secret)}, o))
}

func TestEachRequestGetsItsReason(t *testing.T) {
	t.Parallel()
	pub := sign(urlsign.Publish, "publish-secret", "x", urlsign.SignOptions{})
	view := sign(urlsign.Play, "play-secret", "x", urlsign.SignOptions{})
	elsewhere := urlsign.SignOptions{BindAddr: netip.MustParseAddr("192.0.2.8")}
	here := urlsign.SignOptions{BindAddr: netip.MustParseAddr("192.0.2.7")}
	expired := urlsign.SignOptions{Expires: start.Add(-time.Second)}
	for name, c := range map[string]struct {
		e    media.Event
		want media.Reason
	}{
		"no credential at the publish door":    {publish("x", ""), media.NoCredential},
		"no credential at the play door":       {play("x", ""), media.NoCredential},
		"parameters that are no credential":    {play("x", "a=b&vhost=h&tokens=tokenPlay"), media.NoCredential},
		"publish token publishes":              {publish("x", "token=tokenPub"), media.Allowed},
		"publish token plays":                  {play("x", "token=tokenPub"), media.Allowed},
		"play token plays":                     {play("x", "token=tokenPlay"), media.Allowed},
		"play token does not publish":          {publish("x", "token=tokenPlay"), media.WrongScene},
		"play_token is an alias for players":   {play("x", "play_token=tokenPlay"), media.Allowed},
		"play_token takes the publish secret":  {play("x", "play_token=tokenPub"), media.Allowed},
		"play_token is nothing to publishers":  {publish("x", "play_token=tokenPub"), media.NoCredential},
		"token comes before play_token":        {play("x", "play_token=tokenPlay&token=nonsense"), media.TokenUnknown},
		"token at the server URL too":          {publish("x", "token=tokenPub?token=tokenPub"), media.Allowed},
		"token in escapes":                     {publish("x", "token=%74okenPub"), media.Allowed},
		"two different tokens":                 {publish("x", "token=tokenPub&token=tokenPlay"), media.CredentialConflict},
		"two different play tokens":            {play("x", "play_token=tokenPlay&play_token=b"), media.CredentialConflict},
		"a good token and an empty one":        {publish("x", "token=tokenPub&token="), media.CredentialConflict},
		"unknown token":                        {publish("x", "token=nonsense"), media.TokenUnknown},
		"empty token":                          {publish("x", "token="), media.TokenUnknown},
		"bare token":                           {publish("x", "token"), media.TokenUnknown},
		"token of another case":                {publish("x", "token=TOKENPUB"), media.TokenUnknown},
		"revoked token":                        {publish("x", "token=goneToken"), media.TokenRevoked},
		"revoked play token":                   {play("x", "token=gonePlay"), media.TokenRevoked},
		"token of another stream":              {publish("y", "token=tokenPub"), media.WrongStream},
		"token of the same name elsewhere":     {with(publish("x", "token=tokenPub"), func(e *media.Event) { e.Stream.App = "vod" }), media.WrongStream},
		"token for a name with extension":      {play("x.flv", "token=tokenPlay"), media.WrongStream},
		"signature publishes":                  {publish("x", pub), media.Allowed},
		"signature plays":                      {play("x", view), media.Allowed},
		"signature of the other scene's rule":  {publish("x", view), media.SignatureMismatch},
		"signature that says another scene":    {publish("x", sign(urlsign.Play, "publish-secret", "x", urlsign.SignOptions{})), media.WrongScene},
		"signature of another stream":          {publish("y", pub), media.SignatureMismatch},
		"signature of another secret":          {publish("x", sign(urlsign.Publish, "guessed-secret", "x", urlsign.SignOptions{})), media.SignatureMismatch},
		"altered signature":                    {publish("x", strings.Replace(pub, "-17", "-27", 1)), media.SignatureMismatch},
		"expired signature":                    {publish("x", sign(urlsign.Publish, "publish-secret", "x", expired)), media.SignatureExpired},
		"signature of the last second":         {publish("x", sign(urlsign.Publish, "publish-secret", "x", urlsign.SignOptions{Expires: start})), media.Allowed},
		"signature for this address":           {publish("x", sign(urlsign.Publish, "publish-secret", "x", here)), media.Allowed},
		"signature for another address":        {publish("x", sign(urlsign.Publish, "publish-secret", "x", elsewhere)), media.WrongAddress},
		"signature for the whole application":  {publish("y", sign(urlsign.Publish, "publish-secret", "", urlsign.SignOptions{AppScope: true})), media.Allowed},
		"malformed signature":                  {publish("x", "sd=hello"), media.SignatureMalformed},
		"empty signature":                      {publish("x", "sd="), media.SignatureMalformed},
		"two different signatures":             {publish("x", pub+"&sd=hello"), media.CredentialConflict},
		"the same signature twice":             {publish("x", pub+"?"+pub), media.Allowed},
		"good signature after a bad token":     {publish("x", "token=nonsense&"+pub), media.Allowed},
		"good token before a bad signature":    {publish("x", "sd=hello&token=tokenPub"), media.Allowed},
		"two bad ones: the token is named":     {publish("x", "sd=hello&token=goneToken"), media.TokenRevoked},
		"ended room":                           {publish("ended", ""), media.RoomEnded},
		"ended room, whatever the credential":  {publish("ended", "token=tokenPub&"+sign(urlsign.Publish, "publish-secret", "ended", urlsign.SignOptions{})), media.RoomEnded},
		"ended room still plays":               {play("ended", sign(urlsign.Play, "play-secret", "ended", urlsign.SignOptions{})), media.Allowed},
		"ended room's name in another app":     {with(publish("ended", ""), func(e *media.Event) { e.Stream.App = "other" }), media.NoCredential},
		"no name":                              {publish("", "token=tokenPub"), media.InvalidStream},
		"no app":                               {with(publish("x", pub), func(e *media.Event) { e.Stream.App = "" }), media.InvalidStream},
		"a path for a name":                    {publish("a/x", pub), media.InvalidStream},
		"a way out":                            {publish("..x", pub), media.InvalidStream},
		"an escape":                            {publish("x%2e", pub), media.InvalidStream},
		"a query in the name":                  {publish("x?token=tokenPub", ""), media.InvalidStream},
		"a blank in the name":                  {publish("x y", pub), media.InvalidStream},
		"a line in the name":                   {publish("x\n", pub), media.InvalidStream},
		"a backslash":                          {publish(`x\y`, pub), media.InvalidStream},
		"257 bytes":                            {publish(strings.Repeat("x", 257), pub), media.InvalidStream},
		"256 bytes":                            {publish(strings.Repeat("x", 256), ""), media.NoCredential},
		"an app of two parts":                  {with(publish("x", ""), func(e *media.Event) { e.Stream.App = "live/sub" }), media.NoCredential},
		"an app with a slash too many":         {with(publish("x", pub), func(e *media.Event) { e.Stream.App = "live/" }), media.InvalidStream},
		"an app with an empty part":            {with(publish("x", pub), func(e *media.Event) { e.Stream.App = "live//sub" }), media.InvalidStream},
		"an app that leads out":                {with(publish("x", pub), func(e *media.Event) { e.Stream.App = "live/.." }), media.InvalidStream},
		"a vhost of 257 bytes":                 {with(publish("x", pub), func(e *media.Event) { e.Stream.Vhost = strings.Repeat("v", 257) }), media.InvalidStream},
		"letters outside ASCII":                {publish("房间", ""), media.NoCredential},
		"an update of neither side":            {event(media.Updated, "x", "token=tokenPub"), media.WrongScene},
		"an event that asks nothing":           {event(media.Disconnected, "x", "token=tokenPub"), media.WrongScene},
		"an update of a publisher":             {with(event(media.Updated, "x", pub), func(e *media.Event) { e.On = media.Publish }), media.Allowed},
		"an update of a player as a publisher": {with(event(media.Updated, "x", view), func(e *media.Event) { e.On = media.Publish }), media.SignatureMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := doors(t)
			b.RoomClosed("ended")
			b.reason(t, c.e, c.want)
		})
	}
}

func with(e media.Event, change func(*media.Event)) media.Event {
	change(&e)
	return e
}

func TestCredentialTellsWhatAdmittedOrWasRefused(t *testing.T) {
	t.Parallel()
	b := doors(t)
	for query, want := range map[string]Credential{
		"token=tokenPub":  {Kind: ByLiveToken, ID: "7", Subject: "alice"},
		"token=tokenPlay": {Kind: ByLiveToken, ID: "7", Subject: "alice"},
		sign(urlsign.Play, "play-secret", "x", urlsign.SignOptions{}):                     {Kind: BySignature, ID: "2/k1"},
		"token=tokenPub&" + sign(urlsign.Play, "play-secret", "x", urlsign.SignOptions{}): {Kind: ByLiveToken, ID: "7", Subject: "alice"},
	} {
		if d := b.ask(t, play("x", query)); d.Credential != want {
			t.Errorf("?%s is admitted by %+v, want %+v", query, d.Credential, want)
		}
	}
	for query, want := range map[string]Credential{
		"token=goneToken": {Kind: ByLiveToken, ID: "8", Subject: "alice"},
		"token=nobodys":   {Kind: ByLiveToken},
		sign(urlsign.Play, "play-secret", "y", urlsign.SignOptions{}):    {Kind: BySignature, ID: "2/"},
		sign(urlsign.Publish, "play-secret", "x", urlsign.SignOptions{}): {Kind: BySignature, ID: "2/k1"},
		"": {},
	} {
		if d := b.ask(t, play("x", query)); d.Allow || d.Credential != want {
			t.Errorf("?%s: allowed %v, brought %+v, want %+v", query, d.Allow, d.Credential, want)
		}
	}
	b.Policy = OpenByDefault
	b.view.clear()
	if d := b.ask(t, play("x", "")); d.Credential != (Credential{Kind: ByPolicy}) {
		t.Errorf("the open policy names %+v", d.Credential)
	}
}

func TestBadCredentialsAreRefusedUnderEveryPolicy(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(b *bundle){
		"open policy without rules": func(b *bundle) { b.view.rules = newRules(); b.Policy = OpenByDefault },
		"rules switched off": func(b *bundle) {
			for _, r := range b.view.rules.byID {
				r.enabled = false
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := doors(t)
			open(b)
			b.reason(t, publish("x", ""), media.OpenPolicy)
			b.reason(t, play("x", "a=b"), media.OpenPolicy)
			b.reason(t, publish("x", "token=tokenPub"), media.Allowed)
			b.reason(t, publish("x", "token=nonsense"), media.TokenUnknown)
			b.reason(t, publish("x", "token=goneToken"), media.TokenRevoked)
			b.reason(t, publish("y", "token=tokenPub"), media.WrongStream)
			b.reason(t, publish("x", "token=tokenPlay"), media.WrongScene)
			b.reason(t, publish("x", "token=a&token=b"), media.CredentialConflict)
			b.reason(t, publish("a/b", ""), media.InvalidStream)
			b.RoomClosed("x")
			b.reason(t, publish("x", ""), media.RoomEnded)
			if len(b.view.rules.byID) == 0 {
				return
			}
			b.reason(t, play("x", "sd=hello"), media.SignatureMalformed)
			b.reason(t, play("x", sign(urlsign.Play, "guess-secret", "x", urlsign.SignOptions{})), media.SignatureMismatch)
			b.reason(t, play("x", sign(urlsign.Play, "play-secret", "x", urlsign.SignOptions{Expires: start.Add(-1e9)})), media.SignatureExpired)
		})
	}
}

// Without a rule there is nothing that a signature could be checked with: it is
// a parameter like any other.
func TestWithoutARuleASignatureIsNoCredential(t *testing.T) {
	t.Parallel()
	b := pure(t)
	b.reason(t, play("x", "sd=hello"), media.NoCredential)
	b.Policy = OpenByDefault
	b.reason(t, play("x", "sd=hello"), media.OpenPolicy)
}

func TestAnyRuleClosesTheDoorThatThePolicyLeavesOpen(t *testing.T) {
	t.Parallel()
	b := doors(t)
	b.Policy = OpenByDefault
	b.reason(t, publish("x", ""), media.NoCredential)
	b.reason(t, play("x", ""), media.NoCredential)
}

func TestEachKeyStateVerifiesButRevoked(t *testing.T) {
	t.Parallel()
	b := pure(t)
	b.putRule(t, db.AuthRule{ID: 1, Scene: "play", Enabled: true}, key(1, "k1", "secret-next", KeyNext))
	for state, want := range map[KeyState]media.Reason{
		KeyNext: media.Allowed, KeyActive: media.Allowed, KeyRetiring: media.Allowed, KeyRevoked: media.KeyRevoked,
	} {
		b.putRule(t, db.AuthRule{ID: 1, Scene: "play", Enabled: true}, key(1, "k1", "some-secret", state))
		b.reason(t, play("x", sign(urlsign.Play, "some-secret", "x", urlsign.SignOptions{})), want)
	}
}

func TestEveryStatusOfASignatureHasAReason(t *testing.T) {
	t.Parallel()
	for status := urlsign.Absent; status.String() != "unknown"; status++ {
		if status == urlsign.Absent || status == urlsign.Valid {
			continue
		}
		if statusReasons[status] == "" {
			t.Errorf("a signature that is %s has no reason: it would pass for none at all", status)
		}
	}
}

func TestExpiryDoesNotEndASessionButRevocationDoes(t *testing.T) {
	t.Parallel()
	b := doors(t)
	update := with(event(media.Updated, "x", sign(urlsign.Publish, "publish-secret", "x", urlsign.SignOptions{})), func(e *media.Event) { e.On = media.Publish })
	later := start.Add(30 * 24 * time.Hour)
	if d := b.Decide(t.Context(), later, update); d.Reason != media.SignatureExpired {
		t.Errorf("a new session: %s", d.Reason)
	}
	if d := b.Recheck(later, update); !d.Allow {
		t.Errorf("the running session: %s", d.Reason)
	}
	b.putRule(t, db.AuthRule{ID: 1, Scene: "publish", Enabled: true}, key(11, "k1", "publish-secret", KeyRevoked))
	if d := b.Recheck(later, update); d.Allow || d.Reason != media.KeyRevoked {
		t.Errorf("after its key was revoked: %+v", d)
	}
	update.Query = "token=tokenPub"
	if d := b.Recheck(later, update); !d.Allow {
		t.Errorf("a session by token: %s", d.Reason)
	}
	b.putToken(7, "tokenPub", "tokenPlay", true)
	if d := b.Recheck(later, update); d.Reason != media.TokenRevoked {
		t.Errorf("after its token was destroyed: %s", d.Reason)
	}
	b.RoomClosed("x")
	if d := b.Recheck(later, update); d.Reason != media.RoomEnded {
		t.Errorf("after its room ended: %s", d.Reason)
	}
}
