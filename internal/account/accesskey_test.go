package account

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

func (b *bundle) key(t testing.TB, username string) (AccessKey, string) {
	t.Helper()
	key, secret, err := b.CreateAccessKey(t.Context(), System(), username, "")
	if err != nil {
		t.Fatal(err)
	}
	return key, secret
}

func (b *bundle) holder(t testing.TB, id string) ([]byte, Principal) {
	t.Helper()
	secret, p, err := b.KeyHolder(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return secret, p
}

func (b *bundle) noHolder(t testing.TB, id, reason string) {
	t.Helper()
	secret, p, err := b.KeyHolder(t.Context(), id)
	wantErr(t, err, errs.Unauthorized, reason)
	if secret != nil || p != (Principal{}) {
		t.Errorf("%s: an error, and a secret or a holder", id)
	}
}

func (b *bundle) listKeys(t testing.TB, caller Principal, username string) []AccessKey {
	t.Helper()
	keys, err := b.ListAccessKeys(t.Context(), caller, username)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestAnAccessKeyNamesItsHolder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	created := b.create(t, "Alice", func(n *NewAccount) { n.Push = "/live/*" })
	key, secret, err := b.CreateAccessKey(t.Context(), System(), "alice", "the encoder in room 3")
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^AKSD[A-Z0-9]{20}$`).MatchString(key.ID) || len(secret) < 40 {
		t.Errorf("got %q and a secret of %d characters", key.ID, len(secret))
	}
	want := AccessKey{ID: key.ID, Username: "Alice", Comment: "the encoder in room 3", CreatedAt: b.clock.now()}
	if key != want {
		t.Errorf("got %+v, want %+v", key, want)
	}
	b.db.statements.Store(0)
	got, p := b.holder(t, key.ID)
	if string(got) != secret || p.Account != created || p.TokenID != "" || !p.MayPush("/live/x") || p.MayPull("/live/x") {
		t.Errorf("got %+v", p)
	}
	clear(got) // the caller's own
	if again, _ := b.holder(t, key.ID); string(again) != secret {
		t.Error("a caller changed the secret")
	}
	if n := b.db.statements.Load(); n != 0 {
		t.Errorf("%d statements, want memory alone", n)
	}
	b.update(t, "alice", Changes{Push: ptr("")})
	if _, p := b.holder(t, key.ID); p.MayPush("/live/x") {
		t.Error("the key kept a right that its account lost")
	}
}

func TestSecretsOfAccessKeysAreSealed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	key, secret := b.key(t, "alice")
	other, _ := b.key(t, "alice")
	var sealed []byte
	if err := b.pool.QueryRow(t.Context(), "SELECT secret_sealed FROM access_keys WHERE id = $1", key.ID).Scan(&sealed); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte(secret)) {
		t.Error("the secret is stored as it is")
	}
	// A sealed secret does not open in the row of another key.
	b.exec(t, "UPDATE access_keys SET secret_sealed = $1 WHERE id = $2", sealed, other.ID)
	if err := b.Apply(t.Context(), b.pool, pg.Change{Table: "access_keys", Key: other.ID}); err == nil {
		t.Error("it opened")
	}
	if err := b.Reload(t.Context(), b.pool); err == nil {
		t.Error("reloading took it")
	}
}

func TestRevokingAnAccessKeyEndsItEverywhere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.another(t)
	there := other.follow(t)
	b.create(t, "alice")
	there.CatchUp(t)
	key, _ := b.key(t, "alice")
	there.CatchUp(t)
	b.clock.add(time.Second)
	kept, _ := b.key(t, "alice")
	there.CatchUp(t)
	other.holder(t, key.ID)
	for range 2 { // once more does no harm
		if err := b.RevokeAccessKey(t.Context(), System(), key.ID); err != nil {
			t.Fatal(err)
		}
		there.CatchUp(t)
		for _, s := range []*bundle{b, other, b.another(t)} {
			s.noHolder(t, key.ID, "access_key_revoked")
			s.holder(t, kept.ID)
		}
		b.clock.add(time.Minute)
	}
	if keys := b.listKeys(t, System(), "ALICE"); len(keys) != 2 || keys[0].RevokedAt == nil ||
		!keys[0].RevokedAt.Equal(b.clock.now().Add(-2*time.Minute)) || keys[1].RevokedAt != nil {
		t.Errorf("listed %+v", keys)
	}
	wantErr(t, b.RevokeAccessKey(t.Context(), System(), "AKSD"+strings.Repeat("A", 20)), errs.NotFound, "access_key_not_found")
	wantErr(t, b.RevokeAccessKey(t.Context(), System(), "nonsense"), errs.NotFound, "access_key_not_found")
}

// A row that was read just before its revocation must not undo it.
func TestARevokedAccessKeyStaysRevoked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	key, _ := b.key(t, "alice")
	row, err := b.q.AccessKeyByID(t.Context(), b.pool, key.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.RevokeAccessKey(t.Context(), System(), key.ID); err != nil {
		t.Fatal(err)
	}
	if err := b.putAccessKey(row); err != nil {
		t.Fatal(err)
	}
	b.noHolder(t, key.ID, "access_key_revoked")
	held, err := b.openAccessKey(row)
	if err != nil {
		t.Fatal(err)
	}
	b.memory.replaceKeys(map[string]heldKey{key.ID: held}, 0)
	b.noHolder(t, key.ID, "access_key_revoked")
}

func TestAccessKeysStandAndFallWithTheirAccount(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	key, _ := b.key(t, "alice")
	b.update(t, "alice", Changes{Disabled: ptr(true)})
	b.noHolder(t, key.ID, "account_disabled")
	b.update(t, "alice", Changes{Disabled: ptr(false)})
	b.holder(t, key.ID)
	b.update(t, "alice", Changes{Password: ptr("another good password")}) // a key is no login
	b.holder(t, key.ID)
	b.exec(t, "DELETE FROM accounts")
	if err := b.Apply(t.Context(), b.pool, pg.Change{Table: "accounts", Key: "alice"}); err != nil {
		t.Fatal(err)
	}
	b.create(t, "alice") // somebody else, though the change of the key has not arrived
	b.noHolder(t, key.ID, "access_key_unknown")
}

func TestWhoMayHandleAccessKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	b.create(t, "bob")
	alice := b.authenticate(t, b.login(t, "alice"))
	bobs, _ := b.key(t, "bob")
	own, _, err := b.CreateAccessKey(t.Context(), alice, "ALICE", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, username := range []string{"bob", "nobody", ""} {
		_, _, err := b.CreateAccessKey(t.Context(), alice, username, "")
		wantErr(t, err, errs.Forbidden, "admin_only")
		_, err = b.ListAccessKeys(t.Context(), alice, username)
		wantErr(t, err, errs.Forbidden, "admin_only")
		_, err = b.ListAccessKeys(t.Context(), Principal{}, username)
		wantErr(t, err, errs.Forbidden, "admin_only")
	}
	if keys := b.listKeys(t, alice, "alice"); len(keys) != 1 || keys[0].ID != own.ID {
		t.Errorf("listed %+v", keys)
	}
	wantErr(t, b.RevokeAccessKey(t.Context(), alice, bobs.ID), errs.NotFound, "access_key_not_found")
	b.holder(t, bobs.ID)
	if err := b.RevokeAccessKey(t.Context(), alice, own.ID); err != nil {
		t.Error(err)
	}
	if keys := b.listKeys(t, System(), ""); len(keys) != 2 || keys[0].Username != "alice" || keys[1].Username != "bob" {
		t.Errorf("listed %+v", keys)
	}
	if keys := b.listKeys(t, System(), "a/b"); len(keys) != 0 {
		t.Errorf("listed %+v", keys)
	}
}

func TestCreateAccessKeySaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	for _, name := range []string{"nobody", "", "a/b"} {
		_, _, err := b.CreateAccessKey(t.Context(), System(), name, "")
		wantErr(t, err, errs.NotFound, "account_not_found")
	}
	for _, comment := range []string{"a\nb", "\xff", strings.Repeat("x", maxKeyComment+1)} {
		_, _, err := b.CreateAccessKey(t.Context(), System(), "alice", comment)
		wantField(t, err, errs.Invalid, "invalid_comment", "comment")
	}
	b.db.down.Store(true)
	_, _, err := b.CreateAccessKey(t.Context(), System(), "alice", "")
	wantErr(t, err, errs.Unavailable, "temporarily_unavailable")
	_, err = b.ListAccessKeys(t.Context(), System(), "")
	wantErr(t, err, errs.Unavailable, "temporarily_unavailable")
	wantErr(t, b.RevokeAccessKey(t.Context(), System(), "AKSD"+strings.Repeat("A", 20)), errs.Unavailable, "temporarily_unavailable")
}

func TestAnAccountHasOnlySoManyAccessKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.another(t)
	b.create(t, "alice")
	var mu sync.Mutex
	var made []string
	var wg sync.WaitGroup
	for i := range maxKeysPerAccount + 10 {
		wg.Go(func() {
			key, _, err := []*bundle{b, other}[i%2].CreateAccessKey(t.Context(), System(), "alice", "")
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				made = append(made, key.ID)
			} else if errs.As(err).Reason != "access_key_limit" {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(made) != maxKeysPerAccount {
		t.Fatalf("%d keys", len(made))
	}
	if err := b.RevokeAccessKey(t.Context(), System(), made[0]); err != nil {
		t.Fatal(err)
	}
	b.key(t, "alice")
}

func TestAnAccessKeyThatIsNewerThanMemoryIsLookedUpOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.another(t)
	b.create(t, "alice")
	key, secret := b.key(t, "alice")
	other.db.statements.Store(0)
	for range 3 {
		if got, p := other.holder(t, key.ID); string(got) != secret || p.Username != "alice" {
			t.Errorf("got %+v", p)
		}
	}
	if n := other.db.statements.Load(); n != 2 { // the key and its account
		t.Errorf("%d statements", n)
	}
}

func TestUnknownAccessKeysCannotWearTheDatabaseOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	unknown := func(i int) string {
		return "AKSD" + strings.Repeat("A", 18) + string(upperDigits[i/len(upperDigits)]) + string(upperDigits[i%len(upperDigits)])
	}
	b.db.statements.Store(0)
	for _, garbage := range []string{"", "AKSD", "x", strings.Repeat("A", 24), "AKSD" + strings.Repeat("a", 20), "AKSD" + strings.Repeat("A", 21),
		"aksd" + strings.Repeat("A", 20), "AKSD" + strings.Repeat("é", 10)} {
		b.noHolder(t, garbage, "access_key_unknown")
	}
	if n := b.db.statements.Load(); n != 0 {
		t.Fatalf("%d statements for what cannot be a key", n)
	}
	b.noHolder(t, unknown(0), "access_key_unknown")
	b.clock.add(missingFor - time.Nanosecond)
	b.noHolder(t, unknown(0), "access_key_unknown")
	if n := b.db.statements.Load(); n != 1 {
		t.Errorf("%d statements for one key", n)
	}
	b.clock.add(time.Nanosecond)
	b.noHolder(t, unknown(0), "access_key_unknown")
	if n := b.db.statements.Load(); n != 2 {
		t.Errorf("%d statements after its time", n)
	}
	b.clock.add(time.Second)
	b.db.statements.Store(0)
	for i := range 2 * keyLookUpsPerSecond {
		_, _, err := b.KeyHolder(t.Context(), unknown(i+1))
		if i < keyLookUpsPerSecond {
			wantErr(t, err, errs.Unauthorized, "access_key_unknown")
		} else {
			wantErr(t, err, errs.Unavailable, "temporarily_unavailable")
		}
	}
	if n := b.db.statements.Load(); n != keyLookUpsPerSecond {
		t.Errorf("%d statements", n)
	}
}

func TestAccessKeysWithoutADatabase(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.another(t)
	b.create(t, "alice")
	key, _ := b.key(t, "alice")
	newer, _ := b.key(t, "alice")
	other.holder(t, key.ID)
	other.db.down.Store(true)
	other.holder(t, key.ID) // from memory
	_, _, err := other.KeyHolder(t.Context(), newer.ID)
	wantErr(t, err, errs.Unavailable, "temporarily_unavailable")
	other.db.down.Store(false)
	other.holder(t, newer.ID) // a failure is not remembered
}

func TestUseOfAccessKeysIsWrittenDownInBatches(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	first, _ := b.key(t, "alice")
	b.clock.add(time.Second)
	second, _ := b.key(t, "alice")
	used := func() (at [2]*time.Time) {
		t.Helper()
		for i, key := range b.listKeys(t, System(), "alice") {
			at[i] = key.LastUsedAt
		}
		return at
	}
	flush := func() {
		t.Helper()
		if err := b.FlushKeyUse(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	b.holder(t, first.ID) // whoever knows an id has not used the key
	flush()
	if at := used(); at[0] != nil || at[1] != nil {
		t.Errorf("used at %v", at)
	}
	b.db.statements.Store(0)
	for range 10 {
		b.KeyUsed(first.ID)
		b.KeyUsed(second.ID)
		b.clock.add(time.Millisecond)
	}
	flush()
	flush()
	if n := b.db.statements.Load(); n != 1 {
		t.Errorf("%d statements", n)
	}
	last := b.clock.now().Add(-time.Millisecond)
	if at := used(); at[0] == nil || at[1] == nil || !at[0].Equal(last) || !at[1].Equal(last) {
		t.Errorf("used at %v, want %s", at, last)
	}

	b.KeyUsed(first.ID)
	b.db.down.Store(true)
	wantErr(t, b.FlushKeyUse(t.Context()), errs.Unavailable, "temporarily_unavailable")
	b.clock.add(time.Second)
	b.KeyUsed(second.ID)
	b.db.down.Store(false)
	flush()
	if at := used(); !at[0].Equal(b.clock.now().Add(-time.Second)) || !at[1].Equal(b.clock.now()) {
		t.Errorf("used at %v", at)
	}
}

// Noting a use is no change that anybody has to hear of.
func TestUseOfAnAccessKeyIsNotAnnounced(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	key, _ := b.key(t, "alice")
	conn, err := b.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if _, err := conn.Exec(t.Context(), "LISTEN stagedoor"); err != nil {
		t.Fatal(err)
	}
	b.KeyUsed(key.ID)
	if err := b.FlushKeyUse(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.create(t, "bob")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	n, err := conn.Conn().WaitForNotification(ctx)
	if err != nil || !strings.HasSuffix(n.Payload, "\naccounts:bob") || strings.Contains(n.Payload, "access_keys") {
		t.Errorf("heard %v, %v", n, err)
	}
}

func TestRevokedAccessKeysAreForgottenInTheEnd(t *testing.T) {
	t.Parallel()
	b := setup(t)
	there := b.follow(t)
	b.create(t, "alice")
	key, _ := b.key(t, "alice")
	kept, _ := b.key(t, "alice")
	there.CatchUp(t)
	if err := b.RevokeAccessKey(t.Context(), System(), key.ID); err != nil {
		t.Fatal(err)
	}
	there.CatchUp(t)
	b.clock.add(revokedKeyKept + time.Second)
	if err := b.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	there.CatchUp(t)
	b.noHolder(t, key.ID, "access_key_unknown")
	b.holder(t, kept.ID)
}

func TestRandomTextUsesTheWholeAlphabetEvenly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	text, err := b.randomText(62_000, letters)
	if err != nil || len(text) != 62_000 {
		t.Fatal(len(text), err)
	}
	for _, c := range letters {
		if n := strings.Count(text, string(c)); n < 800 || n > 1200 { // six standard deviations
			t.Errorf("%c: %d times in 62000", c, n)
		}
	}
	b.rand = strings.NewReader("too short")
	if _, err := b.randomText(20, letters); err == nil {
		t.Error("no error without randomness")
	}
}
