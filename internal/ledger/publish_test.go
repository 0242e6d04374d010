package ledger

import (
	"fmt"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

func TestSecondPublisherIsRefusedAndNothingItLeavesBehindCounts(t *testing.T) {
	t.Parallel()
	for server, connect := range servers {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			r := b.room(t, room.ModePlain)
			first, second := connect(stream(r.ID)), connect(stream(r.ID))
			b.allow(t, first.publish())
			b.refuse(t, second.publish(), media.AlreadyPublishing)
			b.refuse(t, second.publish(), media.AlreadyPublishing)
			// A server may have let it in all the same: what captures show.
			b.allow(t, second.close(), second.unpublish(), second.recorded("rec/empty.flv", "/var"), second.close())
			b.wantOpen(t, first)
			b.wantStatus(t, r.ID, room.On)
			if n := b.count(t, "SELECT count(*) FROM recordings"); n != 0 {
				t.Errorf("%d recordings of a refused publisher", n)
			}
			if n := len(b.sessions(t)); n != 1 {
				t.Errorf("%d sessions, want that of the first publisher", n)
			}
			b.allow(t, first.unpublish(), connect(stream(r.ID)).publish())
			b.wantStatus(t, r.ID, room.On)
		})
	}
}

func TestSecondPublisherIsRefusedAcrossNodes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.allow(t, onSRS(stream("s")).publish())
	b.refuse(t, onNginx(stream("s")).publish(), media.AlreadyPublishing)
	b.refuse(t, onSRS(stream("s")).at(localNode).publish(), media.AlreadyPublishing)
}

func TestOfManyWhoPublishAtOnceExactlyOneIsAdmitted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const many = 50
	admitted := make(chan bool, many)
	for range many {
		go func() {
			v, err := b.Handle(t.Context(), onSRS(stream("s")).publish())
			admitted <- err == nil && v.Allow
		}()
	}
	n := 0
	for range many {
		if <-admitted {
			n++
		}
	}
	if n != 1 || len(b.open(t)) != 1 {
		t.Errorf("%d were admitted, %d are open", n, len(b.open(t)))
	}
}

func TestRepeatedPublishOfTheSameClientIsAdmittedAndChangesNothing(t *testing.T) {
	t.Parallel()
	for server, connect := range servers {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			r := b.room(t, room.ModePlain)
			c := connect(stream(r.ID))
			b.allow(t, c.publish())
			before := b.open(t)[0]
			// The anchor pauses while the encoder runs on.
			if _, err := b.rooms.Pause(t.Context(), anchor, r.ID); err != nil {
				t.Fatal(err)
			}
			if v := b.must(t, c.publish()); !v.Allow || v.Reason != media.Duplicate {
				t.Errorf("got %+v", v)
			}
			if after := b.open(t); len(after) != 1 || after[0].ID != before.ID || !after[0].StartedAt.Equal(before.StartedAt) {
				t.Errorf("session changed to %+v", after)
			}
			b.wantStatus(t, r.ID, room.Prepare)
		})
	}
}

func TestRepeatedPlayOfTheSameClientIsOneSession(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := onSRS(stream("s"))
	b.allow(t, c.play(), c.play(), c.play())
	b.wantOpen(t, c)
	b.allow(t, c.leave())
	b.wantOpen(t)
}

func TestOneConnectionMayPublishAndPlayAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := onSRS(stream("mine"))
	other := c.streaming(stream("theirs"))
	b.allow(t, c.publish(), other.play(), c.play())
	b.wantOpen(t, c, other, c)
	b.allow(t, c.unpublish())
	b.wantOpen(t, other, c)
	b.allow(t, c.close())
	b.wantOpen(t)
}

func TestServersThatShareANodeDoNotEndEachOthersPublishers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	on := func(server string) client { return onSRS(stream("s")).at(localNode).process(server) }
	first := on("vid-1/pid-1")
	b.allow(t, first.publish())
	b.refuse(t, on("vid-2/pid-2").publish(), media.AlreadyPublishing)
	b.refuse(t, on("").publish(), media.AlreadyPublishing)
	b.refuse(t, onNginx(stream("s")).at(localNode).publish(), media.AlreadyPublishing)
	b.allow(t, on("vid-2/pid-2").streaming(stream("t")).publish())
	if open := b.open(t); len(open) != 2 || open[0].ClientID != first.id {
		t.Errorf("open: %+v", open)
	}
}

