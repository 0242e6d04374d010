package access

import "github.com/stagedoor-live/stagedoor/internal/media"

// advice says for each reason what to do, as far as the reason alone tells.
var advice = map[media.Reason]string{
	media.Unauthenticated:        "Give the media server the callback URL with the secret of its node (stagedoor node config NAME), and let its address be among the node's sources.",
	media.StreamForbidden:        "Wait until the ban is over, or end it: stagedoor ban remove.",
	media.RoomEnded:              "Create a new room: one that has ended cannot go on air again.",
	media.NoCredential:           "Put a signed query or a token behind the stream name, in an encoder at the end of the stream key. stagedoor sign prints such URLs.",
	media.TokenUnknown:           "Copy the whole token, or make a new one: none of ours has this text.",
	media.TokenExpired:           "Log in again, or renew the token before it ends.",
	media.TokenRevoked:           "Get a new token: this one was destroyed, or its account was disabled.",
	media.CredentialConflict:     "Send each parameter once: it is there several times with different values.",
	media.SignatureMalformed:     "Send the signature whole and unchanged: it is not in the form of its scheme.",
	media.SignatureMismatch:      "Compare what was signed with what is asked for, byte for byte, and the secret on both sides: stagedoor explain URL shows it.",
	media.SignatureExpired:       "Sign a new URL, or give URLs a longer life.",
	media.KeyRevoked:             "Sign with the active key of the rule: the one that made the signature is revoked.",
	media.WrongStream:            "Use the credential of this stream: this one is for another.",
	media.WrongScene:             "Publish with a publishing credential and play with one for playing: neither stands in for the other.",
	media.WrongAddress:           "Let the client come from the address that the URL is bound to, or sign one that is bound to none.",
	media.NoRight:                "Give the account a right to the path, or use another stream.",
	media.InvalidCredentials:     "Use the name and the password of an account, or a token or signed URL instead of them.",
	media.TooManyAttempts:        "Wait a few minutes: too many wrong passwords came from this address. Then use the right one, or a token.",
	media.AlreadyPublishing:      "Stop the other publisher, or give the rule a takeover policy: stagedoor rule set ID --takeover resume.",
	media.InvalidStream:          "Use a name of letters, digits, - and _, without blanks, slashes, %, ?, # and &.",
	media.TemporarilyUnavailable: "Try again: Stagedoor or its database was busy or away. If it lasts, look at /readyz and the log.",
}

// Advice says what to do about a refusal for this reason, in one plain sentence
// or two. Reasons of admissions have none.
func Advice(r media.Reason) string { return advice[r] }
