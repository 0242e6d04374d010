package ome

import (
	"fmt"
	"strings"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// Lines are for a VirtualHost of Server.xml. The secret signs what is sent and
// stands in no URL.
func Lines(s media.Setup) string {
	return fmt.Sprintf(`<AdmissionWebhooks>
    <ControlServerUrl>%s</ControlServerUrl>
    <SecretKey>%s</SecretKey>
    <Timeout>3000</Timeout>
    <Enables>
        <Providers>rtmp,webrtc,srt</Providers>
        <Publishers>webrtc,llhls,hlsv3,srt,thumbnail</Publishers>
    </Enables>
</AdmissionWebhooks>`, escape(s.SignedURL("/callback/ovenmediaengine")), escape(s.Secret))
}

func escape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}
