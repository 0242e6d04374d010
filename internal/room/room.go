// Package room owns the life of live rooms: creating and ending them, their
// co-streaming members, likes, figures and the signed URLs that lead to them.
//
// A room's status moves by what its anchor asks for and by what media servers
// report of its stream; moves of one room follow one another:
//
//	          start, publish
//	0 prepare ---------------> 1 on
//	   |      <---------------  |
//	   |  pause, end of publish |
//	   | stop                   | stop
//	   +----------> 2 off <-----+      2 is final; publishing is refused
package room

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/im"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/outage"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// Status is where a room stands.
type Status int16

// The three states that clients know.
const (
	Prepare Status = 0
	On      Status = 1
	Off     Status = 2
)

// The two modes: plain, and co-streaming ("link").
const (
	ModePlain = 0
	ModeLink  = 1
)

// Room is a live room.
type Room struct {
	ID, App              string
	Title, Notice        string
	CoverURL             string
	AnchorID, AnchorNick string
	Extends              string // opaque text of the app, echoed byte for byte
	Status               Status
	Mode                 int
	ChatID               string
	MeetingID            string // "" unless Mode is ModeLink
	VODID                string // of the recording in the video-on-demand service, once found
	Members              []Member
	IMServers            []string
	Muted                bool // everybody but the anchor is silent in the message groups
	Likes                int64
	gone                 bool // it is being deleted
	CreatedAt, UpdatedAt time.Time
	StartedAt, StoppedAt *time.Time
}

// Member takes part in co-streaming. The JSON names are those of the stored
// list and of the AppServer dialect.
type Member struct {
	UserID       string `json:"user_id"`
	UserNick     string `json:"user_nick"`
	UserAvatar   string `json:"user_avatar"`
	CameraOpened bool   `json:"camera_opened"`
	MicOpened    bool   `json:"mic_opened"`
	RTCPullURL   string `json:"rtc_pull_url"`
}

// signer signs URLs under the rule that applies to them.
type signer interface {
	SignURL(l media.Link, expires time.Time) string
	// RoomClosed tells the decision at once that a room takes no publisher.
	RoomClosed(id string)
}

// nodes tells where a node's recordings are served.
type nodes interface {
	RecordURL(node, file string) string
}

// Config lists what a Service depends on.
type Config struct {
	DB      pg.DB
	Now     func() time.Time
	Rand    io.Reader
	Log     *slog.Logger
	Groups  im.Families
	Library library // nil: there is none
	Signer  signer
	Nodes   nodes
	Links   LinkConfig
	// PageBudget is how long a page waits for what providers know of its rooms.
	// Zero: two and a half seconds.
	PageBudget time.Duration
	// PushKey signs what the vendor's CDN reports of pushed streams. Without one
	// no report is believed.
	PushKey string
}

// Service is the room service.
type Service struct {
	Config
	q          *db.Queries
	outages    *outage.Log
	figures    *memo[im.Statistics]
	recordedAt *memo[recorded]
	cheers     *cheers
	created    *combiner[Room, struct{}]
	moves      *combiner[move, moved]
	looks      *combiner[Room, record]
	places     *places
	totals     *memo[int]
}

// New returns a Service.
func New(c Config) *Service {
	s := &Service{Config: c, q: db.New(), outages: outage.New(c.Log, c.Now), figures: newMemo[im.Statistics](c.Now, remoteTimeout), recordedAt: newMemo[recorded](c.Now, remoteTimeout),
		cheers: &cheers{}, places: newPlaces(), totals: newMemo[int](c.Now, remoteTimeout)}
	s.created, s.moves, s.looks = newCombiner(s.insert), newCombiner(s.moveAll), newCombiner(s.readOne)
	return s
}

var (
	errNotFound = errs.New(errs.NotFound, "room_not_found", "room not found")
	errNotOwner = errs.New(errs.Forbidden, "not_owner", "only the anchor may do this")
	errEnded    = errs.New(errs.Conflict, "room_ended", "the room has ended")
)

// Get returns a room. Error: NotFound.
func (s *Service) Get(ctx context.Context, id string) (Room, error) {
	if !rtcID(id) {
		return Room{}, errNotFound
	}
	row, err := s.q.RoomByID(ctx, s.DB, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return Room{}, errNotFound
	}
	if err != nil {
		return Room{}, pg.Err(err, nil)
	}
	return fromRow(row)
}

func fromRow(r db.Room) (Room, error) {
	room := Room{ID: r.ID, App: r.App, Title: r.Title, Notice: r.Notice, CoverURL: r.CoverURL, AnchorID: r.AnchorID, AnchorNick: r.AnchorNick,
		Extends: r.Extends, Status: Status(r.Status), Mode: int(r.Mode), ChatID: r.ChatID, IMServers: r.IMServers, Muted: r.Muted, VODID: r.VodID, gone: r.DeletedAt != nil, Likes: r.LikeCount,
		CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt, StartedAt: r.StartedAt, StoppedAt: r.StoppedAt}
	if r.MeetingID != nil {
		room.MeetingID = *r.MeetingID
	}
	if len(r.MeetingInfo) > 0 {
		if err := json.Unmarshal(r.MeetingInfo, &room.Members); err != nil {
			return Room{}, fmt.Errorf("meeting info of room %s: %w", r.ID, err)
		}
	}
	return room, nil
}
