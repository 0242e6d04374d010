package urlsign

import (
	"encoding/json"
	"strconv"
)

// newAntMedia returns the tokens of Ant Media's Enterprise edition:
//
//	token=<JWT, HS256: streamId, type, exp>
//
// The names of the claims are recalled, not confirmed. Its community edition
// takes anything.
func newAntMedia(Options) (Scheme, error) {
	return &tokenScheme{name: "antmedia_jwt", strength: unconfirmed, secret: true, params: []string{"token"},
		header: func(*Key) []byte { return []byte(`{"alg":"HS256","typ":"JWT"}`) }, claims: antMediaClaims, opens: antMediaOpens}, nil
}

var antMediaTypes = map[Scene]string{Publish: "publish", Play: "play"}

func antMediaClaims(t *Target, _ *Key, o *SignOptions) []byte {
	kind := antMediaTypes[t.Scene]
	if kind == "" {
		return nil
	}
	c := appendText([]byte(`{"streamId":`), t.Stream)
	return append(strconv.AppendInt(append(c, `,"type":"`+kind+`","exp":`...), unixSeconds(o.Expires), 10), '}')
}

func antMediaOpens(payload []byte, t *Target) Status {
	var c struct{ StreamID, Type string }
	switch {
	case json.Unmarshal(payload, &c) != nil || c.StreamID == "":
		return Mismatch
	case c.StreamID != t.Stream:
		return WrongStream
	case c.Type != antMediaTypes[t.Scene]:
		return WrongScene
	}
	return Valid
}
