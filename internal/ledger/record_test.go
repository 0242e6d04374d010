package ledger

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/node"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

type recording struct {
	file     string
	duration float64
}

func (b *bench) recordings(t *testing.T) []recording {
	t.Helper()
	rows, err := b.pool.Query(t.Context(), "SELECT file, duration FROM recordings ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []recording
	for rows.Next() {
		var r recording
		if err := rows.Scan(&r.file, &r.duration); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func TestARecordingOfAnAdmittedPublisherIsKeptOnce(t *testing.T) {
	t.Parallel()
	for server, connect := range servers {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			c := connect(stream("s"))
			during, after := c.recorded("rec/part1.flv", "/srv"), c.recorded("rec/part2.flv", "/srv")
			b.allow(t, c.publish(), during, during, c.unpublish(), after, c.close(), after)
			longer := after
			longer.Duration = 12.5
			b.allow(t, longer, after)
			want := []recording{{"/srv/rec/part1.flv", 0}, {"/srv/rec/part2.flv", 12.5}}
			if got := b.recordings(t); len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestARecordingBelongsToTheLatestSessionOfItsClient(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := onNginx(stream("s"))
	b.allow(t, c.publish(), c.recorded("/a.flv", ""), c.unpublish(), c.publish(), c.recorded("/a.flv", ""))
	s := b.sessions(t)
	for i := range 2 {
		if n := b.count(t, "SELECT count(*) FROM recordings WHERE session_id = $1 AND started_at = $2", s[i].ID, s[i].StartedAt); n != 1 {
			t.Errorf("session %d has %d recordings", i, n)
		}
	}
}

func TestRecordingsOfWhomWeDidNotAdmitAreIgnored(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.room(t, room.ModePlain)
	live, second, player := onNginx(stream(r.ID)), onNginx(stream(r.ID)), onNginx(stream(r.ID))
	early := onNginx(stream("early"))
	b.allow(t, live.publish(), player.play())
	b.refuse(t, second.publish(), media.AlreadyPublishing)
	b.allow(t, second.unpublish(), second.recorded("rec/x.flv", ""), // the name of the live stream
		player.recorded("rec/x.flv", ""),
		early.unpublish(), early.recorded("rec/x.flv", ""),
		onNginx(stream(r.ID)).recorded("rec/x.flv", ""),
		live.at(localNode).recorded("rec/x.flv", ""),
		live.streaming(stream("other")).recorded("rec/x.flv", ""),
		live.recorded("", "/srv"))
	if got := b.recordings(t); len(got) != 0 {
		t.Errorf("kept %+v", got)
	}
}

func TestRecordingPathsAreUntrustedText(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 400)
	for name, test := range map[string]struct{ dir, file, want string }{
		"absolute":              {"/srv", "/var/rec/a.flv", "/var/rec/a.flv"},
		"relative":              {"/srv", "rec/a.flv", "/srv/rec/a.flv"},
		"relative, slash":       {"/srv/", "rec/a.flv", "/srv/rec/a.flv"},
		"relative, no dir":      {"", "rec/a.flv", "rec/a.flv"},
		"as SRS writes it":      {"/usr/local/srs", "./objs/nginx/html/live/a.flv", "/usr/local/srs/./objs/nginx/html/live/a.flv"},
		"climbing":              {"/srv", "../../etc/passwd", "/srv/../../etc/passwd"},
		"not UTF-8 and NUL":     {"/srv", "a\xff\x00b.flv", "/srv/a\uFFFD\uFFFDb.flv"},
		"quotes and statements": {"/srv", "'; DROP TABLE recordings; --", "/srv/'; DROP TABLE recordings; --"},
		"line breaks":           {"/srv", "a\r\nb.flv", "/srv/a\r\nb.flv"},
		"too long":              {"", "/" + long, cleanText("/"+long, maxText)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			c := onSRS(stream("s"))
			b.allow(t, c.publish(), c.recorded(test.file, test.dir))
			if got := b.recordings(t); len(got) != 1 || got[0].file != test.want || !utf8.ValidString(got[0].file) {
				t.Errorf("got %+v, want %q", got, test.want)
			}
		})
	}
}

func TestARecordingReachesTheRoom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if err := b.nodes.Update(t.Context(), nginxNode, node.Settings{Kind: node.KindNginxRTMP, RecordURL: "https://vod.example.com/{file}"}); err != nil {
		t.Fatal(err)
	}
	r := b.room(t, room.ModePlain)
	c := onNginx(stream(r.ID))
	b.allow(t, c.publish(), c.unpublish(), c.recorded("rec/../a b.flv", "/srv"))
	var url string
	for _, file := range b.recordings(t) {
		url = b.nodes.RecordURL(nginxNode, file.file)
	}
	if url != "https://vod.example.com/a%20b.flv" {
		t.Errorf("URL %q", url)
	}
}
