package stagedoor

import (
	"context"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/dialect/bearer"
)

// ListAccessKeys shows the keys of one account or of all.
func (s *Server) ListAccessKeys(ctx context.Context, req gen.ListAccessKeysRequestObject) (gen.ListAccessKeysResponseObject, error) {
	keys, err := s.Accounts.ListAccessKeys(ctx, bearer.Principal(ctx), req.Params.Username)
	if err != nil {
		return nil, err
	}
	out := gen.ListAccessKeys200JSONResponse{AccessKeys: make([]gen.AccessKey, len(keys))}
	for i, k := range keys {
		out.AccessKeys[i] = ToAccessKey(k)
	}
	return out, nil
}

// CreateAccessKey makes a key and shows its secret, once.
func (s *Server) CreateAccessKey(ctx context.Context, req gen.CreateAccessKeyRequestObject) (gen.CreateAccessKeyResponseObject, error) {
	key, secret, err := s.Accounts.CreateAccessKey(ctx, bearer.Principal(ctx), req.Body.Username, req.Body.Comment)
	if err != nil {
		return nil, err
	}
	return gen.CreateAccessKey201JSONResponse(ToCreatedAccessKey(key, secret)), nil
}

// ToCreatedAccessKey is a new access key with its secret.
func ToCreatedAccessKey(k account.AccessKey, secret string) gen.CreatedAccessKey {
	return gen.CreatedAccessKey{AccessKeyID: k.ID, SecretAccessKey: secret, Username: k.Username, Comment: k.Comment, CreatedAt: k.CreatedAt}
}

// RevokeAccessKey ends a key.
func (s *Server) RevokeAccessKey(ctx context.Context, req gen.RevokeAccessKeyRequestObject) (gen.RevokeAccessKeyResponseObject, error) {
	if err := s.Accounts.RevokeAccessKey(ctx, bearer.Principal(ctx), req.AccessKeyID); err != nil {
		return nil, err
	}
	return gen.RevokeAccessKey204Response{}, nil
}

// ToAccessKey is an access key as this dialect and the command line show it.
func ToAccessKey(k account.AccessKey) gen.AccessKey {
	return gen.AccessKey{AccessKeyID: k.ID, Username: k.Username, Comment: k.Comment, CreatedAt: k.CreatedAt,
		LastUsedAt: k.LastUsedAt, RevokedAt: k.RevokedAt}
}
