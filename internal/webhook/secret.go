package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

const (
	secretPrefix = "whsec_"
	secretBytes  = 32 // the standard wants 24 to 64
	maxOverlap   = 7 * 24 * time.Hour
)

// Rotate gives an endpoint a new secret and returns it, which is not shown again.
// The one before signs too for a while, so that its receiver can change in peace.
// Errors: Invalid, NotFound, Unavailable.
func (s *Service) Rotate(ctx context.Context, id string, overlap time.Duration) (_ Endpoint, secret string, err error) {
	if overlap < 0 || overlap > maxOverlap {
		return Endpoint{}, "", errs.InvalidField("overlap_seconds", "overlap_seconds is at most a week")
	}
	if secret, err = s.newSecret(); err != nil {
		return Endpoint{}, "", err
	}
	var row db.WebhookEndpoint
	err = pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		row, err = s.q.WebhookEndpointLock(ctx, tx, id)
		if err != nil {
			return orNotFound(err)
		}
		p := db.WebhookEndpointRotateParams{ID: id, SecretSealed: s.seal(id, secret), Now: s.Now()}
		if overlap > 0 {
			until := p.Now.Add(overlap)
			p.OldSecretSealed, p.OldSecretUntil = row.SecretSealed, &until
		}
		row, err = s.q.WebhookEndpointRotate(ctx, tx, p)
		return err
	})
	return fromRow(row), secret, pg.Err(err, nil)
}

func (s *Service) newSecret() (string, error) {
	var b [secretBytes]byte
	if _, err := io.ReadFull(s.Rand, b[:]); err != nil {
		return "", err
	}
	return secretPrefix + base64.StdEncoding.EncodeToString(b[:]), nil
}

func purpose(id string) string { return "webhook_secret/" + id }

func (s *Service) seal(id, secret string) []byte { return s.Box.Seal([]byte(secret), purpose(id)) }

// key opens a secret.
func (s *Service) key(id string, sealed []byte) ([]byte, error) {
	secret, err := s.Box.Open(sealed, purpose(id))
	if err != nil {
		return nil, fmt.Errorf("secret of webhook %s: %w", id, err)
	}
	return base64.StdEncoding.DecodeString(strings.TrimPrefix(string(secret), secretPrefix))
}

// signatures is the header that proves a message, by every key that counts.
func signatures(keys [][]byte, id string, at time.Time, body string) string {
	all := make([]string, len(keys))
	for i, key := range keys {
		mac := hmac.New(sha256.New, key)
		io.WriteString(mac, id+"."+strconv.FormatInt(at.Unix(), 10)+"."+body) // a hash takes everything
		all[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(all, " ")
}

// keys are those that sign now, the current one first.
func (s *Service) keys(d db.WebhookDeliveryToSendRow, now time.Time) ([][]byte, error) {
	current, err := s.key(d.EndpointID, d.SecretSealed)
	if err != nil || d.OldSecretUntil == nil || !now.Before(*d.OldSecretUntil) {
		return [][]byte{current}, err
	}
	old, err := s.key(d.EndpointID, d.OldSecretSealed)
	return [][]byte{current, old}, err
}