func TestRestartedSRSEndsWhatItsEarlierProcessLeftAndTakesRoomsOffAir(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one, two := b.room(t, room.ModePlain), b.room(t, room.ModePlain)
	was := func(st media.Stream) client { return onSRS(st).process("vid-1/4711") }
	publishers := []client{was(stream(one.ID)), was(stream(two.ID))}
	player, elsewhere, otherNode := was(stream(one.ID)), onSRS(stream("x")).process("vid-2/1"), onSRS(stream("y")).at(localNode).process("vid-1/4711")
	b.allow(t, publishers[0].publish(), publishers[1].publish(), player.play(), elsewhere.publish(), otherNode.publish())

	now := onSRS(stream(one.ID)).process("vid-1/4712")
	b.allow(t, now.publish())
	b.wantOpen(t, elsewhere, otherNode, now)
	b.wantStatus(t, one.ID, room.On)
	b.wantStatus(t, two.ID, room.Prepare)
	// What the dead process still had to say comes too late.
	b.allow(t, publishers[0].unpublish(), publishers[0].close(), publishers[1].close(), player.leave())
	b.wantOpen(t, elsewhere, otherNode, now)
	b.wantStatus(t, one.ID, room.On)
	for _, s := range b.sessions(t) {
		if s.ServerID == "vid-1/4711" && s.Node == srsNode && s.EndReason != "server_restarted" {
			t.Errorf("session ended by %q", s.EndReason)
		}
	}
}

func TestRestartedSRSEndsManySessionsInPortionsAndPublishersFirst(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.room(t, room.ModePlain)
	old := onSRS(stream(r.ID)).process("vid-1/1")
	_, err := b.pool.Exec(t.Context(), `INSERT INTO sessions (node, server_id, client_id, serial, scene, vhost, app, stream, started_at)
		SELECT $1, 'vid-1/1', 'p' || n, 0, 'play', $2, 'live', 's', $3 FROM generate_series(1, $4::int) n`,
		srsNode, media.DefaultVhost, b.clock.Now(), endAtOnce+500)
	if err != nil {
		t.Fatal(err)
	}
	b.allow(t, old.publish())
	for i, left := range []int{501, 0, 0} {
		now := onSRS(stream(fmt.Sprint("new", i))).process("vid-1/2")
		b.allow(t, now.publish())
		if n := b.count(t, "SELECT count(*) FROM sessions WHERE ended_at IS NULL AND server_id = 'vid-1/1'"); n != left {
			t.Fatalf("%d sessions of the dead process are open after publish %d, want %d", n, i, left)
		}
		b.wantStatus(t, r.ID, room.Prepare)
	}
	if got := b.processes[srsNode+" vid-1/"]; got != "vid-1/2" {
		t.Errorf("remembers %q", got)
	}
}

func TestProcessesRememberedAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 3 * maxProcesses {
		b.noteProcess(&op{e: onSRS(stream("s")).process(fmt.Sprintf("vid-%d/1", i)).publish(), onlyProcess: true})
	}
	if n := len(b.processes); n > maxProcesses {
		t.Errorf("%d processes", n)
	}
}

// Versions of SRS that do not tell server and process apart.
func TestAnotherIdentityIsARestartOnlyWhereTheServerCannotBeAsked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for node, want := range map[string]bool{localNode: true, srsNode: false} {
		old, now := onSRS(stream(node)).at(node).process("vid-1"), onSRS(stream(node)).at(node).process("vid-9")
		b.allow(t, old.publish())
		if v := b.must(t, now.publish()); v.Allow != want {
			t.Errorf("%s: got %+v", node, v)
		}
	}
}

