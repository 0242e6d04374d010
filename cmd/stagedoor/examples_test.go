package main

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// example is a valid request of a door. Words in braces, those of the path
// too, are filled in by props.
type example struct {
	query string
	body  string // JSON, or a form when it does not begin with a brace
	// header is what the request carries beside its credential.
	header map[string]string
	// hidden says that others cannot tell the thing from one that is not there:
	// they are answered 404.
	hidden bool
	// status is that of an admitted request, where it is not one of success.
	status int
	// refused is that of whoever is not admitted, where it is not the usual one.
	refused int
	ends    bool // the call ends the login that it is made with
}

const (
	aRoom     = `{"id":"{room}","user_id":"{caller}"}`
	aChat     = `{"chatroom_id":"{chat}"}`
	aDevice   = `{"user_id":"{caller}","device_id":"d1","device_type":"android"}`
	aStream   = `{"Vhost":"` + houseVhost + `","App":"live","Stream":"show"}`
	aScene    = `{"Vhost":"` + houseVhost + `","App":"live","SceneType":"push"}`
	aPage     = `PageNum=1&PageSize=10`
	hookBegin = `{"server_id":"s1","service_id":"p1","client_id":"{fresh}","ip":"192.0.2.10","vhost":"__defaultVhost__","app":"live",` +
		`"tcUrl":"rtmp://media.example.com/live",`
	hookStream = hookBegin + `"stream":"{stream}","param":"?token={token}","stream_url":"/live/{stream}","stream_id":"v1",`
	pushReport = "action=publish&app=" + housePushDomain + "&appname=live&id={room}&time={now}"
)

