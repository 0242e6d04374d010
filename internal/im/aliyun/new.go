package aliyun

import (
	"context"
	"strconv"

	"github.com/stagedoor-live/stagedoor/internal/aliyun"
	"github.com/stagedoor-live/stagedoor/internal/im"
)

// New is the provider of the newer family.
type New struct {
	Calls
	Tokens     tokens // computed here: the service only verifies them
	AppID      string
	DataCenter string // where the application lives, "" for the service's default
}

type tokens interface {
	NewToken(ctx context.Context, userID string) (im.NewToken, error)
}

var (
	_ im.New     = (*New)(nil)
	_ im.Deleter = (*New)(nil)
	_ im.Counter = (*New)(nil)
	_ im.Muter   = (*New)(nil)
	_ im.Liker   = (*New)(nil)
)

// DataCenter returns the one of a region, "" where there is none.
func DataCenter(region string) string {
	switch region {
	case "cn-shanghai", "ap-southeast-1":
		return region
	}
	return ""
}

func (n *New) params(groupID string) aliyun.Params {
	return aliyun.Params{"AppId": n.AppID, "GroupId": groupID, "DataCenter": n.DataCenter}
}

// CreateGroup makes a group of this id. Its creator may manage it without any
// right over others.
func (n *New) CreateGroup(ctx context.Context, creator, id string) (string, error) {
	p := n.params(id)
	p["CreatorId"] = orNobody(creator)
	var got struct{ GroupID aliyun.Text }
	if err := n.Commands.Call(ctx, "CreateLiveMessageGroup", p, &got); err != nil {
		return "", done(err)
	}
	if got.GroupID == "" {
		return id, nil
	}
	return string(got.GroupID), nil
}

// DeleteGroup removes a group; one that is not there is no error.
func (n *New) DeleteGroup(ctx context.Context, groupID string) error {
	return unlessGone(n.Commands.Call(ctx, "DeleteLiveMessageGroup", n.params(groupID), nil))
}

// NewToken computes a token.
func (n *New) NewToken(ctx context.Context, userID string) (im.NewToken, error) {
	return n.Tokens.NewToken(ctx, userID)
}

// Statistics returns what the service counts: visits and who is there now.
func (n *New) Statistics(ctx context.Context, groupID string) (im.Statistics, error) {
	var got struct{ TotalTimes, OnlineUserCounts aliyun.Int }
	err := n.Queries.Call(ctx, "DescribeLiveMessageGroup", n.params(groupID), &got)
	return im.Statistics{PV: int64(got.TotalTimes), Online: int64(got.OnlineUserCounts)}, unlessGone(err)
}

// MuteGroup silences everybody but the creator, or ends that.
func (n *New) MuteGroup(ctx context.Context, groupID, creator string, muted bool) error {
	p := n.params(groupID)
	if !muted {
		return unlessGone(n.Commands.Call(ctx, "UnbanLiveMessageGroup", p, nil))
	}
	p["ExceptUsers"] = orNobody(creator)
	return unlessGone(n.Commands.Call(ctx, "BanLiveMessageGroup", p, nil))
}

// likeMessage is the type of the message that carries the new total of likes.
const likeMessage = "1001"

// Like tells the group the new total: the service itself counts none.
func (n *New) Like(ctx context.Context, groupID, userID string, _, total int64) error {
	p := n.params(groupID)
	p["SenderId"], p["MsgType"], p["NoStorage"], p["NoCache"] = orNobody(userID), likeMessage, "true", "true"
	if p["SenderId"] == "" {
		p["SenderId"] = "stagedoor"
	}
	p["Body"] = `{"likeCount":` + strconv.FormatInt(total, 10) + `}`
	return unlessGone(n.Queries.Call(ctx, "SendLiveMessageGroup", p, nil))
}
