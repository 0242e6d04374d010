package account

import (
	"context"
	"crypto/md5" // what clients of ipchub send; nothing here relies on it
	"encoding/hex"
	"strings"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

// md5Mark stands before a hash that was made of an MD5 and not of a password.
// The clients of ipchub may send either, at saving and at logging in:
//
//	stored from      sent at login      opens
//	plain text       plain text         when equal
//	plain text       its MD5            never: or whoever saw one could log in
//	MD5              that MD5           yes
//	MD5              its plain text     yes
//
// Either way what is stored is the slow salted hash.
const md5Mark = "md5:"

// isMD5 says whether a password is 32 hex digits, which ipchub takes for an MD5.
func isMD5(password string) bool {
	raw, err := hex.DecodeString(password)
	return err == nil && len(raw) == md5.Size
}

// md5Of returns the MD5 in lower-case hex of a password that may be one already.
func md5Of(password string) string {
	if isMD5(password) {
		return strings.ToLower(password)
	}
	sum := md5.Sum([]byte(password))
	return hex.EncodeToString(sum[:])
}

// checkSent is check for a password that may be an MD5 or missing. Of an MD5 it
// can only say whether it is that of the username or of a well-known password.
func (p *passwords) checkSent(password, username string) error {
	if password == "" {
		return nil
	}
	if !isMD5(password) {
		return p.check(password, username)
	}
	sum := md5Of(password)
	if _, ok := p.md5s[sum]; ok || sum == md5Of(username) || sum == md5Of(strings.ToLower(username)) {
		return errs.InvalidField("password", "the password is one of the most common ones")
	}
	return nil
}

// hashSent is hash for a password that may be an MD5, or missing: then nothing
// opens the account.
func (p *passwords) hashSent(ctx context.Context, password string) (string, error) {
	if password == "" {
		return "", nil
	}
	if !isMD5(password) {
		return p.hash(ctx, password)
	}
	encoded, err := p.hash(ctx, md5Of(password))
	if err != nil {
		return "", err
	}
	return md5Mark + encoded, nil
}
