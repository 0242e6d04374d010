package stagedoor

import (
	"bytes"
	"context"
	"encoding/base64"
	"unicode/utf8"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/errs"
)

// The sizes of a page.
const (
	defaultLimit = 20
	maxLimit     = 100
)

var (
	errLimit  = errs.InvalidField("limit", "limit is between 1 and 100")
	errCursor = errs.InvalidField("cursor", "cursor is not the next_cursor of a page")
)

// ListAccounts returns one page. It reads one account more than it shows, to
// know whether another page follows.
func (s *Server) ListAccounts(ctx context.Context, req gen.ListAccountsRequestObject) (gen.ListAccountsResponseObject, error) {
	limit, after, err := page(req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	accounts, err := s.Accounts.List(ctx, after, limit+1)
	if errs.KindOf(err) == errs.Invalid { // the cursor is all that can be
		return nil, errCursor.With(err)
	}
	if err != nil {
		return nil, err
	}
	out := gen.ListAccounts200JSONResponse{Accounts: make([]gen.Account, min(limit, len(accounts)))}
	for i := range out.Accounts {
		out.Accounts[i] = ToAccount(accounts[i])
	}
	if len(accounts) > limit {
		out.NextCursor = cursor(accounts[limit-1].Username)
	}
	return out, nil
}

func page(asked *int32, from string) (limit int, after string, err error) {
	limit = defaultLimit
	if asked != nil {
		limit = int(*asked)
	}
	if limit < 1 || limit > maxLimit {
		return 0, "", errLimit
	}
	name, err := base64.RawURLEncoding.DecodeString(from)
	if err != nil || !utf8.Valid(name) || bytes.IndexByte(name, 0) >= 0 {
		return 0, "", errCursor.With(err)
	}
	return limit, string(name), nil
}

// cursor hides the last name of a page, so that nobody builds one by hand and
// the order can change.
func cursor(last string) string { return base64.RawURLEncoding.EncodeToString([]byte(last)) }
