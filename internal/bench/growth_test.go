package main

import (
	"strings"
	"testing"
	"time"
)

func TestGrowthIsATable(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	err := writeGrowth(&out, []grown{
		{world: &world{n: 1000, perTok: 200, perRoom: 100, ready: 100 * time.Millisecond, memory: 25}, alone: 2000, answer: 50, list: 4, walk: 3, callbacks: 20000, creates: 7000, visible: 8},
		{world: &world{n: 100000, perRule: 300, perTok: 210, perRoom: 90, ready: time.Second, memory: 125}, alone: 2100, answer: 51, list: 4.5, walk: 3.1, callbacks: 19000, creates: 6900, visible: 9},
	})
	want := `
  rooms, tokens, sessions  rules  ready s  memory MiB  bytes/rule  bytes/token  bytes/room  decision ns  answer us  list ms  walk ms  callbacks/s  rooms/s  revoke p99 ms
                     1000    100    0.100        25.0           -          200         100         2000       50.0     4.00     3.00        20000     7000           8.00
                   100000  10000     1.00         125         300          210        90.0         2100       51.0     4.50     3.10        19000     6900           9.00
`
	if out.String() != want || err != nil {
		t.Errorf("%v, got:%s\nwant:%s", err, out.String(), want)
	}
}
