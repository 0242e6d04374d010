package urlsign

import "testing"

func TestRTCTokenMatchesTheVendor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		appID, appKey, channel, user, nonce string
		expires                             int64
		want                                string
	}{
		// The first is published by the vendor.
		{"abc", "abckey", "abcChannel", "abcUser", "", 1699423634, "3c9ee8d9f8734f0b7560ed8022a0590659113955819724fc9345ab8eedf84f31"},
		{
			"7c61616e-480b-4de6-b3fc-95cef48f5b53", "rtcappkey0123456789", "66584c06-347f-47c6-8a18-fa2860c563ba", "Cedric8", "", 1700086400,
			"880f39288ea241317cbfd1a4fc2f9c19ccb9f9f90c07a1f8ce0c62c4ff48f58a",
		},
	} {
		if got := RTCToken(c.appID, c.appKey, c.channel, c.user, c.nonce, c.expires); got != c.want {
			t.Errorf("%s: %s, want %s", c.user, got, c.want)
		}
	}
}

func TestIMTokenMatchesTheVendor(t *testing.T) {
	t.Parallel()
	for role, want := range map[string]string{
		"":      "8646be12f1ab2dce5c86a3b4c4857f0cf76dbf4e3fc0445369b037bb27e3451e",
		"admin": "d5fd214b2699c9e22d0f2759a081269cff229eaca2b4ea3f40cc3debf551d381",
	} {
		if got := IMToken("demoapp", "demoappkey", "user1", "0123456789abcdef0123456789abcdef", 1700172800, role); got != want {
			t.Errorf("role %q: %s, want %s", role, got, want)
		}
	}
}

func TestEveryFieldOfATokenCounts(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, token := range []string{
		RTCToken("a", "k", "c", "u", "", 1), RTCToken("b", "k", "c", "u", "", 1), RTCToken("a", "l", "c", "u", "", 1),
		RTCToken("a", "k", "d", "u", "", 1), RTCToken("a", "k", "c", "v", "", 1), RTCToken("a", "k", "c", "u", "n", 1), RTCToken("a", "k", "c", "u", "", 2),
		IMToken("a", "k", "u", "n", 1, ""), IMToken("b", "k", "u", "n", 1, ""), IMToken("a", "l", "u", "n", 1, ""),
		IMToken("a", "k", "v", "n", 1, ""), IMToken("a", "k", "u", "m", 1, ""), IMToken("a", "k", "u", "n", 2, ""), IMToken("a", "k", "u", "n", 1, "admin"),
	} {
		if len(token) != 64 || seen[token] {
			t.Errorf("token %q", token)
		}
		seen[token] = true
	}
}

func TestPushCallbackSignatureMatchesTheReference(t *testing.T) {
	t.Parallel()
	if got := PushCallbackSignature("push.example.com", "1700000000", "cbkey0123456789"); got != "b4cdf249b28a4bf8abdf4364db69d056" {
		t.Error(got)
	}
}
