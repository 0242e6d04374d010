package ledger

import (
	"strings"
	"unicode/utf8"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// The longest texts that are kept of an event, in bytes.
const maxText, maxQuery = 512, 4096

// clean makes an event's texts storable: valid UTF-8 without NUL, bounded.
func clean(e media.Event) media.Event {
	tidy(&e)
	return e
}

// tidy is clean in place. Nearly every text is storable as it is.
func tidy(e *media.Event) {
	for _, p := range [...]*string{&e.ServerID, &e.ClientID, &e.Stream.Vhost, &e.Stream.App, &e.Stream.Name, &e.Address, &e.Protocol, &e.Host, &e.File, &e.Dir} {
		if len(*p) > maxText || strings.IndexByte(*p, 0) >= 0 || !utf8.ValidString(*p) {
			*p = cleanText(*p, maxText)
		}
	}
	if len(e.Query) > maxQuery {
		e.Query = e.Query[:maxQuery]
	}
	if e.Stream.Vhost == "" {
		e.Stream.Vhost = media.DefaultVhost
	}
}

func cleanText(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
