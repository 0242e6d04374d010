// Package im provides message groups and the tokens with which clients join
// them.
//
// A room has one group. Who carries its messages is a Provider's business: the
// built-in one needs no cloud account, others speak to a vendor.
package im

import (
	"context"
	"time"
)

// The two token families that clients of the AppServer dialect ask for.
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

// Provider carries message groups.
type Provider interface {
	// CreateGroup makes a group. The id that the caller wants is used where the
	// provider lets callers choose.
	CreateGroup(ctx context.Context, creator, id string) (groupID string, err error)
	DeleteGroup(ctx context.Context, groupID string) error
	NewToken(ctx context.Context, userID string) (NewToken, error)
	OldToken(ctx context.Context, userID string, d Device) (OldToken, error)
}
