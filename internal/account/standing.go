package account

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// What sessions call credentials of ours; see package access.
const (
	accessTokenKind = "access_token"
	streamTokenKind = "stream_token"
)

// credentialID joins the id of an access token with its generation, so that who
// logged in again after a new password can be told from who came in before.
func credentialID(tokenID string, generation int64) string {
	return tokenID + "/" + strconv.FormatInt(generation, 10)
}

// Standing is what the sessions of an account may count on at one moment.
type Standing struct {
	generation int64 // zero: there is no such account, or it is disabled
	admin      bool
	rights     *rights
}

// Standing reads it from the database, whatever memory holds. An account that is
// not there has none. Error: Unavailable.
func (s *Service) Standing(ctx context.Context, username string) (Standing, error) {
	row, known, err := s.find(ctx, username)
	if err != nil {
		return Standing{}, fmt.Errorf("standing of an account: %w", err)
	}
	if !known || row.DisabledAt != nil {
		return Standing{rights: noRights}, nil
	}
	return Standing{generation: row.TokensNotBefore.UnixMicro(), admin: row.Admin, rights: parseBoth(row.PushRights, row.PullRights)}, nil
}

// InForce says whether logins of the generation that a credential names still
// count. It knows nothing of a single login that was revoked.
func (t Standing) InForce(credential string) bool {
	_, generation, _ := strings.Cut(credential, "/")
	return t.generation != 0 && generation == strconv.FormatInt(t.generation, 10)
}

// MayPush is as of Principal.
func (t Standing) MayPush(path string) bool { return t.admin || t.rights.push.Allow(path) }

// MayPull is as of Principal.
func (t Standing) MayPull(path string) bool { return t.admin || t.rights.pull.Allow(path) }

// lessened asks for the end of sessions that an account has no right to any more,
// in the transaction that takes it away.
func (s *Service) lessened(ctx context.Context, tx pgx.Tx, username, reason string) error {
	return s.q.RevocationOfAccount(ctx, tx, db.RevocationOfAccountParams{Subject: username, Reason: reason, Now: s.now()})
}

// revoked asks for the end of the sessions that some tokens opened.
func (s *Service) revoked(ctx context.Context, tx pgx.Tx, kind string, ids []string, reason string) error {
	err := s.q.RevocationOfCredentials(ctx, tx, db.RevocationOfCredentialsParams{Kind: kind, Ids: ids, Reason: reason, Now: s.now()})
	return pg.Err(err, nil)
}

// takesAway says whether and why an update may leave sessions without a right.
func takesAway(arg db.AccountUpdateParams) (reason string, some bool) {
	switch {
	case arg.Disabled != nil && *arg.Disabled:
		return "account_disabled", true
	case arg.PasswordHash != nil || arg.VoidTokens:
		return "password_changed", true
	case arg.Admin != nil && !*arg.Admin, arg.PushRights != nil, arg.PullRights != nil:
		return "rights_changed", true
	}
	return "", false
}
