package urlsign

import "crypto/sha256"

// hmacSHA256 returns the HMAC-SHA-256 of padded[sha256.BlockSize:]. It writes
// the padded key into the first block, which the caller leaves free for it.
//
// crypto/hmac would do, but hmac.New allocates two hash states and the padded
// keys for every URL. Here the text is already in one buffer on the stack, so
// two calls of sha256.Sum256 are the whole algorithm (RFC 2104). The tests hold
// it against crypto/hmac.
func hmacSHA256(secret, padded []byte) [sha256.Size]byte {
	var key [sha256.BlockSize]byte
	if len(secret) > len(key) {
		sum := sha256.Sum256(secret)
		secret = sum[:]
	}
	copy(key[:], secret)
	var outer [sha256.BlockSize + sha256.Size]byte
	for i, b := range key {
		padded[i] = b ^ 0x36
		outer[i] = b ^ 0x5c
	}
	inner := sha256.Sum256(padded)
	copy(outer[sha256.BlockSize:], inner[:])
	return sha256.Sum256(outer[:])
}
