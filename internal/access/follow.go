package access

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

const (
	rulesTable    = "auth_rules"
	keysTable     = "signing_keys"
	tokensTable   = "live_tokens"
	accountsTable = "accounts"
	roomsTable    = "rooms"
	bansTable     = "bans"
)

// Tables names the tables whose changes the view follows.
func (s *Service) Tables() []string {
	return []string{rulesTable, keysTable, tokensTable, accountsTable, roomsTable, bansTable}
}

// Reload replaces the whole view by one consistent snapshot of the database.
// Nobody waits for it: decisions and changes go on with the view that is there,
// and what has changed meanwhile is read once more before the new one takes its
// place.
func (s *Service) Reload(ctx context.Context, d pg.DB) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	s.watch(map[pg.Change]struct{}{})
	defer s.watch(nil)
	fresh := newView()
	if err := pg.InSnapshot(ctx, d, func(tx pgx.Tx) error { return s.fill(ctx, tx, fresh) }); err != nil {
		return err
	}
	s.applying.Lock()
	defer s.applying.Unlock()
	if err := s.read(ctx, d, fresh, slices.Collect(maps.Keys(s.meanwhile))); err != nil {
		return err
	}
	s.view.replace(fresh)
	s.meanwhile = nil
	return nil
}

func (s *Service) watch(meanwhile map[pg.Change]struct{}) {
	s.applying.Lock()
	defer s.applying.Unlock()
	s.meanwhile = meanwhile
}

// note remembers changes for a Reload that is under way. The caller holds
// applying.
func (s *Service) note(changes ...pg.Change) {
	if s.meanwhile == nil {
		return
	}
	for _, c := range changes {
		s.meanwhile[c] = struct{}{}
	}
}

// Apply reads again what some changes announced.
func (s *Service) Apply(ctx context.Context, d pg.DB, changes ...pg.Change) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	s.note(changes...)
	return s.read(ctx, d, s.view, changes)
}

// applied is Apply of rows of one table that this process has changed.
func (s *Service) applied(ctx context.Context, d pg.DB, table string, ids ...int64) error {
	changes := make([]pg.Change, len(ids))
	for i, id := range ids {
		changes[i] = pg.Change{Table: table, Key: strconv.FormatInt(id, 10)}
	}
	return s.Apply(ctx, d, changes...)
}

