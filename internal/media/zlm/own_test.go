package zlm

import (
	"fmt"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

func TestAPullThatAnotherProcessBeganCanBeEnded(t *testing.T) {
	t.Parallel()
	s, n := api(t, map[string]string{"listStreamProxy": listing("rtsp://192.0.2.5/other", 0), "delStreamProxy": done})
	c := client()
	c.Own(n, wanted.Stream)
	if pulls, err := c.Pulls(t.Context(), n); err != nil || len(pulls) != 1 {
		t.Errorf("%+v %v", pulls, err)
	}
	s.heard()
	if err := c.Unpull(t.Context(), n, wanted.Stream); err != nil || s.heard() != "delStreamProxy __defaultVhost__/proxy/p1" {
		t.Error(err)
	}
}

func TestPullsOfManyNamesDoNotAddUp(t *testing.T) {
	t.Parallel()
	c := client()
	for i := range oursKept + 10 {
		c.Own(media.Node{Name: "edge"}, media.Stream{App: "live", Name: fmt.Sprint(i)})
	}
	if n := c.ours.known.Len(); n != oursKept {
		t.Errorf("%d are remembered", n)
	}
}
