// Package vod looks up recordings in the video-on-demand service of Alibaba
// Cloud, into which its live service records.
package vod

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/aliyun"
)

// Version is that of the product's API.
const Version = "2017-03-21"

// File is one form of a recording, with the service's own words for it. What it
// did not tell is empty.
type File struct {
	PlayURL                          string
	CreatedAt                        time.Time // zero when unknown
	Definition, Format, Status, Type string
	BitRate, Duration, FPS           string // kilobits per second, seconds, pictures per second
	Height, Width, BitDepth          int64
	Size                             int64 // bytes
	Encrypt                          int64
	EncryptType, HDRType             string
	WatermarkID                      string
}

// Library finds recordings.
type Library struct {
	Client *aliyun.Client
}

// searchable are names that need no quoting in a search expression.
var searchable = regexp.MustCompile(`^[0-9A-Za-z_=.-]{1,256}$`)

// mediaID is what an id of the service looks like.
var mediaID = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)

// Find returns the id of the recording with a title, or "" when there is none
// yet. Error: BadGateway.
func (l *Library) Find(ctx context.Context, title string) (string, error) {
	if !searchable.MatchString(title) {
		return "", nil
	}
	var got struct {
		MediaList []struct {
			MediaID aliyun.Text
			Video   struct{ Title aliyun.Text }
		}
	}
	if err := l.Client.Call(ctx, "SearchMedia", aliyun.Params{"Match": "Title='" + title + "'"}, &got); err != nil {
		return "", fmt.Errorf("search for a recording: %w", err)
	}
	for _, m := range got.MediaList {
		if own := m.Video.Title == "" || string(m.Video.Title) == title; own && mediaID.MatchString(string(m.MediaID)) {
			return string(m.MediaID), nil
		}
	}
	return "", nil
}

// maxFiles bounds the forms of one recording; the service makes about ten.
const maxFiles = 20

// playInfo is a file in the service's answer.
type playInfo struct {
	PlayURL, CreationTime, Definition, Format, Status, StreamType aliyun.Text
	Bitrate, Duration, Fps, EncryptType, HDRType, WatermarkID     aliyun.Text
	Height, Width, BitDepth, Size, Encrypt                        aliyun.Int
}

// Files returns the forms of a recording that can be played, none for one that
// is not there any more or not ready. Error: BadGateway.
func (l *Library) Files(ctx context.Context, id string) ([]File, error) {
	var got playReply
	if err := l.Client.Call(ctx, "GetPlayInfo", aliyun.Params{"VideoId": id}, &got); err != nil {
		if notReady(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("find the files of a recording: %w", err)
	}
	return got.files(), nil
}

type playReply struct {
	PlayInfoList struct{ PlayInfo []playInfo }
}

func (r playReply) files() (out []File) {
	for _, p := range r.PlayInfoList.PlayInfo {
		if playable(p) && len(out) < maxFiles {
			out = append(out, p.file())
		}
	}
	return out
}

// notReady says that a recording is not there any more, or still being
// transcoded.
func notReady(err error) bool {
	var refusal *aliyun.Error
	return errors.As(err, &refusal) && refusal.Definite() &&
		(strings.HasPrefix(refusal.Code, "InvalidVideo") || refusal.Code == "Forbidden.IllegalStatus")
}

// maxURL is the longest URL that clients are promised, in bytes.
const maxURL = 2048

// playable wants a URL that a player can open.
func playable(p playInfo) bool {
	u, err := url.Parse(string(p.PlayURL))
	return err == nil && len(p.PlayURL) <= maxURL && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

func (p playInfo) file() File {
	created, err := time.Parse(time.RFC3339, string(p.CreationTime))
	if err != nil {
		created = time.Time{}
	}
	return File{
		PlayURL: string(p.PlayURL), CreatedAt: created,
		Definition: plain(p.Definition, 16), Format: plain(p.Format, 16), Status: plain(p.Status, 16), Type: plain(p.StreamType, 16),
		BitRate: plain(p.Bitrate, 32), Duration: plain(p.Duration, 32), FPS: plain(p.Fps, 32),
		Height: int64(p.Height), Width: int64(p.Width), BitDepth: int64(p.BitDepth), Size: int64(p.Size), Encrypt: int64(p.Encrypt),
		EncryptType: plain(p.EncryptType, 32), HDRType: plain(p.HDRType, 32), WatermarkID: plain(p.WatermarkID, 64),
	}
}

// words are what all values of the service but URLs and times consist of.
var words = regexp.MustCompile(`^[0-9A-Za-z ._+-]*$`)

// plain drops what is longer than any word or number of the service, or is
// something else.
func plain(t aliyun.Text, most int) string {
	if len(t) > most || !words.MatchString(string(t)) {
		return ""
	}
	return string(t)
}
