package urlsign

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
)

// maxPEM bounds a private key in text: one of 4096 bits has 3.3 kB.
const maxPEM = 8 << 10

// NewKey returns the key of a scheme from its stored text: the secret itself, or
// a private RSA key in PEM (PKCS #1 or #8) for schemes of PrivateKeys. Its errors
// can be shown; they never have the key in them.
func NewKey(scheme, id string, secret []byte) (Key, error) {
	if KeysOf(scheme) != PrivateKeys {
		return Key{ID: id, Secret: secret}, nil
	}
	errNoKey := errors.New("the key of " + scheme + " is a private RSA key of 2048 to 4096 bits in PEM")
	block, _ := pem.Decode(secret)
	if len(secret) > maxPEM || block == nil {
		return Key{}, errNoKey
	}
	var private crypto.PrivateKey
	var err error
	if private, err = x509.ParsePKCS8PrivateKey(block.Bytes); err != nil {
		private, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	}
	key, ok := private.(*rsa.PrivateKey)
	if err != nil || !ok || key.N.BitLen() < 2048 || key.N.BitLen() > 4096 {
		return Key{}, errNoKey
	}
	return Key{ID: id, Private: key}, nil
}