// examples are by operation id or action.
var examples = map[string]example{
	// live_auth
	"loginForAccessToken": {body: "username=alice&password=" + url.QueryEscape(housePassword)},
	"createUser":          {body: `{"username":"{fresh}","email":"{fresh}@example.com","full_name":"F","password":"` + housePassword + `"}`},
	"readUsersMe":         {},
	"createLiveToken":     {query: "stream={stream}"},
	"destroyLiveToken":    {query: "token={token}", hidden: true},
	"listLiveTokens":      {},
	"listStreams":         {},

	// AppServer
	"appLogin":                  {body: `{"username":"alice","password":"` + housePassword + `"}`},
	"appLoginV1":                {body: `{"username":"alice","password":"` + housePassword + `"}`},
	"refreshToken":              {},
	"refreshTokenGet":           {},
	"issueTokenV1":              {body: aDevice},
	"issueTokenV2":              {body: `{"user_id":"{caller}","device_id":"d1","device_type":"web","im_server":["aliyun_new"]}`},
	"createRoomV1":              {body: `{"title":"show","anchor":"{caller}"}`},
	"createRoomV2":              {body: `{"title":"show","anchor":"{caller}","im_server":["aliyun_new"]}`},
	"listRooms":                 {body: `{"user_id":"{caller}","page_num":1,"page_size":20}`},
	"getRoom":                   {body: aRoom},
	"startRoom":                 {body: aRoom},
	"stopRoom":                  {body: aRoom},
	"pauseRoom":                 {body: aRoom},
	"deleteRoom":                {body: aRoom},
	"updateRoom":                {body: `{"id":"{room}","title":"another"}`},
	"getMeetingInfo":            {body: `{"id":"{room}"}`},
	"updateMeetingInfo":         {body: `{"id":"{link_room}","members":[{"user_id":"alice"}]}`},
	"sendLikeMessage":           {body: `{"chatroom_id":"{chat}","user_id":"{caller}","like_count":2}`},
	"getStatistics":             {body: aChat},
	"muteChatroom":              {body: aChat},
	"cancelMuteChatroom":        {body: aChat},
	"isMuteChatroom":            {body: aChat},
	"getLiveJumpURL":            {body: `{"user_id":"{caller}","live_id":"{room}"}`},
	"verifyAuthToken":           {body: `{"user_id":"alice","live_id":"{room}","app_server":"{server}","token":"{jump}"}`},
	"getRTCAuthToken":           {body: `{"room_id":"{meeting}","user_id":"{caller}"}`},
	"handlePushStreamEvent":     {query: pushReport},
	"handlePushStreamEventPost": {query: pushReport},

	// volcengine
	"DescribeAuth": {body: `{"Vhost":"` + houseVhost + `","SceneType":"push"}`},
	"UpdateAuthKey": {body: `{"Vhost":"{fresh}.example.com","App":"live","SceneType":"push","ValidDuration":3600,` +
		`"AuthDetailList":[{"SecretKey":"` + houseKey + `","EncryptionAlgorithm":"md5"}]}`},
	"EnableAuth":                        {body: aScene},
	"DisableAuth":                       {body: aScene},
	"GeneratePushURL":                   {body: aStream},
	"GeneratePlayURL":                   {body: `{"Domain":"pull.example.com","App":"live","Stream":"show","StreamType":"source"}`},
	"ForbidStream":                      {body: aStream},
	"ResumeStream":                      {body: aStream},
	"KillStream":                        {body: aStream},
	"DescribeLiveStreamState":           {query: "Vhost=" + houseVhost + "&App=live&Stream=show"},
	"DescribeLiveStreamInfoByPage":      {query: aPage},
	"DescribeClosedStreamInfoByPage":    {query: aPage + "&EndTimeFrom=2026-01-01T00:00:00Z&EndTimeTo=2026-01-02T00:00:00Z"},
	"DescribeForbiddenStreamInfoByPage": {query: aPage},

	// ipchub
	"ipchubServer":         {},
	"ipchubRuntime":        {},
	"ipchubLogin":          {body: `{"username":"alice","password":"` + housePassword + `"}`},
	"ipchubRefresh":        {query: "token={refresh}"},
	"ipchubListUsers":      {},
	"ipchubSaveUser":       {body: `{"name":"{fresh}","password":"` + housePassword + `","pull":"/room/*"}`},
	"ipchubGetUser":        {},
	"ipchubDeleteUser":     {},
	"ipchubListRoutes":     {},
	"ipchubSaveRoute":      {body: `{"pattern":"/{fresh}","url":"` + houseCamera + `"}`},
	"ipchubGetRoute":       {},
	"ipchubDeleteRoute":    {},
	"ipchubListStreams":    {},
	"ipchubGetStream":      {hidden: true},
	"ipchubDeleteStream":   {status: http.StatusConflict}, // the media server of the house has no way to do it
	"ipchubDeleteConsumer": {query: "cid=4711"},

	// callbacks
	"srsOnConnect":   {body: hookBegin + `"action":"on_connect"}`},
	"srsOnClose":     {body: hookBegin + `"action":"on_close","send_bytes":1,"recv_bytes":2}`},
	"srsOnPublish":   {body: hookStream + `"action":"on_publish"}`},
	"srsOnUnpublish": {body: hookStream + `"action":"on_unpublish"}`},
	"srsOnPlay":      {body: hookStream + `"action":"on_play"}`},
	"srsOnStop":      {body: hookStream + `"action":"on_stop"}`},
	"srsOnDvr":       {body: hookStream + `"action":"on_dvr","cwd":"/srv","file":"./rec/show.flv"}`},
	"srsOnHls": {body: hookStream + `"action":"on_hls","duration":2.5,"cwd":"/srv","file":"./show-0.ts","url":"live/show-0.ts",` +
		`"m3u8":"./show.m3u8","m3u8_url":"live/show.m3u8","seq_no":0}`},
	"nginxAuthRequest": {header: map[string]string{"X-Original-URI": "/live/{stream}.flv?token={token}"}},
	"zlmediakitCallback": {refused: http.StatusOK, body: `{"mediaServerId":"z1","hook_index":4,"id":"2-15","ip":"192.0.2.10","vhost":"__defaultVhost__","app":"live",` +
		`"stream":"{stream}","schema":"rtmp","protocol":"rtmp","params":"token={token}"}`},
	"ovenmediaengineCallback": {body: `{"client":{"address":"192.0.2.10","port":4711},"request":{"direction":"incoming","protocol":"RTMP","status":"opening",` +
		`"url":"rtmp://media.example.com/live/{stream}?token={token}","time":"{iso_now}"}}`},
	"aliyunCallback":          {query: pushReport},
	"aliyunRecordingCallback": {body: `{"domain":"pull.example.com","app":"live","stream":"{stream}","uri":"a.m3u8","duration":1,"start_time":{now},"stop_time":{now}}`},
	"nginxRtmpCallback": {body: "app=live&flashver=x&swfurl=&tcurl=rtmp://media.example.com/live&pageurl=&addr=192.0.2.10&clientid=5" +
		"&call=publish&name={stream}&type=live&token={token}"},
	"nodeMediaServerCallback": {body: `{"id":"mwr2syiev5r5kqwc","ip":"192.0.2.10:47866","app":"live","name":"{stream}","query":{"token":"{token}"},` +
		`"protocol":"rtmp","createtime":1795305941948,"endtime":0,"inbytes":3477,"outbytes":0,"filePath":"","action":"postPublish"}`},
	"mediamtxCallback": {body: `{"ip":"192.0.2.10","user":"","password":"","token":"","action":"publish","path":"live/{stream}","protocol":"rtmp",` +
		`"id":"442ced48-60fe-4a65-8410-a771b25eb076","query":"token={token}","userAgent":"x"}`},
	"mediamtxEvent": {body: "event=unread&path=live/{stream}&type=hlsSession&id=88781d41-7615-4fed-8a97-8cb073773bb9"},

	// our own
	"logout":                {ends: true},
	"listAccounts":          {},
	"getAccount":            {},
	"updateAccount":         {body: `{"full_name":"Another"}`},
	"deleteAccount":         {},
	"listAccessKeys":        {},
	"createAccessKey":       {body: `{"username":"alice","comment":"studio"}`},
	"revokeAccessKey":       {},
	"listNodes":             {},
	"createNode":            {body: `{"name":"{fresh}","kind":"srs","sources":["192.0.2.0/24"],"control_url":"http://10.0.0.5:1985"}`},
	"getNode":               {},
	"updateNode":            {body: `{"control_url":"http://10.0.0.5:1985"}`},
	"deleteNode":            {},
	"rotateNodeSecret":      {},
	"getNodeConfiguration":  {},
	"listRelays":            {},
	"findRooms":             {query: "state=prepared&text=show"},
	"inspectRoom":           {},
	"startAnyRoom":          {},
	"pauseAnyRoom":          {},
	"stopAnyRoom":           {},
	"deleteAnyRoom":         {},
	"listRunningStreams":    {},
	"listStreamSamples":     {query: "app=live&stream=show"},
	"cutStream":             {query: "app=live&stream=show"},
	"listSessions":          {query: "state=ended&scene=play"},
	"kickSession":           {},
	"listRules":             {query: "scene=publish"},
	"createRule":            {body: `{"scene":"publish","domain":"{fresh}.example.com"}`},
	"getRule":               {},
	"updateRule":            {body: `{"takeover":"resume"}`},
	"deleteRule":            {},
	"createRuleKey":         {body: `{"activate":true}`},
	"activateRuleKey":       {},
	"retireRuleKey":         {},
	"revokeRuleKey":         {},
	"listBans":              {},
	"findLiveTokens":        {},
	"revokeLiveToken":       {query: "stream={stream}"},
	"createBan":             {body: `{"app":"live","stream":"{fresh}"}`},
	"deleteBan":             {query: "app=live&stream=show"},
	"explainURL":            {body: `{"url":"rtmp://push.example.com/live/x?token=abc"}`},
	"listRefusals":          {},
	"getOverview":           {},
	"listEvents":            {},
	"followEvents":          {header: map[string]string{"Last-Event-ID": "9223372036854775807"}}, // that nobody can tell of, so it ends
	"listWebhooks":          {},
	"createWebhook":         {body: `{"url":"http://127.0.0.1:1/hook","types":["room.*"]}`},
	"getWebhook":            {},
	"updateWebhook":         {body: `{"description":"another"}`},
	"deleteWebhook":         {},
	"rotateWebhookSecret":   {body: `{}`},
	"testWebhook":           {},
	"listWebhookDeliveries": {},
	"retryWebhookDelivery":  {status: http.StatusConflict}, // its webhook is disabled
	"replayWebhook":         {body: `{"since":"2026-01-01T00:00:00Z"}`},
	"healthz":               {},
	"readyz":                {},
	"metrics":               {},
	"openapiYAML":           {},
	"openapiJSON":           {},
	"docs":                  {},
	"jwks":                  {},
	"consoleFile":           {},
}

