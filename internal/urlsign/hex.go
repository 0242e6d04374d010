package urlsign

import (
	"crypto/md5"
	"crypto/subtle"
	"encoding/binary"
)

// md5Text is the length of an MD5 digest in hexadecimal.
const md5Text = 2 * md5.Size

// hexMD5 writes a digest in lower-case hexadecimal.
func hexMD5(sum [md5.Size]byte) (text [md5Text]byte) {
	for i := 0; i < md5.Size; i += 4 {
		binary.BigEndian.PutUint64(text[2*i:], hexWord(binary.BigEndian.Uint32(sum[i:])))
	}
	return text
}

// isHexMD5 returns 1 if a text of md5Text bytes is what hexMD5 writes, and else
// 0, in constant time. It stores nothing: the digest is compared as it is made.
func isHexMD5(text string, sum *[md5.Size]byte) int {
	written, differ := []byte(text), uint64(0)
	for i := 0; i < md5.Size; i += 4 {
		differ |= hexWord(binary.BigEndian.Uint32(sum[i:])) ^ binary.BigEndian.Uint64(written[2*i:])
	}
	return subtle.ConstantTimeEq(int32(differ>>32|differ), 0)
}

// hexWord makes eight digits at a time out of four bytes, one in each byte of a
// word: digit by digit, as encoding/hex does, takes a sixth of the time of the
// hash itself.
func hexWord(four uint32) uint64 {
	x := uint64(four)
	x = (x | x<<16) & 0x0000ffff0000ffff
	x = (x | x<<8) & 0x00ff00ff00ff00ff
	x = (x | x<<4) & 0x0f0f0f0f0f0f0f0f
	letters := (x + 0x0606060606060606) >> 4 & 0x0101010101010101 // 1 where above 9
	return x + 0x3030303030303030 + letters*('a'-'0'-10)
}

func isLowerHex(text string) bool {
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
