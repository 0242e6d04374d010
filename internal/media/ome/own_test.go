package ome

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// Its source is not known, so that it is taken as it is and not begun anew.
func TestAPullThatAnotherProcessBeganIsKeptAndCanBeEnded(t *testing.T) {
	t.Parallel()
	s, n := api(t, map[string]string{"cam": "RtspPull"})
	s.status = http.StatusConflict
	p := NewPuller(client())
	p.Own(n, named("cam"))
	if err := p.Pull(t.Context(), n, media.Pull{Stream: named("cam"), Source: "rtsp://192.0.2.5/cam"}); err != nil {
		t.Error(err)
	}
	if heard := s.heard(); strings.Contains(heard, "DELETE") {
		t.Errorf("begun anew: %s", heard)
	}
	p.Own(n, named("cam")) // what is known stays known
	if source, _ := p.ours.get(n, named("cam")); source != "rtsp://192.0.2.5/cam" {
		t.Errorf("source %q", source)
	}
	if err := p.Unpull(t.Context(), n, named("cam")); err != nil || !strings.HasPrefix(s.heard(), "DELETE ") {
		t.Error(err)
	}
}

func TestPullsOfManyNamesDoNotAddUp(t *testing.T) {
	t.Parallel()
	p := NewPuller(client())
	for i := range oursKept + 10 {
		p.Own(media.Node{Name: "edge"}, named(fmt.Sprint(i)))
	}
	if n := p.ours.known.Len(); n != oursKept {
		t.Errorf("%d are remembered", n)
	}
}