// props are the things of one request. Each is made when it is asked for, and
// all belong to the owner.
type props struct {
	*house
	t       *testing.T
	visitor visitor
	known   map[string]string
}

func (p *props) get(name string) string {
	p.t.Helper()
	if _, ok := p.known[name]; !ok {
		p.make(name)
	}
	return p.known[name]
}

func (p *props) make(name string) {
	p.t.Helper()
	switch name {
	case "now":
		p.known[name] = strconv.FormatInt(time.Now().Unix(), 10)
	case "iso_now":
		p.known[name] = time.Now().Format(time.RFC3339)
	case "file":
		p.known[name] = "0/app.js"
	case "event":
		p.known[name] = "on_publish"
	case "server":
		p.known[name] = p.url
	case "fresh":
		p.known[name] = p.newName()
	case "username", "name":
		p.known[name] = p.guestName(p.t)
	case "access_key_id":
		p.known[name], _ = p.newKey(p.t, p.visitors[owner].username)
	case "node":
		p.known[name] = p.newName()
		p.done(p.t, p.visitors[administrator], http.MethodPost, "/api/v1/nodes", `{"name":"`+p.known[name]+`","kind":"srs"}`)
	case "webhook_id":
		p.known[name] = p.newWebhook()
	case "delivery_id":
		p.known[name] = p.newDelivery()
	case "room", "room_id", "chat":
		r := p.asOwner("/api/v2/live/create", `{"title":"show","im_server":["aliyun_new"]}`)
		p.known["room"], p.known["room_id"], p.known["chat"] = r.text("id"), r.text("id"), r.text("chat_id")
	case "link_room", "meeting":
		r := p.asOwner("/api/v2/live/create", `{"title":"show","mode":1,"im_server":["aliyun_new"]}`)
		p.known["link_room"], p.known["meeting"] = r.text("id"), r.text("meeting_id")
	case "refresh":
		p.known[name] = p.asOwner("/api/v1/login", `{"username":"alice","password":"`+housePassword+`"}`).text("refresh_token")
	case "pattern":
		p.known[name] = p.newName()
		p.done(p.t, p.visitors[administrator], http.MethodPost, "/api/v1/routes", `{"pattern":"/`+p.known[name]+`","url":"`+houseCamera+`"}`)
	case "path":
		p.known[name] = "live%2F" + p.publish()
	case "rule_id", "key_id":
		r := p.done(p.t, p.visitors[administrator], http.MethodPost, "/api/v1/rules", `{"scene":"publish","domain":"`+p.newName()+`.example.com"}`)
		p.known["rule_id"] = r.text("id")
		p.known["key_id"] = p.value(p.t, "SELECT kid FROM signing_keys WHERE rule_id = "+r.text("id"))
	case "session_id":
		name := p.publish()
		p.known["session_id"] = p.value(p.t, "SELECT id::text FROM open_sessions WHERE stream = '"+name+"'")
	case "jump":
		p.known[name] = p.jumpToken()
	case "stream", "token":
		p.known["stream"] = p.newName()
		p.known["token"] = p.asOwner("/live/create_token?stream="+p.known["stream"], "").text("token")
	default:
		p.t.Fatalf("nobody knows what {%s} is", name)
	}
}

