package urlsign

import (
	"crypto/md5"
	"encoding/binary"
)

// md5Text is the length of an MD5 digest in hexadecimal.
const md5Text = 2 * md5.Size

// hexMD5 writes a digest in lower-case hexadecimal. It makes eight digits at a
// time out of four bytes, one in each byte of a word: digit by digit, as
// encoding/hex does, takes a sixth of the time of the hash itself.
func hexMD5(sum [md5.Size]byte) (text [md5Text]byte) {
	for i := 0; i < md5.Size; i += 4 {
		x := uint64(binary.BigEndian.Uint32(sum[i:]))
		x = (x | x<<16) & 0x0000ffff0000ffff
		x = (x | x<<8) & 0x00ff00ff00ff00ff
		x = (x | x<<4) & 0x0f0f0f0f0f0f0f0f
		letters := (x + 0x0606060606060606) >> 4 & 0x0101010101010101 // 1 where above 9
		x += 0x3030303030303030 + letters*('a'-'0'-10)
		binary.BigEndian.PutUint64(text[2*i:], x)
	}
	return text
}

func isLowerHex(text string) bool {
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
