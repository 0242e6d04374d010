// Package im provides message groups and the tokens with which clients join
// them.
//
// There are two families of clients, each with a message service of its own. A
// room has one group in each family that it was created for. Who carries the
// messages of a family is its provider's business: the built-in one needs no
// cloud account, others speak to a vendor.
package im

import (
	"context"
	"errors"
	"time"
)

// The two families that clients of the AppServer dialect ask for.
const (
	ServerOld = "aliyun_old"
	ServerNew = "aliyun_new"
)

// NewToken lets a client join groups of the newer message service.
type NewToken struct {
	AppID   string
	AppSign string
	Token   string
	UserID  string
	Nonce   string
	Expires time.Time
	Role    string // the role that went into the token, "" for ordinary users
}

// OldToken lets a client join groups of the older message service.
type OldToken struct {
	Access  string
	Refresh string
}

// Device is where a client of the older service runs.
type Device struct {
	ID   string
	Type string // ios, android, web, pc
}

// Provider carries the groups of one family. What else it may be able to do
// are the optional interfaces below.
type Provider interface {
	// CreateGroup makes a group. The id that the caller wants is used where the
	// provider lets callers choose.
	CreateGroup(ctx context.Context, creator, id string) (groupID string, err error)
}

// Old is a provider of the older family.
type Old interface {
	Provider
	OldToken(ctx context.Context, userID string, d Device) (OldToken, error)
}

// New is a provider of the newer family.
type New interface {
	Provider
	NewToken(ctx context.Context, userID string) (NewToken, error)
}

// ErrKept is inside the error of a provider that has no way to remove a group.
var ErrKept = errors.New("the message service cannot remove groups")

// Deleter is a provider whose groups exist somewhere and have to be removed.
// Removing one that is not there is no error.
type Deleter interface {
	DeleteGroup(ctx context.Context, groupID string) error
}

// Muter is a provider that silences a group itself. The creator may speak on
// where the provider allows an exception.
type Muter interface {
	MuteGroup(ctx context.Context, groupID, creator string, muted bool) error
}

// ErrRefused is inside the error of a provider that has answered, and said no:
// nothing was done.
var ErrRefused = errors.New("refused by the message service")

// Statistics are a provider's figures of one group. What it does not count is
// zero.
type Statistics struct {
	Likes  int64
	Online int64 // users in the group now
	PV     int64 // visits so far
	UV     int64 // distinct users so far
}

// Counter is a provider that counts who is in a group.
type Counter interface {
	Statistics(ctx context.Context, groupID string) (Statistics, error)
}

// Watcher is a provider that knows which users are silent.
type Watcher interface {
	MuteState(ctx context.Context, groupID, userID string) (MuteState, error)
}

// Liker is a provider that tells a group about likes: n new ones by a user, and
// their new total.
type Liker interface {
	Like(ctx context.Context, groupID, userID string, n, total int64) error
}

// MuteState says whether a user is silent in a group, and what makes it so.
type MuteState struct {
	Muted   bool
	ByGroup bool // everybody is
	ByUser  bool // this user is
}

// Families holds the provider of each family.
type Families struct {
	Old Old
	New New
}

// Of returns the provider of a family by its name.
func (f Families) Of(server string) Provider {
	if server == ServerOld {
		return f.Old
	}
	return f.New
}

// OldToken asks the provider of the older family.
func (f Families) OldToken(ctx context.Context, userID string, d Device) (OldToken, error) {
	return f.Old.OldToken(ctx, userID, d)
}

// NewToken asks the provider of the newer family.
func (f Families) NewToken(ctx context.Context, userID string) (NewToken, error) {
	return f.New.NewToken(ctx, userID)
}
