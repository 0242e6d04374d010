package nms

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// Lines are for the script that starts Node-Media-Server, among the keys of its
// configuration. The password of the API is derived from the node's secret, so
// that there is one to paste; a node without a secret gets a gap that does not
// run unless it is filled.
func Lines(s media.Setup) string {
	password := "<choose a password>"
	if s.Secret != "" {
		password = strconv.Quote(apiPassword(s.Secret))
	}
	return strings.NewReplacer("URL", strconv.Quote(s.URL("/callback/node-media-server")), "PASSWORD", password, "NODE", s.Node).Replace(`notify: { url: URL },
auth: {
  jwt: {
    secret: require('node:crypto').randomBytes(32).toString('hex'), expiresIn: '24h', algorithm: 'HS256',
    users: [{ username: "stagedoor", password: PASSWORD, role: "admin" }],
  },
},
// Then tell the node of its API:
// echo '` + strings.Trim(password, `"`) + `' | stagedoor node update NODE --control-url http://HOST:PORT --username stagedoor --password`)
}

func apiPassword(secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("Node-Media-Server API"))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}
