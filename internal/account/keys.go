package account

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

const (
	// kidBytes of the key's thumbprint make its id: short, as tokens travel in
	// stream URLs, and long enough never to meet twice in one table.
	kidBytes = 12

	// keyLookUpEvery spaces look-ups of unknown key ids, which anybody can make
	// up. A key that another process just created arrives through the feed
	// anyway; this only covers the gap.
	keyLookUpEvery = time.Second
)

// keySet is never changed once published; a change publishes another one.
type keySet struct {
	signing signingKey
	public  map[string]*ecdsa.PublicKey // by kid
	jwks    JWKSet
	urls    []urlsign.Key // the one that signs first
}

type signingKey struct {
	kid     string
	private *ecdsa.PrivateKey
}

// JWKSet is the public half of the key set in the form of RFC 7517.
type JWKSet struct {
	Keys []JWK `json:"keys"`
}

// JWK is one public key of the P-256 curve.
type JWK struct {
	KeyType   string `json:"kty"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	Y         string `json:"y"`
	KeyID     string `json:"kid"`
	Algorithm string `json:"alg"`
	Use       string `json:"use"`
}

// JWKS returns the keys that verify our access tokens, oldest first.
func (s *Service) JWKS() JWKSet { return s.keys.Load().jwks }

// URLKeys returns the keys of stream tokens, which are those of JWKS: the first
// one signs, all verify. A stream token names no audience, so it never passes
// for an access token.
func (s *Service) URLKeys() []urlsign.Key { return s.keys.Load().urls }

// ensureKey loads the key set, creating the first key where there is none.
func (s *Service) ensureKey(ctx context.Context) error {
	if err := s.loadKeys(ctx, s.db); err != nil {
		return err
	}
	if s.keys.Load().signing.private != nil {
		return nil
	}
	if err := pg.InTx(ctx, s.db, func(tx pgx.Tx) error { return s.createKey(ctx, tx) }); err != nil {
		return pg.Err(err, nil)
	}
	return s.loadKeys(ctx, s.db)
}

// createKey stores a new key unless another process was faster.
func (s *Service) createKey(ctx context.Context, tx pgx.Tx) error {
	if err := s.q.TokenKeyLockTable(ctx, tx); err != nil {
		return err
	}
	rows, err := s.q.TokenKeyList(ctx, tx)
	if err != nil {
		return err
	}
	if newest(rows) != nil {
		return nil
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), s.rand)
	if err != nil {
		return err
	}
	raw, err := private.Bytes()
	if err != nil {
		return err
	}
	kid, err := keyID(&private.PublicKey)
	if err != nil {
		return err
	}
	s.log.InfoContext(ctx, "token signing key created", "kid", kid)
	return s.q.TokenKeyInsert(ctx, tx, db.TokenKeyInsertParams{
		Kid: kid, PrivateSealed: s.box.Seal(raw, sealPurpose(kid)), Now: s.now(),
	})
}

// newest returns the key that signs: of those not retired, the last created.
func newest(rows []db.TokenKey) *db.TokenKey {
	for i := len(rows) - 1; i >= 0; i-- {
		if rows[i].RetiredAt == nil {
			return &rows[i]
		}
	}
	return nil
}

// loadKeys publishes the key set as the database has it.
func (s *Service) loadKeys(ctx context.Context, q pg.DB) error {
	s.keysMu.Lock()
	defer s.keysMu.Unlock()
	return s.loadKeysLocked(ctx, q)
}

func (s *Service) loadKeysLocked(ctx context.Context, q pg.DB) error {
	rows, err := s.q.TokenKeyList(ctx, q)
	if err != nil {
		return pg.Err(err, nil)
	}
	set := &keySet{public: make(map[string]*ecdsa.PublicKey, len(rows)), jwks: JWKSet{Keys: []JWK{}}}
	signs := newest(rows)
	for i := range rows {
		private, err := s.openKey(rows[i])
		if err != nil {
			return err
		}
		jwk, err := publicJWK(rows[i].Kid, &private.PublicKey)
		if err != nil {
			return err
		}
		set.public[rows[i].Kid] = &private.PublicKey
		set.jwks.Keys = append(set.jwks.Keys, jwk)
		key := urlsign.Key{ID: rows[i].Kid, Private: private}
		if &rows[i] != signs {
			set.urls = append(set.urls, urlsign.Key{ID: key.ID, Public: &private.PublicKey})
			continue
		}
		set.signing = signingKey{kid: rows[i].Kid, private: private}
		set.urls = slices.Insert(set.urls, 0, key)
	}
	s.keys.Store(set)
	return nil
}

func (s *Service) openKey(row db.TokenKey) (*ecdsa.PrivateKey, error) {
	raw, err := s.box.Open(row.PrivateSealed, sealPurpose(row.Kid))
	if err != nil {
		return nil, fmt.Errorf("key %s does not open with this master key: %w", row.Kid, err)
	}
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", row.Kid, err)
	}
	return private, nil
}

// verifyKey returns the key that the token's header names, if it is one of
// ours. Keys that a token brings along (jwk, jku, x5u) are never looked at.
func (s *Service) verifyKey(t *jwt.Token, find findKey) (*ecdsa.PublicKey, error) {
	kid, _ := t.Header["kid"].(string)
	if t.Header["typ"] != tokenType || len(kid) != base64.RawURLEncoding.EncodedLen(kidBytes) {
		return nil, errTokenInvalid
	}
	if key := s.keys.Load().public[kid]; key != nil {
		return key, nil
	}
	return find(kid)
}

// lookUpKey reads the key set again for an id that it does not have, at most
// once per keyLookUpEvery whatever ids are asked for.
func (s *Service) lookUpKey(ctx context.Context, kid string) (*ecdsa.PublicKey, error) {
	s.keysMu.Lock()
	defer s.keysMu.Unlock()
	if now := s.now(); s.keys.Load().public[kid] == nil && !now.Before(s.keysNext) {
		s.keysNext = now.Add(keyLookUpEvery)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookUpTimeout)
		defer cancel()
		if err := s.loadKeysLocked(ctx, s.db); err != nil {
			return nil, err
		}
	}
	if key := s.keys.Load().public[kid]; key != nil {
		return key, nil
	}
	return nil, errTokenInvalid
}

// sealPurpose binds a sealed key to its row.
func sealPurpose(kid string) string { return "token_key:" + kid }

func publicJWK(kid string, public *ecdsa.PublicKey) (JWK, error) {
	x, y, err := coordinates(public)
	if err != nil {
		return JWK{}, err
	}
	return JWK{KeyType: "EC", Curve: "P-256", X: x, Y: y, KeyID: kid, Algorithm: "ES256", Use: "sig"}, nil
}

// keyID derives an id from the RFC 7638 thumbprint, so that it follows from the
// key alone.
func keyID(public *ecdsa.PublicKey) (string, error) {
	x, y, err := coordinates(public)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, x, y))
	return base64.RawURLEncoding.EncodeToString(sum[:kidBytes]), nil
}

// coordinates returns x and y at full length in base64url.
func coordinates(public *ecdsa.PublicKey) (x, y string, err error) {
	point, err := public.Bytes() // 0x04, 32 bytes of x, 32 bytes of y
	if err != nil {
		return "", "", err
	}
	b64 := base64.RawURLEncoding
	return b64.EncodeToString(point[1:33]), b64.EncodeToString(point[33:]), nil
}
