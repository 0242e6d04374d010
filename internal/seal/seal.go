// Package seal encrypts the secrets that the database keeps (signing keys, node
// passwords, token keys) with one master key that the database never sees.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// KeySize is the length of a master key in bytes.
const KeySize = 32

// ErrOpen is what Open returns for every sealed value it cannot vouch for:
// altered, cut short, sealed for another purpose or with another key. They are
// deliberately one error, as nothing in the value can tell them apart.
var ErrOpen = errors.New("seal: cannot open: wrong master key or purpose, or the value was altered")

// A Box seals and opens values with one master key. It is safe for concurrent
// use.
type Box struct {
	aead cipher.AEAD
}

// New returns a Box for a master key of KeySize bytes.
func New(masterKey []byte) (*Box, error) {
	if len(masterKey) != KeySize {
		return nil, fmt.Errorf("seal: the master key has %d bytes, want %d", len(masterKey), KeySize)
	}
	block, err := aes.NewCipher(masterKey)
	if err != nil {
		return nil, err
	}
	// A random 96-bit nonce is safe for 2^32 values under one key. What we seal
	// is made by administrators, not by traffic, so that bound is far away.
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &Box{aead: aead}, nil
}

// Seal returns plain encrypted with AES-256-GCM, a fresh random nonce in front.
// The purpose is authenticated but not stored: a value copied into a row or
// column that is opened for another purpose does not open there.
func (b *Box) Seal(plain []byte, purpose string) []byte {
	return b.aead.Seal(nil, nil, plain, []byte(purpose))
}

// Open returns what Seal was given for the same purpose. Every failure is
// ErrOpen.
func (b *Box) Open(sealed []byte, purpose string) ([]byte, error) {
	plain, err := b.aead.Open(nil, nil, sealed, []byte(purpose))
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

// ParseKey reads a master key of KeySize bytes from hex or from base64 of
// either alphabet, padded or not. Its errors do not repeat the text.
func ParseKey(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	if key, err := hex.DecodeString(text); err == nil && len(key) == KeySize {
		return key, nil
	}
	encoding := base64.RawStdEncoding
	if strings.ContainsAny(text, "-_") {
		encoding = base64.RawURLEncoding
	}
	if key, err := encoding.DecodeString(strings.TrimRight(text, "=")); err == nil && len(key) == KeySize {
		return key, nil
	}
	return nil, fmt.Errorf("seal: a master key is %d bytes, written as %d hex digits or in base64", KeySize, hex.EncodedLen(KeySize))
}
