package account

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

const (
	// PairAccessTTL and PairRefreshTTL are how long the tokens of a pair live.
	PairAccessTTL  = 2 * time.Hour
	PairRefreshTTL = 7 * 24 * time.Hour

	// maxPairAge is how long after the password was given pairs come of pairs.
	maxPairAge = 90 * 24 * time.Hour

	refreshBytes = 32
)

// Pair is an access token and the refresh token that exchanges it for another
// pair, once.
type Pair struct {
	Access         Token
	Refresh        string // shown once and stored as a hash
	RefreshExpires time.Time
}

// LoginPair is Login for a pair of tokens that live for PairAccessTTL and
// PairRefreshTTL. Its errors are those of Login.
func (s *Service) LoginPair(ctx context.Context, username, password string, source netip.Addr) (Pair, error) {
	now := s.now()
	row, err := s.admit(ctx, username, password, source, now)
	if err != nil {
		return Pair{}, err
	}
	p, stored, err := s.newPair(row, now, now)
	if err != nil {
		return Pair{}, err
	}
	err = pg.InTx(ctx, s.db, func(tx pgx.Tx) (err error) {
		if stored.FamilyID, err = s.q.RefreshFamilyInsert(ctx, tx, db.RefreshFamilyInsertParams{AccountID: row.ID, Now: now}); err != nil {
			return err
		}
		return s.q.RefreshTokenInsert(ctx, tx, stored)
	})
	if err != nil {
		// The account may have been deleted since its password was checked.
		err = pg.Err(err, map[string]*errs.Error{"refresh_families_account_id_fkey": errCredentials})
		return Pair{}, fmt.Errorf("log in: %w", err)
	}
	return p, nil
}

// newPair returns a pair for the client, and what is stored of it.
func (s *Service) newPair(row db.Account, now, authTime time.Time) (Pair, db.RefreshTokenInsertParams, error) {
	var raw [refreshBytes]byte
	if _, err := io.ReadFull(s.rand, raw[:]); err != nil {
		return Pair{}, db.RefreshTokenInsertParams{}, fmt.Errorf("refresh token: %w", err)
	}
	access, err := s.issue(fromRow(row), grant{now: now, authTime: authTime, ttl: PairAccessTTL,
		generation: row.TokensNotBefore.UnixMicro(), pair: true})
	if err != nil {
		return Pair{}, db.RefreshTokenInsertParams{}, err
	}
	expires := now.Add(PairRefreshTTL)
	if end := authTime.Add(maxPairAge); end.Before(expires) {
		expires = end
	}
	p := Pair{Access: access, Refresh: base64.RawURLEncoding.EncodeToString(raw[:]), RefreshExpires: expires}
	return p, db.RefreshTokenInsertParams{
		TokenHash: hashRefresh(p.Refresh), Generation: row.TokensNotBefore, AccessJTI: access.id,
		AccessExpiresAt: access.ExpiresAt, Now: now, ExpiresAt: expires,
	}, nil
}

// hashRefresh is fast, unlike that of a password: nobody guesses 256 random bits.
func hashRefresh(refresh string) []byte {
	sum := sha256.Sum256([]byte(refresh))
	return sum[:]
}

// Refresh exchanges a refresh token for a new pair. The token and the access
// token issued along with it are void at once.
//
// A token that was used before ends all pairs that came of the same login: of
// the two who hold it one is a thief, and nobody can tell which. Of several who
// use a token at the same time one wins, and the others are refused without
// further harm.
//
// It returns Unauthorized token_invalid, token_expired, token_revoked or
// account_disabled, and Unavailable without a database.
func (s *Service) Refresh(ctx context.Context, refresh string) (Pair, error) {
	if len(refresh) != base64.RawURLEncoding.EncodedLen(refreshBytes) {
		return Pair{}, errTokenInvalid
	}
	used, err := s.q.RefreshTokenByHash(ctx, s.db, hashRefresh(refresh))
	if errors.Is(err, pgx.ErrNoRows) {
		return Pair{}, errTokenInvalid
	}
	if err != nil {
		return Pair{}, fmt.Errorf("refresh: %w", pg.Err(err, nil))
	}
	if used.UsedAt != nil {
		return Pair{}, s.reuse(ctx, used)
	}
	now, mark := s.now(), s.memory.mark()
	row, err := s.refreshable(ctx, used, now)
	if err != nil {
		return Pair{}, err
	}
	p, err := s.rotate(ctx, used, row, now)
	if err != nil {
		return Pair{}, fmt.Errorf("refresh: %w", pg.Err(err, nil))
	}
	s.memory.revoke(used.AccessJTI, revocation{used.AccessExpiresAt, true})
	s.memory.put(row, mark)
	return p, nil
}

