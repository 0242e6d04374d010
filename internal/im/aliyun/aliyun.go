// Package aliyun is the message-group provider of both families that speaks to
// Alibaba Cloud.
package aliyun

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/stagedoor-live/stagedoor/internal/aliyun"
	"github.com/stagedoor-live/stagedoor/internal/im"
)

// Version is that of the product's API.
const Version = "2016-11-01"

// Calls are the two clients of a provider. Figures that are asked for often and
// are not missed much must not hold up what changes something.
type Calls struct {
	Commands, Queries *aliyun.Client
}

// done translates the outcome of an operation.
func done(err error) error {
	var refusal *aliyun.Error
	if errors.As(err, &refusal) && refusal.Definite() {
		return fmt.Errorf("%w: %w", im.ErrRefused, err)
	}
	return err
}

// absent is how the service says that there is no such group.
var absent = regexp.MustCompile(`(Resource|Group).*(NotExist|NotFound|Deleted)`)

// gone says that an operation failed because the group is not there any more.
func gone(err error) bool {
	var refusal *aliyun.Error
	return errors.As(err, &refusal) && refusal.Definite() && absent.MatchString(refusal.Code)
}

// unlessGone is done for operations that a group which is not there needs not
// fail: it has nobody to count, to mute or to tell. Rooms from before the
// service was configured have none.
func unlessGone(err error) error {
	if gone(err) {
		return nil
	}
	return done(err)
}

var errIncomplete = errors.New("the answer is incomplete")

// Old is the provider of the older family.
type Old struct {
	Calls
	AppID string
}

var (
	_ im.Old     = (*Old)(nil)
	_ im.Deleter = (*Old)(nil)
	_ im.Counter = (*Old)(nil)
	_ im.Watcher = (*Old)(nil)
	_ im.Muter   = (*Old)(nil)
	_ im.Liker   = (*Old)(nil)
)

// CreateGroup makes a group with an id of the service's choice.
func (o *Old) CreateGroup(ctx context.Context, creator, _ string) (string, error) {
	var got struct {
		Result struct{ GroupID aliyun.Text }
	}
	err := o.Commands.Call(ctx, "CreateMessageGroup", aliyun.Params{"AppId": o.AppID, "CreatorId": creator}, &got)
	return string(got.Result.GroupID), done(err)
}

// DeleteGroup cannot: the service has no operation for it.
func (o *Old) DeleteGroup(context.Context, string) error { return im.ErrKept }

// OldToken returns the token pair that the service issues. It takes device ids
// in lower case only.
func (o *Old) OldToken(ctx context.Context, userID string, d im.Device) (im.OldToken, error) {
	var got struct {
		Result struct{ AccessToken, RefreshToken aliyun.Text }
	}
	p := aliyun.Params{"AppId": o.AppID, "UserId": userID, "DeviceId": strings.ToLower(d.ID), "DeviceType": d.Type}
	err := o.Commands.Call(ctx, "GetMessageToken", p, &got)
	if err == nil && got.Result.AccessToken == "" {
		err = errIncomplete
	}
	return im.OldToken{Access: string(got.Result.AccessToken), Refresh: string(got.Result.RefreshToken)}, done(err)
}

// Statistics returns all four figures.
func (o *Old) Statistics(ctx context.Context, groupID string) (im.Statistics, error) {
	var got struct {
		Result struct{ LikeCount, OnlineCount, PV, UV aliyun.Int }
	}
	err := o.Queries.Call(ctx, "GetGroupStatistics", aliyun.Params{"AppId": o.AppID, "GroupId": groupID}, &got)
	r := got.Result
	return im.Statistics{Likes: int64(r.LikeCount), Online: int64(r.OnlineCount), PV: int64(r.PV), UV: int64(r.UV)}, unlessGone(err)
}

// MuteState asks for one user. One who is not in the group is not muted.
func (o *Old) MuteState(ctx context.Context, groupID, userID string) (im.MuteState, error) {
	users, err := json.Marshal([]string{userID})
	if err != nil {
		return im.MuteState{}, err
	}
	var got struct {
		Result struct {
			UserList []struct {
				IsMute aliyun.Bool
				MuteBy []aliyun.Text
			}
		}
	}
	p := aliyun.Params{"AppId": o.AppID, "GroupId": groupID, "UserIdList": string(users)}
	if err := o.Queries.Call(ctx, "ListMessageGroupUserById", p, &got); err != nil || len(got.Result.UserList) == 0 {
		return im.MuteState{}, unlessGone(err)
	}
	user := got.Result.UserList[0]
	state := im.MuteState{Muted: bool(user.IsMute)}
	for _, by := range user.MuteBy {
		state.ByGroup = state.ByGroup || state.Muted && by == "group"
		state.ByUser = state.ByUser || state.Muted && by == "user"
	}
	return state, nil
}

// MuteGroup silences everybody, or ends that.
func (o *Old) MuteGroup(ctx context.Context, groupID, creator string, muted bool) error {
	action := "CancelMuteAllGroupUser"
	if muted {
		action = "MuteAllGroupUser"
	}
	return unlessGone(o.Commands.Call(ctx, action, aliyun.Params{"AppId": o.AppID, "GroupId": groupID, "OperatorUserId": creator}, nil))
}

// Like lets the service count likes, which it then tells the group by itself.
func (o *Old) Like(ctx context.Context, groupID, userID string, n, _ int64) error {
	p := aliyun.Params{"AppId": o.AppID, "GroupId": groupID, "OperatorUserId": userID, "Count": strconv.FormatInt(n, 10)}
	return unlessGone(o.Queries.Call(ctx, "SendLike", p, nil))
}

// plainUser is what the newer service takes as the id of a user.
var plainUser = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)

// orNobody leaves out users that the service would refuse, where it can do
// without one.
func orNobody(userID string) string {
	if plainUser.MatchString(userID) {
		return userID
	}
	return ""
}
