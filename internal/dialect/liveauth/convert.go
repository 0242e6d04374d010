package liveauth

import (
	"math"

	gen "github.com/stagedoor-live/stagedoor/gen/liveauth"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/ledger"
)

func toUser(a account.Account) gen.User {
	return gen.User{Username: a.Username, Email: orNull(a.Email), FullName: orNull(a.FullName), PermissionLevel: int32(a.PermissionLevel)}
}

// orNull shows a text that was never set as null.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// toLiveToken names the stream as create_token takes it: the application is
// left out where it is the default one.
func (s *Server) toLiveToken(t access.LiveToken) gen.LiveToken {
	stream := t.Stream
	if t.App != s.Access.App {
		stream = t.App + "/" + t.Stream
	}
	return gen.LiveToken{Username: t.Username, Stream: stream, Token: t.Token, PlayToken: t.PlayToken, PermissionsLevel: int32(t.Level)}
}

// toStream fills every field: the contract has no way to say "unknown" but
// zeros and empty texts.
func (s *Server) toStream(l ledger.LiveStream) gen.ResponseStream {
	return gen.ResponseStream{
		Name:    l.Stream.Name,
		PlayURL: s.PlayURL(l.Node, l.Stream),
		Kbps:    gen.StreamKbps{Recv30S: count(l.RecvKbps), Send30S: count(l.SendKbps)},
		Video: gen.StreamVideo{Codec: l.Video.Codec, Profile: l.Video.Profile, Level: l.Video.Level,
			Width: count(l.Video.Width), Height: count(l.Video.Height)},
		Audio: gen.StreamAudio{Codec: l.Audio.Codec, Profile: l.Audio.Profile,
			SampleRate: count(l.Audio.SampleRate), Channel: count(l.Audio.Channel)},
		Clients: count(l.Clients),
	}
}

// count keeps what a media server tells within the limits of the contract.
func count(n int) int32 { return int32(min(max(n, 0), math.MaxInt32)) }
