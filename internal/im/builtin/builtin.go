// Package builtin is the message-group provider that needs no cloud account.
//
// Groups are ids and nothing else: likes and metrics come from the room and its
// sessions. Tokens of the newer service are computed as its clients verify
// them, with our own application id and key; those of the older service are
// opaque and signed by the same key.
package builtin

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"strconv"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/im"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// TokenTTL is how long tokens are good; the vendor advises a day.
const TokenTTL = 24 * time.Hour

// Provider implements im.Old and im.New.
type Provider struct {
	AppID   string
	AppKey  string
	AppSign string
	Now     func() time.Time
	Rand    io.Reader
}

var (
	_ im.Old = (*Provider)(nil)
	_ im.New = (*Provider)(nil)
)

// Families lets the provider serve both families.
func Families(p *Provider) im.Families { return im.Families{Old: p, New: p} }

// CreateGroup takes the wanted id.
func (p *Provider) CreateGroup(_ context.Context, _, id string) (string, error) { return id, nil }

// NewToken computes a token for an ordinary user. The role is never taken from
// a client: it is part of the hash, and "admin" would manage every group.
func (p *Provider) NewToken(_ context.Context, userID string) (im.NewToken, error) {
	nonce, err := p.nonce()
	if err != nil {
		return im.NewToken{}, err
	}
	expires := p.Now().Add(TokenTTL)
	return im.NewToken{
		AppID: p.AppID, AppSign: p.AppSign, UserID: userID, Nonce: nonce, Expires: expires,
		Token: urlsign.IMToken(p.AppID, p.AppKey, userID, nonce, expires.Unix(), ""),
	}, nil
}

// OldToken returns an access token and a separate, longer-lived refresh token.
func (p *Provider) OldToken(_ context.Context, userID string, d im.Device) (im.OldToken, error) {
	nonce, err := p.nonce()
	if err != nil {
		return im.OldToken{}, err
	}
	now := p.Now()
	return im.OldToken{
		Access:  p.opaque("access", userID, d, nonce, now.Add(TokenTTL)),
		Refresh: p.opaque("refresh", userID, d, nonce, now.Add(30*TokenTTL)),
	}, nil
}

func (p *Provider) opaque(use, userID string, d im.Device, nonce string, expires time.Time) string {
	exp := strconv.FormatInt(expires.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(p.AppKey))
	for _, part := range []string{use, userID, d.ID, d.Type, nonce, exp} {
		mac.Write([]byte(part + "\n"))
	}
	return nonce + "." + exp + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func (p *Provider) nonce() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(p.Rand, b[:]); err != nil {
		return "", err
	}
	return hex.EncodeToString(b[:]), nil
}
