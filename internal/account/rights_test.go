package account

import (
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

func TestRights(t *testing.T) {
	t.Parallel()
	for i, tc := range []struct {
		patterns, path string
		want           bool
	}{
		{"*", "/a/b", true},
		{"*", "/", true},
		{"/*", "/a/b", true},
		{"/*", "/", true},
		{"*/a", "/b/a", false},
		{"/a", "/a", true},
		{"/a", "/a/", true},
		{"a", "/a", true},
		{"/a/", "/a", true},
		{"/a", "/a/b", false},
		{"/A", "/a", true},
		{"/a", "/ab", false},
		{"/a/*", "/a", true},
		{"/a/*", "/a/b/c", true},
		{"/a/*", "/ab", false},
		{"/a/*/c", "/a/b/c", false},
		{"/a/**", "/a/b", false},
		{"/a/b*", "/a/bc", false},
		{"+", "/a", true},
		{"+", "/a/b", false},
		{"/a/+", "/a", false},
		{"/a/+", "/a/b", true},
		{"/a/+/c", "/a/b/c", true},
		{"/a/+/c", "/a/c", false},
		{"/a/+/c", "/a//c", true},
		{"/a/+/c/*", "/a/b/c", true},
		{"/a/+/c/*", "/a/b/c/d/e", true},
		{"/a/+/c/*", "/a/c/d/e", false},
		{"/a/+/*", "/a", false},
		{"/a/+/*", "/a/b/c/d", true},
		{"/a/x+", "/a/x1", false},
		{"/a;/b", "/b", true},
		{"/a ; /b", "/b", true},
		{"/a;;/b", "/b", true},
		{";", "/a", false},
		{"", "/a", false},
		{"", "/", false},
		{";*", "/z", true},
		{"/a,/b", "/b", false},
		{"/a /b", "/a/b", false},
		{"/", "/", true},
		{"/", "/a", false},
		{"/房间/*", "/房间/门", true},
		{"/a/*", "/a/../b", true}, // which is why callers pass canonical paths

		// What follows from the grammar.
		{"/a/*/c", "/a/*/c", true},
		{"/a/**", "/a/**", true},
		{"/a/x+", "/A/X+", true},
		{"/live/Room", "/LIVE/rOOM", true},
		{"\t/a\u3000;", "/a", true},
		{"**", "/a", false},
		{"*;/a", "/z/y/x", true},
		{"//a//", "/a", true},
		{"+/+", "/a/b", true},
		{"+/+", "/a", false},
		{"+/+", "/a/b/c", false},
		{"+/*", "/a/b/c", true},
	} {
		if got := ParseRights(tc.patterns).Allow(tc.path); got != tc.want {
			t.Errorf("%d: %q of %q: got %v", i+1, tc.path, tc.patterns, got)
		}
	}
	if (Rights{}).Allow("/a") {
		t.Error("no rights at all allow")
	}
}

func TestAMatchCostsNoMemory(t *testing.T) { // not parallel: AllocsPerRun does not allow it
	r := ParseRights("/a/+/c/*;/live/*;/x")
	if n := testing.AllocsPerRun(100, func() { r.Allow("/live/room/1"); r.Allow("/nothing/of/that") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// The matcher against another way of saying the same: a pattern covers a path
// when it equals it after its wildcards were replaced by what stands there.
func FuzzRights(f *testing.F) {
	for _, s := range []string{"*", "/a/+/c/*", "/a ; /b", ";;", "/房间/*", "\xff/*", "+", "/"} {
		f.Add(s, "/a/b/c")
		f.Add(s, "/")
		f.Add(s, "/房间/\xff")
	}
	f.Fuzz(func(t *testing.T, patterns, path string) {
		if got, want := ParseRights(patterns).Allow(path), slowAllow(patterns, path); got != want {
			t.Errorf("%q of %q: got %v, want %v", path, patterns, got, want)
		}
	})
}

func slowAllow(patterns, path string) bool {
	there := strings.Split(strings.Trim(strings.ToLower(path), "/"), "/")
	for _, p := range strings.Split(patterns, ";") {
		if strings.TrimSpace(p) == "" {
			continue
		}
		want := strings.Split(strings.Trim(strings.ToLower(strings.TrimSpace(p)), "/"), "/")
		if n := len(want) - 1; want[n] == "*" && len(there) >= n {
			want = append(want[:n:n], there[n:]...)
		}
		for i := range want {
			if want[i] == "+" && i < len(there) {
				want[i] = there[i]
			}
		}
		if len(want) == len(there) && strings.Join(want, "/") == strings.Join(there, "/") {
			return true
		}
	}
	return false
}

func TestPrincipalsHaveTheRightsOfTheirAccount(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice", func(n *NewAccount) { n.Push, n.Pull = "/live/alice", "/live/*" })
	b.create(t, "root", func(n *NewAccount) { n.Admin, n.Push = true, "/only/this" })
	alice, root := b.authenticate(t, b.login(t, "alice")), b.authenticate(t, b.login(t, "root"))
	for path, want := range map[string][2]bool{"/live/alice": {true, true}, "/live/bob": {false, true}, "/vod/x": {false, false}} {
		if got := [2]bool{alice.MayPush(path), alice.MayPull(path)}; got != want {
			t.Errorf("%s: got %v, want %v", path, got, want)
		}
		if !root.MayPush(path) || !root.MayPull(path) {
			t.Errorf("%s: refused to an administrator", path)
		}
	}
	if p := (Principal{Account: Account{Push: "/a"}}); !p.MayPush("/a") || p.MayPull("/a") {
		t.Error("a principal made by hand has other rights than its account")
	}
}

func TestRightsAreChecked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	for _, bad := range []string{"a\nb", "\xff", strings.Repeat("x", maxRights+1)} {
		_, err := b.Update(t.Context(), System(), "alice", Changes{Push: &bad})
		wantField(t, err, errs.Invalid, "invalid_push", "push")
		_, err = b.Save(t.Context(), System(), Save{Username: "alice", Pull: bad})
		wantField(t, err, errs.Invalid, "invalid_pull", "pull")
		system := System()
		_, err = b.Register(t.Context(), &system, NewAccount{Username: "bob", Password: goodPassword, Push: bad})
		wantField(t, err, errs.Invalid, "invalid_push", "push")
	}
	b.update(t, "alice", Changes{Push: ptr(strings.Repeat("房", maxRights))})
}

// A right that is narrowed, and an administrator who is demoted, lose it at once
// with the tokens they have.
func TestNarrowedRightsTakeEffectAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.another(t)
	there := other.follow(t)
	b.create(t, "root", asAdmin)
	there.CatchUp(t)
	b.create(t, "alice", func(n *NewAccount) { n.Push = "/live/*" })
	there.CatchUp(t)
	token := b.login(t, "alice")
	other.authenticate(t, token)
	check := func(path string, want bool) {
		t.Helper()
		for i, s := range []*bundle{b, other} {
			if got := s.authenticate(t, token).MayPush(path); got != want {
				t.Errorf("process %d, %s: got %v", i, path, got)
			}
		}
	}
	check("/live/x", true)
	b.update(t, "alice", Changes{Push: ptr("/live/y")})
	there.CatchUp(t)
	check("/live/x", false)
	b.update(t, "alice", Changes{Admin: ptr(true)})
	there.CatchUp(t)
	check("/any/thing", true)
	b.update(t, "alice", Changes{Admin: ptr(false)})
	there.CatchUp(t)
	check("/any/thing", false)
	check("/live/y", true)
}

func TestAnAdministratorsEmptyRightIsAll(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "root", asAdmin)
	steps := []struct {
		change     Changes
		push, pull string
	}{
		{Changes{Push: ptr("/a")}, "/a", ""},
		{Changes{Admin: ptr(true)}, "/a", "*"},
		{Changes{Push: ptr("")}, "*", "*"},
		{Changes{Admin: ptr(true)}, "*", "*"},
		{Changes{Admin: ptr(false)}, "", ""}, // what was written for the office goes with it
		{Changes{Admin: ptr(false)}, "", ""},
		{Changes{Admin: ptr(true), Push: ptr("/b")}, "/b", "*"},
		{Changes{Admin: ptr(false), Pull: ptr("*")}, "/b", "*"},
		{Changes{PermissionLevel: ptr(1)}, "/b", "*"},
		{Changes{Pull: ptr("")}, "/b", ""},
	}
	b.create(t, "alice")
	for i, step := range steps {
		if a := b.update(t, "alice", step.change); a.Push != step.push || a.Pull != step.pull {
			t.Errorf("step %d: got %q and %q, want %q and %q", i+1, a.Push, a.Pull, step.push, step.pull)
		}
	}
	if a, err := b.Get(t.Context(), "root"); err != nil || a.Push != "*" || a.Pull != "*" {
		t.Errorf("got %+v, %v", a, err)
	}
}
