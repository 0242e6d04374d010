package urlsign

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// RTCToken returns the token with which a client joins a co-streaming channel.
// Expires is in unix seconds and travels beside the token. The fields are
// hashed without separators, as the vendor's servers do: take ids of one fixed
// form, or "a"+"bc" and "ab"+"c" share a token.
func RTCToken(appID, appKey, channelID, userID, nonce string, expires int64) string {
	return hashHex(appID + appKey + channelID + userID + nonce + strconv.FormatInt(expires, 10))
}

// IMToken returns the token with which a client logs in to the messaging
// service. Expires is in unix seconds. The role "admin" allows calls that
// manage the whole app; every other role, the empty one included, allows none
// of them. The fields are hashed without separators; see RTCToken.
func IMToken(appID, appKey, userID, nonce string, expires int64, role string) string {
	return hashHex(appID + appKey + userID + nonce + strconv.FormatInt(expires, 10) + role)
}

// PushCallbackSignature signs what the vendor's CDN tells of streams that are
// pushed to a domain of its own. Timestamp is in unix seconds as it travels
// beside the signature. Nothing else of the callback is signed.
func PushCallbackSignature(domain, timestamp, key string) string {
	sum := md5.Sum([]byte(domain + "|" + timestamp + "|" + key))
	return hex.EncodeToString(sum[:])
}

// PushCallbackWindow is how far the clocks of a CDN and ours may be apart. A
// signature that is older could have been seen by somebody on the way.
const PushCallbackWindow = 5 * time.Minute

// VerifyPushCallback reports whether a signature of PushCallbackSignature is
// right and of now; it may be in capitals. Without a key none is. It takes the
// same time for all wrong ones.
func VerifyPushCallback(domain, timestamp, signature, key string, now time.Time) bool {
	at, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || key == "" {
		return false
	}
	if age := now.Sub(time.Unix(at, 0)); age > PushCallbackWindow || age < -PushCallbackWindow {
		return false
	}
	want := PushCallbackSignature(domain, timestamp, key)
	return subtle.ConstantTimeCompare([]byte(strings.ToLower(signature)), []byte(want)) == 1
}

func hashHex(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