func TestRestartedNginxGivesNumbersAgain(t *testing.T) {
	t.Parallel()
	t.Run("the same number on the same stream goes on", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		r := b.room(t, room.ModePlain)
		c := onNginx(stream(r.ID)).number(1)
		b.allow(t, c.publish(), c.publish())
		b.wantOpen(t, c)
		b.allow(t, c.unpublish())
		b.wantStatus(t, r.ID, room.Prepare)
	})
	t.Run("the same number on another stream ends what it did before", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		r := b.room(t, room.ModePlain)
		publisher, player := onNginx(stream(r.ID)).number(1), onNginx(stream(r.ID)).number(2)
		b.allow(t, publisher.publish(), player.play())
		again := []client{publisher.streaming(stream("x")), player.streaming(stream("y"))}
		b.allow(t, again[0].publish(), again[1].publish())
		b.wantOpen(t, again...)
		b.wantStatus(t, r.ID, room.Prepare)
	})
	t.Run("a player's number now publishes the stream", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		c := onNginx(stream("s")).number(3)
		b.allow(t, c.play(), c.publish())
		if open := b.open(t); len(open) != 1 || open[0].Scene != string(media.Publish) {
			t.Errorf("open: %+v", open)
		}
	})
	t.Run("a smaller number takes over where the server cannot be asked", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		old, now := onNginx(stream("s")).at(localNode).number(90), onNginx(stream("s")).at(localNode).number(2)
		b.allow(t, old.publish(), now.publish())
		b.wantOpen(t, now)
	})
	t.Run("a greater number does not", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		old, now := onNginx(stream("s")).at(localNode).number(2), onNginx(stream("s")).at(localNode).number(3)
		b.allow(t, old.publish())
		b.refuse(t, now.publish(), media.AlreadyPublishing)
	})
	t.Run("a smaller number is refused where the server can be asked, as it may have waited", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		old, now := onNginx(stream("s")).number(90), onNginx(stream("s")).number(2)
		b.allow(t, old.publish())
		b.refuse(t, now.publish(), media.AlreadyPublishing)
	})
	t.Run("numbers of different nodes have nothing to do with each other", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		here, there := onNginx(stream("a")).number(5), onNginx(stream("b")).at(localNode).number(5)
		b.allow(t, here.publish(), there.publish())
		b.wantOpen(t, here, there)
	})
}

func TestTheServersOwnRelaysAreLetThroughAndNotRecorded(t *testing.T) {
	t.Parallel()
	b := setup(t, closedDoor)
	relay := onNginx(media.Stream{Vhost: media.DefaultVhost, Name: "room1"})
	for _, action := range []media.Action{media.Publishing, media.Playing, media.Unpublished, media.Stopped, media.Recorded, media.Updated} {
		e := relay.event(action)
		e.Relay, e.On = true, media.Publish
		if v := b.must(t, e); !v.Allow || v.Reason != media.ServerRelay {
			t.Errorf("%s: got %+v", action, v)
		}
	}
	if n := b.count(t, "SELECT count(*) FROM sessions"); n != 0 {
		t.Errorf("%d sessions", n)
	}
}

func TestActionsThatTheLedgerDoesNotKeepAreAllowed(t *testing.T) {
	t.Parallel()
	b := setup(t, closedDoor)
	for _, action := range []media.Action{media.Connecting, media.Informed, "something new"} {
		if v := b.must(t, onSRS(stream("s")).event(action)); !v.Allow {
			t.Errorf("%s: got %+v", action, v)
		}
	}
}

func TestASessionRemembersWhoAndWhat(t *testing.T) {
	t.Parallel()
	b := setup(t)
	publisher, player := onSRS(stream("s")), onNginx(stream("s"))
	end := publisher.close()
	end.BytesIn, end.BytesOut = 12345, 678
	b.allow(t, publisher.publish(), player.play(), publisher.unpublish(), end, end)
	s := b.sessions(t)
	if len(s) != 2 {
		t.Fatalf("%d sessions, want 2", len(s))
	}
	if p := s[0]; p.Address != "192.0.2.7" || p.Protocol != "rtmp" || p.CredentialKind != "policy" || p.BytesIn != 12345 || p.BytesOut != 678 ||
		p.EndReason != string(media.Unpublished) || p.EndedAt == nil || !p.EndedAt.After(p.StartedAt) || p.Scene != "publish" {
		t.Errorf("publisher %+v", p)
	}
	if p := s[1]; p.Serial != player.serial || p.Scene != "play" || p.EndedAt != nil || p.EndReason != "" || p.CredentialKind != "policy" {
		t.Errorf("player %+v", p)
	}
}
