package aliyun

import (
	"fmt"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// Lines are what to enter for the ingest domain in the console of the service.
func Lines(s media.Setup) string {
	url := s.Base + "/callback/aliyun"
	if s.Secret == "" {
		return "Callback URL: " + url
	}
	return fmt.Sprintf("Callback URL:       %s\nAuthentication:     on\nAuthentication key: %s", url, s.Secret)
}