// read puts changed rows into a view as they are now, with one query or two for
// those of a table. Applying is held from reading rows until they are in the
// view.
func (s *Service) read(ctx context.Context, d db.DBTX, v *view, changes []pg.Change) error {
	keys := map[string][]string{}
	for _, c := range changes {
		keys[c.Table] = append(keys[c.Table], c.Key)
	}
	for table, of := range keys {
		if err := s.readTable(ctx, d, v, table, of); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) readTable(ctx context.Context, d db.DBTX, v *view, table string, keys []string) error {
	switch table {
	case roomsTable:
		return s.readRooms(ctx, d, v, keys)
	case accountsTable:
		return s.readAccounts(ctx, d, v, keys)
	}
	ids := make([]int64, len(keys))
	for i, key := range keys {
		id, err := strconv.ParseInt(key, 10, 64)
		if err != nil {
			return fmt.Errorf("change of %s: %w", table, err)
		}
		ids[i] = id
	}
	switch table {
	case tokensTable:
		return s.readTokens(ctx, d, v, ids)
	case bansTable:
		return s.readBans(ctx, d, v, ids)
	}
	return s.readRules(ctx, d, v, ids)
}

func (s *Service) readRooms(ctx context.Context, d db.DBTX, v *view, ids []string) error {
	closed, err := s.q.RoomsClosedOf(ctx, d, ids)
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, id := range ids {
		v.closed.remove(id)
	}
	for _, id := range closed {
		v.closed.add(id)
	}
	return nil
}

// readAccounts reads how accounts stand, with which their tokens stand and fall:
// those that are known, and those that are learned later. The tokens of one that
// is gone are gone as well, and announced.
func (s *Service) readAccounts(ctx context.Context, d db.DBTX, v *view, usernames []string) error {
	lower := make([]string, len(usernames))
	for i, name := range usernames {
		lower[i] = strings.ToLower(name)
	}
	rows, err := s.q.AccountStandings(ctx, d, lower)
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, row := range rows {
		v.tokens.holders.put([]byte(row.Username), row.Disabled, false)
	}
	return nil
}

func (s *Service) readTokens(ctx context.Context, d db.DBTX, v *view, ids []int64) error {
	rows, err := s.q.LiveTokenAccessByIDs(ctx, d, ids)
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, id := range ids {
		v.tokens.drop(id)
	}
	for _, row := range rows {
		v.tokens.put(row, false)
	}
	return nil
}

func (s *Service) readBans(ctx context.Context, d db.DBTX, v *view, ids []int64) error {
	rows, err := s.q.BansByIDs(ctx, d, ids)
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, id := range ids {
		v.bans.drop(id)
	}
	for _, row := range rows {
		v.bans.put(row)
	}
	return nil
}

func (s *Service) readRules(ctx context.Context, d db.DBTX, v *view, ids []int64) error {
	// What changes between the two is announced, and read again.
	keys, err := s.q.KeysOfRules(ctx, d, ids)
	if err != nil {
		return err
	}
	rows, err := s.q.RulesByIDs(ctx, d, ids)
	if err != nil {
		return err
	}
	rules, err := s.compileAll(rows, keys)
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, id := range ids {
		v.rules.drop(id)
	}
	for _, r := range rules {
		v.rules.put(r)
	}
	return nil
}

func (s *Service) compileAll(rows []db.AuthRule, keys []db.SigningKey) ([]*rule, error) {
	byRule := make(map[int64][]db.SigningKey, len(rows))
	for _, k := range keys {
		byRule[k.RuleID] = append(byRule[k.RuleID], k)
	}
	rules := make([]*rule, len(rows))
	for i, row := range rows {
		r, err := s.compile(row, byRule[row.ID])
		if err != nil {
			return nil, err
		}
		rules[i] = r
	}
	return rules, nil
}

// fill reads everything into a view that nobody else has.
func (s *Service) fill(ctx context.Context, d db.DBTX, v *view) error {
	rows, err := s.q.RuleList(ctx, d)
	if err != nil {
		return err
	}
	keys, err := s.q.KeyList(ctx, d)
	if err != nil {
		return err
	}
	rules, err := s.compileAll(rows, keys)
	if err != nil {
		return err
	}
	for _, r := range rules {
		v.rules.put(r)
	}
	if err := s.fillTokens(ctx, d, v); err != nil {
		return err
	}
	inForce, err := s.q.BansInForce(ctx, d, s.Now())
	if err != nil {
		return err
	}
	for _, row := range inForce {
		v.bans.put(row)
	}
	return s.fillRooms(ctx, d, v)
}

func (s *Service) fillTokens(ctx context.Context, d db.DBTX, v *view) error {
	var id int64
	var app, stream, publish, play, username pg.Raw
	var revoked, disabled pgtype.Timestamptz
	all := func(d db.DBTX) error {
		_, err := s.q.LiveTokenAccessAll(ctx, d, s.Now().Add(-revokedKept))
		return err
	}
	columns := []any{&id, &app, &stream, &publish, &play, &revoked, &username, &disabled}
	return pg.Stream(ctx, d, all, columns, func() error {
		v.tokens.set(tokenRow{id: id, app: app, stream: stream, username: username, publish: publish, play: play,
			revoked: revoked.Valid, disabled: disabled.Valid}, false)
		return nil
	})
}

func (s *Service) fillRooms(ctx context.Context, d db.DBTX, v *view) error {
	var id pg.Raw
	all := func(d db.DBTX) error {
		_, err := s.q.RoomsClosed(ctx, d)
		return err
	}
	return pg.Stream(ctx, d, all, []any{&id}, func() error {
		v.closed.add(string(id))
		return nil
	})
}
