package main

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/aliyun"
	"github.com/stagedoor-live/stagedoor/internal/im"
	imaliyun "github.com/stagedoor-live/stagedoor/internal/im/aliyun"
	"github.com/stagedoor-live/stagedoor/internal/im/builtin"
	"github.com/stagedoor-live/stagedoor/internal/tracing"
	"github.com/stagedoor-live/stagedoor/internal/vod"
)

// cloudSlots is how many calls to the cloud run at once.
const cloudSlots = 16

// cloudGroups puts the cloud's providers in the place of the built-in one, for
// each family that is configured.
func (a *app) cloudGroups(own *builtin.Provider) im.Families {
	f := builtin.Families(own)
	calls := imaliyun.Calls{Commands: a.cloudClient(a.cfg.Cloud.Live, imaliyun.Version)}
	calls.Queries = calls.Commands.Apart(cloudSlots)
	if a.cfg.Cloud.OldGroups {
		f.Old = &imaliyun.Old{Calls: calls, AppID: a.cfg.IMOldAppID}
	}
	if a.cfg.Cloud.NewGroups {
		f.New = &imaliyun.New{Calls: calls, Tokens: own, AppID: own.AppID, DataCenter: imaliyun.DataCenter(a.cfg.AliyunRegion)}
	}
	return f
}

func (a *app) cloudLibrary() *vod.Library {
	return &vod.Library{Client: a.cloudClient(a.cfg.Cloud.VOD, vod.Version)}
}

func (a *app) cloudClient(endpoint *url.URL, version string) *aliyun.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 2 * cloudSlots
	transport.MaxResponseHeaderBytes = 64 << 10
	return aliyun.New(aliyun.Config{
		Endpoint: endpoint, Version: version, Signature: a.cfg.AliyunSignature,
		Key:  aliyun.Key{ID: a.cfg.AliyunAccessKeyID, Secret: a.cfg.AliyunAccessKeySecret, Token: a.cfg.AliyunSecurityToken},
		HTTP: &http.Client{Transport: tracing.Transport(a.traces.Tracer(), transport, "cloud")}, Now: time.Now, Rand: rand.Reader, Timeout: a.cfg.CloudTimeout, Slots: cloudSlots,
		Observe: a.metrics.observeCloud,
	})
}
