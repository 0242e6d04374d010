package room

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/im"
)

// Input is what an anchor says of a new room.
type Input struct {
	Title, Notice, CoverURL string
	Anchor, AnchorNick      string // Anchor must be the caller
	Extends                 string
	Mode                    int
	IMServers               []string // empty for the newer message service
}

// Create opens a room in state Prepare. Errors: Invalid, Forbidden when the
// anchor is not the caller, BadGateway when the message group cannot be made.
func (s *Service) Create(ctx context.Context, caller string, in Input) (Room, error) {
	if err := in.validate(caller); err != nil {
		return Room{}, err
	}
	id, err := s.newID()
	if err != nil {
		return Room{}, err
	}
	meeting := ""
	if in.Mode == ModeLink {
		if meeting, err = s.newMeetingID(); err != nil {
			return Room{}, err
		}
	}
	servers := in.servers()
	group, err := s.createGroups(ctx, caller, id, servers)
	if err != nil {
		return Room{}, err
	}
	r := in.room(group, meeting, servers, s.Links.App, s.Now())
	if _, err := s.created.ask(ctx, "", r); err != nil {
		s.abandonGroups(ctx, group, servers)
		return Room{}, err
	}
	s.forgetStrays(ctx, group, servers...)
	return r, nil
}

// insert stores what is created at the same time in one commit.
func (s *Service) insert(ctx context.Context, _ string, rooms []Room) ([]struct{}, error) {
	var p db.RoomsInsertParams
	for _, r := range rooms {
		p.ID, p.App, p.Title, p.Notice = append(p.ID, r.ID), append(p.App, r.App), append(p.Title, r.Title), append(p.Notice, r.Notice)
		p.CoverURL, p.AnchorID, p.AnchorNick = append(p.CoverURL, r.CoverURL), append(p.AnchorID, r.AnchorID), append(p.AnchorNick, r.AnchorNick)
		p.Extends, p.Mode, p.MeetingID = append(p.Extends, r.Extends), append(p.Mode, int16(r.Mode)), append(p.MeetingID, r.MeetingID)
		p.IMServers, p.CreatedAt = append(p.IMServers, strings.Join(r.IMServers, ",")), append(p.CreatedAt, r.CreatedAt)
	}
	return make([]struct{}, len(rooms)), s.q.RoomsInsert(ctx, s.DB, p)
}

// servers lists the message services, each once, the older one first: its
// provider chooses the id that all groups of the room then have.
func (in *Input) servers() []string {
	var servers []string
	for _, v := range []string{im.ServerOld, im.ServerNew} {
		if slices.Contains(in.IMServers, v) {
			servers = append(servers, v)
		}
	}
	if len(servers) == 0 {
		servers = []string{im.ServerNew}
	}
	return servers
}

// room is the new room as the database will have it, whose times are in
// microseconds.
func (in *Input) room(id, meeting string, servers []string, app string, now time.Time) Room {
	now = now.Truncate(time.Microsecond)
	return Room{ID: id, App: app, Title: in.Title, Notice: in.Notice, CoverURL: in.CoverURL, AnchorID: in.Anchor, AnchorNick: in.AnchorNick,
		Extends: in.Extends, Mode: in.Mode, ChatID: id, MeetingID: meeting, IMServers: servers, CreatedAt: now, UpdatedAt: now}
}

// The limits of texts, in characters.
const (
	maxTitle   = 63
	maxText    = 256
	maxExtends = 511
)

func (in *Input) validate(caller string) error {
	if err := validTexts(in.Title, in.Notice, in.Extends); err != nil {
		return err
	}
	switch {
	case strings.TrimSpace(in.Title) == "":
		return errs.InvalidField("title", "title is required")
	case in.Anchor == "":
		return errs.InvalidField("anchor", "anchor is required")
	case in.Mode != ModePlain && in.Mode != ModeLink:
		return errs.InvalidField("mode", "mode is 0 or 1")
	case utf8.RuneCountInString(in.AnchorNick) > maxText:
		return errs.InvalidField("anchor_nick", "anchor_nick is longer than 256 characters")
	case utf8.RuneCountInString(in.CoverURL) > maxText:
		return errs.InvalidField("cover_url", "cover_url is longer than 256 characters")
	case in.Anchor != caller:
		return errNotOwner
	case in.Mode == ModeLink && !rtcID(in.Anchor):
		return errs.InvalidField("mode", "co-streaming needs a user name of 0-9 A-Z a-z _ = -")
	}
	for _, v := range in.IMServers {
		if v != im.ServerOld && v != im.ServerNew {
			return errs.InvalidField("im_server", "im_server is aliyun_old or aliyun_new")
		}
	}
	return validUTF8(in.Title, in.Notice, in.Extends, in.AnchorNick, in.CoverURL)
}

func validTexts(title, notice, extends string) error {
	switch {
	case utf8.RuneCountInString(title) > maxTitle:
		return errs.InvalidField("title", "title is longer than 63 characters")
	case utf8.RuneCountInString(notice) > maxText:
		return errs.InvalidField("notice", "notice is longer than 256 characters")
	case utf8.RuneCountInString(extends) > maxExtends:
		return errs.InvalidField("extends", "extends is longer than 511 characters")
	}
	return nil
}

// validUTF8 refuses what Postgres cannot store as text.
func validUTF8(texts ...string) error {
	for _, t := range texts {
		if !utf8.ValidString(t) || strings.ContainsRune(t, 0) {
			return errs.New(errs.Invalid, "invalid_text", "text is not valid UTF-8")
		}
	}
	return nil
}

// rtcID says whether a user id needs no escaping in co-streaming URLs and
// stream names.
func rtcID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for _, c := range id {
		if !(c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_' || c == '=' || c == '-') {
			return false
		}
	}
	return true
}

func (s *Service) newID() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(s.Rand, b[:]); err != nil {
		return "", err
	}
	return hex.EncodeToString(b[:]), nil
}

// newMeetingID returns a random (version 4) UUID.
func (s *Service) newMeetingID() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(s.Rand, b[:]); err != nil {
		return "", err
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
}