// refreshable returns the account that the token is for, if it is still good.
func (s *Service) refreshable(ctx context.Context, t db.RefreshTokenByHashRow, now time.Time) (db.Account, error) {
	if !now.Before(t.ExpiresAt) {
		return db.Account{}, errTokenExpired
	}
	row, err := s.q.AccountByID(ctx, s.db, t.AccountID)
	switch {
	case errors.Is(err, pgx.ErrNoRows): // deleted just now
		return db.Account{}, errTokenRevoked
	case err != nil:
		return db.Account{}, fmt.Errorf("refresh: %w", pg.Err(err, nil))
	case row.DisabledAt != nil:
		return db.Account{}, errAccountDisabled
	case !row.TokensNotBefore.Equal(t.Generation):
		return db.Account{}, errTokenRevoked
	}
	return row, nil
}

// rotate puts a new pair in the place of an old one.
func (s *Service) rotate(ctx context.Context, old db.RefreshTokenByHashRow, row db.Account, now time.Time) (Pair, error) {
	p, stored, err := s.newPair(row, now, old.AuthenticatedAt)
	if err != nil {
		return Pair{}, err
	}
	stored.FamilyID = old.FamilyID
	return p, pg.InTx(ctx, s.db, func(tx pgx.Tx) error {
		if _, err := s.q.RefreshFamilyLock(ctx, tx, old.FamilyID); errors.Is(err, pgx.ErrNoRows) {
			return errTokenRevoked
		} else if err != nil {
			return err
		}
		n, err := s.q.RefreshTokenUse(ctx, tx, db.RefreshTokenUseParams{Now: now, TokenHash: old.TokenHash})
		if err != nil {
			return err
		}
		if n == 0 { // it was unused when this began: somebody was faster
			return errTokenRevoked
		}
		if err := s.q.RefreshTokenInsert(ctx, tx, stored); err != nil {
			return err
		}
		if old.AccessExpiresAt.Before(now.Add(-revokedSlack)) {
			return nil
		}
		return s.q.RevokedTokenInsert(ctx, tx, db.RevokedTokenInsertParams{
			JTI: old.AccessJTI, Username: row.Username, Now: now, ExpiresAt: old.AccessExpiresAt, Superseded: true,
		})
	})
}

// reuse ends everything that came of the login of a refresh token that was used
// twice. It returns the refusal, or why it could not.
func (s *Service) reuse(ctx context.Context, t db.RefreshTokenByHashRow) error {
	var ended []access
	var row db.Account
	err := pg.InTx(ctx, s.db, func(tx pgx.Tx) (err error) {
		if row, err = s.q.AccountByID(ctx, tx, t.AccountID); err != nil {
			return err
		}
		if ended, err = s.endFamily(ctx, tx, t.FamilyID, row.Username, s.now()); err != nil {
			return err
		}
		return s.revoked(ctx, tx, accessTokenKind, credentialsOf(ended), "refresh_token_reused")
	})
	if errors.Is(err, pgx.ErrNoRows) { // ended already
		return errTokenRevoked
	}
	if err != nil {
		return fmt.Errorf("end a login whose refresh token was used twice: %w", pg.Err(err, nil))
	}
	s.refuse(ended)
	s.log.WarnContext(ctx, "refresh token used twice, its login has ended", "username", row.Username)
	return errTokenRevoked
}

// access is an access token that is being revoked.
type access struct {
	tokenID    string
	expires    time.Time
	credential string // see Principal.Credential
}

func credentialsOf(ended []access) []string {
	out := make([]string, len(ended))
	for i, a := range ended {
		out[i] = a.credential
	}
	return out
}

// endFamily deletes a family and revokes its access tokens, sessions that they
// opened included. It returns them, and pgx.ErrNoRows where it is gone.
func (s *Service) endFamily(ctx context.Context, tx pgx.Tx, family int64, username string, now time.Time) ([]access, error) {
	if _, err := s.q.RefreshFamilyLock(ctx, tx, family); err != nil {
		return nil, err
	}
	rows, err := s.q.RefreshFamilyAccess(ctx, tx, family)
	if err != nil {
		return nil, err
	}
	ended := make([]access, len(rows))
	for i, row := range rows {
		ended[i] = access{row.AccessJTI, row.AccessExpiresAt, credentialID(row.AccessJTI, row.Generation.UnixMicro())}
		if row.AccessExpiresAt.Before(now) { // remembered for the sessions that it opened
			ended[i].expires = now
		}
		if err := s.revoke(ctx, tx, ended[i], username, now); err != nil {
			return nil, err
		}
	}
	return ended, s.q.RefreshFamilyDelete(ctx, tx, family)
}

func (s *Service) revoke(ctx context.Context, tx pgx.Tx, a access, username string, now time.Time) error {
	return s.q.RevokedTokenInsert(ctx, tx, db.RevokedTokenInsertParams{JTI: a.tokenID, Username: username, Now: now, ExpiresAt: a.expires})
}

// refuse refuses revoked tokens in this process.
func (s *Service) refuse(ended []access) {
	for _, a := range ended {
		s.memory.revoke(a.tokenID, revocation{until: a.expires})
	}
}