func (p *props) asOwner(target, body string) object {
	p.t.Helper()
	return p.done(p.t, p.visitors[owner], http.MethodPost, target, body)
}

// publish puts a stream of the owner on the air.
func (p *props) publish() (stream string) {
	p.t.Helper()
	stream = p.get("stream")
	body := strings.NewReplacer("{fresh}", p.newName(), "{stream}", stream, "{token}", p.get("token")).Replace(hookStream + `"action":"on_publish"}`)
	p.done(p.t, visitor{}, http.MethodPost, "/callback/on_publish?secret="+p.visitors[mediaServer].secret, body)
	return stream
}

// newName is one that nothing has yet.
func (h *house) newName() string {
	h.names++
	return "n" + strconv.Itoa(h.names)
}

// guestName is that of an account that is there until somebody is admitted: then
// it may be another, or gone.
func (h *house) guestName(t *testing.T) string {
	t.Helper()
	if h.guest == "" {
		h.guest = h.newName()
		h.register(t, h.guest)
	}
	return h.guest
}

// jumpToken is what the desktop client finds in the link of a room.
func (p *props) jumpToken() string {
	p.t.Helper()
	link, err := url.Parse(p.asOwner("/api/v1/live/getLiveJumpUrl", `{"user_id":"alice","live_id":"`+p.get("room")+`"}`).text("liveJumpUrl"))
	if err != nil {
		p.t.Fatal(err)
	}
	return link.Query().Get("token")
}

// newWebhook leads to where nobody listens, and is for what does not happen.
func (p *props) newWebhook() (id string) {
	p.t.Helper()
	made := p.done(p.t, p.visitors[administrator], http.MethodPost, "/api/v1/webhooks", `{"url":"http://127.0.0.1:1/hook","types":["recording.ready"]}`)
	return made["webhook"].(map[string]any)["id"].(string)
}

// newDelivery is one of which the next attempt is far off.
func (p *props) newDelivery() (id string) {
	p.t.Helper()
	admin, path := p.visitors[administrator], "/api/v1/webhooks/"+p.get("webhook_id")
	id = p.done(p.t, admin, http.MethodPost, path+"/test", "").text("id")
	for attempts := []any{}; len(attempts) == 0; {
		list := p.done(p.t, admin, http.MethodGet, path+"/deliveries", "")["deliveries"].([]any)
		attempts = list[0].(map[string]any)["attempts"].([]any)
	}
	p.done(p.t, admin, http.MethodPatch, path, `{"enabled":false}`)
	return id
}
