package urlsign

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// digest is a hash and how it is written.
type digest uint8

const (
	md5Hex digest = iota
	// md5AnyHex signs in lower case and takes either, as its verifier does.
	md5AnyHex
	// md5Base64 is base64url without padding. The last of its 22 characters
	// carries two bits only, and nginx takes four texts for one digest; we take
	// the one that we would write, with or without the padding.
	md5Base64
	sha256Hex
	hmacSHA256Hex // the secret is the key of an HMAC, not part of the text
)

// digestText is room for any of them.
type digestText [2 * sha256.Size]byte

func (d digest) keyed() bool { return d == hmacSHA256Hex }

// head is the room that hmacSHA256 wants before the text.
func (d digest) head() int {
	if d.keyed() {
		return sha256.BlockSize
	}
	return 0
}

func (d digest) length() int {
	switch d {
	case md5Base64:
		return macText
	case sha256Hex, hmacSHA256Hex:
		return 2 * sha256.Size
	}
	return md5Text
}

// sum hashes the text, which begins behind the head, and returns how many
// characters it has written.
func (d digest) sum(dst *digestText, text, secret []byte) int {
	switch d {
	case md5Base64:
		sum := md5.Sum(text)
		base64.RawURLEncoding.Encode(dst[:], sum[:])
	case sha256Hex:
		sum := sha256.Sum256(text)
		hex.Encode(dst[:], sum[:])
	case hmacSHA256Hex:
		sum := hmacSHA256(secret, text)
		hex.Encode(dst[:], sum[:])
	default:
		sum := hexMD5(md5.Sum(text))
		copy(dst[:], sum[:])
	}
	return d.length()
}

// fold writes what a client sent as it is compared.
func (d digest) fold(dst *digestText, sent string) int {
	n := copy(dst[:], sent)
	if d != md5AnyHex {
		return n
	}
	for i, c := range dst[:n] {
		if 'A' <= c && c <= 'F' {
			dst[i] = c + 'a' - 'A'
		}
	}
	return n
}

func (d digest) unpadded(sent string) string {
	if d == md5Base64 {
		return strings.TrimSuffix(sent, "==")
	}
	return sent
}

// wellFormed says whether a text of the right length is some digest.
func (d digest) wellFormed(sent string) bool {
	switch d {
	case md5Base64:
		return isMAC(sent)
	case md5AnyHex:
		return isHex(sent)
	}
	return isLowerHex(sent)
}

func isHex(text string) bool {
	for i := range len(text) {
		if _, ok := hexDigit(text[i]); !ok {
			return false
		}
	}
	return true
}
