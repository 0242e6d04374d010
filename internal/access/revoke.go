package access

import (
	"context"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
)

// Whatever ends a credential asks for the end of the sessions that it admitted,
// in one transaction with it: nobody dies in between.

// revoked asks for those who came in by credentials of one kind, with which
// nobody comes in again.
func (s *Service) revoked(ctx context.Context, tx pgx.Tx, kind CredentialKind, ids []string, reason string, now time.Time) error {
	return s.q.RevocationOfCredentials(ctx, tx, db.RevocationOfCredentialsParams{Kind: string(kind), Ids: ids, Reason: reason, Now: now})
}

// changed asks for those who came in by keys as they were until now. By the
// same keys, as they are from now on, others may come.
func (s *Service) changed(ctx context.Context, tx pgx.Tx, keys []string, now time.Time) error {
	return s.q.RevocationOfCredentials(ctx, tx, db.RevocationOfCredentialsParams{Kind: string(BySignature), Ids: keys, StartedBefore: &now,
		Reason: "rule_changed", Now: now})
}

// signatureID is the credential of those whom a key's signature admitted.
func signatureID(ruleID int64, kid string) string { return strconv.FormatInt(ruleID, 10) + "/" + kid }

func tokenIDs(ids ...int64) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = strconv.FormatInt(id, 10)
	}
	return out
}
