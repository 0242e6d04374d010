package node_test

import (
	"net/netip"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/node"
)

func TestASignatureIsThatOfANodeOfTheKind(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	secrets := map[string]string{
		"one":    create(t, s, "one", node.Settings{Kind: node.KindOME}),
		"two":    create(t, s, "two", node.Settings{Kind: node.KindOME, Sources: prefixes("192.0.2.0/24")}),
		"cdn":    create(t, s, "cdn", node.Settings{Kind: node.KindAliyun}),
		"srs":    create(t, s, "srs", node.Settings{Kind: node.KindSRS}),
		"nobody": "a guess",
	}
	inside, outside := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("203.0.113.7")
	for name, c := range map[string]struct {
		kind, named, key string
		from             netip.Addr
		want             string
	}{
		"its own":                          {node.KindOME, "one", "one", outside, "one"},
		"another's of the kind":            {node.KindOME, "one", "two", inside, ""},
		"nobody's":                         {node.KindOME, "one", "nobody", outside, ""},
		"from where it may come":           {node.KindOME, "two", "two", inside, "two"},
		"in other words":                   {node.KindOME, "two", "two", netip.MustParseAddr("::ffff:192.0.2.7"), "two"},
		"from elsewhere":                   {node.KindOME, "two", "two", outside, ""},
		"of another kind":                  {node.KindOME, "cdn", "cdn", outside, ""},
		"of a kind that does not sign":     {node.KindSRS, "srs", "srs", outside, ""},
		"of no node":                       {node.KindOME, "three", "one", outside, ""},
		"not named":                        {node.KindOME, "", "two", inside, "two"},
		"not named, from elsewhere":        {node.KindOME, "", "two", outside, ""},
		"not named, of another kind":       {node.KindAliyun, "", "one", outside, ""},
		"not named, the only one":          {node.KindAliyun, "", "cdn", outside, "cdn"},
		"the local node has no secret":     {node.KindAny, node.Local, "nobody", netip.MustParseAddr("127.0.0.1"), ""},
		"an empty key is nobody's":         {node.KindOME, "", "", outside, ""},
		"nobody is asked without a secret": {"", "", "nobody", outside, ""},
	} {
		calls := 0
		got, err := s.AuthenticateSigned(c.kind, c.named, c.from, func(key []byte) bool {
			calls++
			return string(key) == secrets[c.key]
		})
		if got.Name != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q %v", name, got.Name, err)
		}
		if err != nil {
			wantErr(t, err, errs.Forbidden, string(media.Unauthenticated))
		}
		if calls == 0 {
			t.Errorf("%s: answered without looking, which tells that nobody is there", name)
		}
	}
}

func TestANewSecretSignsAtOnceAndADeletedNodeNoMore(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	old := create(t, s, "cdn", node.Settings{Kind: node.KindAliyun})
	signs := func(secret string) bool {
		_, err := s.AuthenticateSigned(node.KindAliyun, "", netip.MustParseAddr("203.0.113.7"), func(key []byte) bool { return string(key) == secret })
		return err == nil
	}
	if len(old) != 32 || !signs(old) {
		t.Errorf("secret %q signs: %v", old, signs(old))
	}
	fresh, err := s.RotateSecret(t.Context(), "cdn")
	if err != nil || len(fresh) != 32 || signs(old) || !signs(fresh) {
		t.Errorf("after rotation: %v, %q, %v, %v", err, fresh, signs(old), signs(fresh))
	}
	if err := s.Delete(t.Context(), "cdn"); err != nil || signs(fresh) {
		t.Errorf("after deletion: %v", err)
	}
}
