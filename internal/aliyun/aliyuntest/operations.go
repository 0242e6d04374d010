package aliyuntest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// group is a message group of either service.
type group struct {
	app, creator string
	deleted      bool
	muted        bool
	except       string
	silent       []string // users who are muted one by one
	online       int64
	total        int64
}

// Groups lists the groups that are there.
func (s *Server) Groups() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for id, g := range s.groups {
		if !g.deleted {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// Join lets users into a group, of whom some have left again.
func (s *Server) Join(id string, online, total int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.groups[id].online, s.groups[id].total = online, total
}

// Silence mutes one user of a group.
func (s *Server) Silence(id, user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.groups[id].silent = append(s.groups[id].silent, user)
}

// Muted says whether a group is silent, and who is not.
func (s *Server) Muted(id string) (muted bool, except string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.groups[id].muted, s.groups[id].except
}

// Record puts a recording into the library.
func (s *Server) Record(title, id string, files ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.media[title], s.files[id] = id, files
}

type object map[string]any

func ok(body object) Answer { return Answer{Body: body} }

func (s *Server) answer(c Call) Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case c.Version == "2017-03-21":
		return s.library(c)
	case c.Version != "2016-11-01" || c.Params["AppId"] == "":
		return Refuse(http.StatusBadRequest, "MissingAppId")
	}
	switch c.Action {
	case "GetMessageToken":
		id := c.Params["UserId"] + "." + c.Params["DeviceId"] + "." + c.Params["DeviceType"]
		return ok(object{"Result": object{"AccessToken": "access." + id, "RefreshToken": "refresh." + id, "AccessTokenExpiredTime": 1700000000000}})
	case "CreateMessageGroup":
		s.created++
		id := fmt.Sprintf("old-group-%d", s.created)
		s.groups[id] = &group{app: c.Params["AppId"], creator: c.Params["CreatorId"]}
		return ok(object{"Result": object{"GroupId": id}})
	case "CreateLiveMessageGroup":
		return s.create(c)
	}
	g := s.groups[c.Params["GroupId"]]
	if g == nil || g.deleted {
		return Refuse(http.StatusBadRequest, "ResourceNotExist")
	}
	return s.group(c, g)
}

func (s *Server) create(c Call) Answer {
	id := c.Params["GroupId"]
	if g := s.groups[id]; g != nil && g.app == c.Params["AppId"] {
		return Refuse(http.StatusBadRequest, "ResourceExist")
	}
	// The same id in the older service is another group; one stands for both.
	s.groups[id] = &group{app: c.Params["AppId"], creator: c.Params["CreatorId"]}
	return ok(object{"GroupId": id})
}

func (s *Server) group(c Call, g *group) Answer {
	id := c.Params["GroupId"]
	switch c.Action {
	case "GetGroupStatistics":
		return ok(object{"Result": object{"LikeCount": s.likes[id], "OnlineCount": g.online, "PV": g.total, "UV": strconv.FormatInt(g.total/2, 10)}})
	case "DescribeLiveMessageGroup":
		return ok(object{"GroupId": id, "Delete": false, "TotalTimes": g.total, "OnlineUserCounts": g.online, "MsgAmount": object{"1001": 3}})
	case "ListMessageGroupUserById":
		var users []string
		if json.Unmarshal([]byte(c.Params["UserIdList"]), &users) != nil || len(users) != 1 {
			return Refuse(http.StatusBadRequest, "InvalidParameter")
		}
		return ok(object{"Result": object{"Total": 1, "HasMore": false, "UserList": []object{g.user(users[0])}}})
	case "DeleteLiveMessageGroup":
		g.deleted = true
	case "BanLiveMessageGroup", "MuteAllGroupUser":
		g.muted, g.except = true, c.Params["ExceptUsers"]
	case "UnbanLiveMessageGroup", "CancelMuteAllGroupUser":
		g.muted, g.except = false, ""
	case "SendLike":
		n, _ := strconv.ParseInt(c.Params["Count"], 10, 64)
		s.likes[id] += n
	case "SendLiveMessageGroup":
	default:
		return Refuse(http.StatusNotFound, "InvalidAction.NotFound")
	}
	return Answer{}
}

func (g *group) user(name string) object {
	by := []string{}
	if g.muted {
		by = append(by, "group")
	}
	if slices.Contains(g.silent, name) {
		by = append(by, "user")
	}
	return object{"UserId": name, "IsMute": len(by) > 0, "MuteBy": by}
}

func (s *Server) library(c Call) Answer {
	switch c.Action {
	case "SearchMedia":
		title := strings.TrimSuffix(strings.TrimPrefix(c.Params["Match"], "Title='"), "'")
		list := []object{}
		if id := s.media[title]; id != "" {
			list = append(list, object{"MediaId": id, "MediaType": "video", "Video": object{"Title": title}})
		}
		return ok(object{"Total": len(list), "MediaList": list})
	case "GetPlayInfo":
		files, found := s.files[c.Params["VideoId"]]
		if !found {
			return Refuse(http.StatusNotFound, "InvalidVideo.NotFound")
		}
		return ok(object{"VideoBase": object{"VideoId": c.Params["VideoId"]}, "PlayInfoList": object{"PlayInfo": files}})
	}
	return Refuse(http.StatusNotFound, "InvalidAction.NotFound")
}
