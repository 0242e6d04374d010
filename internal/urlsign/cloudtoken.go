package urlsign

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
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

func hashHex(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
