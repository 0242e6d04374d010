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
	"github.com/stagedoor-live/stagedoor/internal/pg"
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
	var meeting *string
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
	p := in.params(group, s.Links.App, s.Now())
	p.MeetingID, p.IMServers = meeting, servers
	row, err := s.q.RoomInsert(ctx, s.DB, p)
	if err != nil {
		s.abandonGroups(ctx, group, servers)
		return Room{}, pg.Err(err, nil)
	}
	s.forgetStrays(ctx, group, servers...)
	return fromRow(row)
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

func (in *Input) params(id, app string, now time.Time) db.RoomInsertParams {
	return db.RoomInsertParams{ID: id, App: app, Title: in.Title, Notice: in.Notice, CoverURL: in.CoverURL, AnchorID: in.Anchor,
		AnchorNick: in.AnchorNick, Extends: in.Extends, Mode: int16(in.Mode), ChatID: id, Now: now}
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
func (s *Service) newMeetingID() (*string, error) {
	var b [16]byte
	if _, err := io.ReadFull(s.Rand, b[:]); err != nil {
		return nil, err
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	id := fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	return &id, nil
}
