package ipchub

import (
	"slices"
	"strings"

	gen "github.com/stagedoor-live/stagedoor/gen/ipchub"
	"github.com/stagedoor-live/stagedoor/internal/ledger"
)

// toStream shows a stream. What is zero in a track is left out, and a track
// about which nothing is known is left out as a whole.
func toStream(l ledger.LiveStream, watching []ledger.Session) gen.IpchubStream {
	return gen.IpchubStream{
		StartOn: l.StartedAt.Local(), Path: l.Path(), Addr: l.Publisher.Address, Size: kib(l.BytesIn),
		Video: gen.IpchubVideo{Codec: l.Video.Codec, Width: count(l.Video.Width), Height: count(l.Video.Height)},
		Audio: gen.IpchubAudio{Codec: l.Audio.Codec, Samplerate: count(l.Audio.SampleRate), Channels: count(l.Audio.Channel)},
		Cc:    count(max(l.Consumers, len(watching))), Cs: toConsumers(watching),
	}
}

// toConsumers lists players: those that take RTP first, each kind by id.
func toConsumers(watching []ledger.Session) []gen.IpchubConsumer {
	var rtp, flv []gen.IpchubConsumer
	slices.SortFunc(watching, func(a, b ledger.Session) int { return int(min(max(a.ID-b.ID, -1), 1)) })
	for _, v := range watching {
		if c := toConsumer(v); c.PacketType == gen.IpchubConsumerPacketTypeRTP {
			rtp = append(rtp, c)
		} else {
			flv = append(flv, c)
		}
	}
	return append(rtp, flv...)
}

func toConsumer(v ledger.Session) gen.IpchubConsumer {
	protocol, kind := v.Protocol, gen.IpchubConsumerPacketTypeFLV
	if protocol == "" {
		protocol = "unknown"
	}
	if isRTP(protocol) {
		kind = gen.IpchubConsumerPacketTypeRTP
	}
	// Servers tell what they send in all, not what they have queued.
	sent := kib(v.BytesOut)
	return gen.IpchubConsumer{ID: v.ID, StartOn: v.StartedAt.Local(), PacketType: kind, Extra: "net=" + protocol + "," + v.Address,
		Flow: gen.IpchubFlow{Inbytes: sent, Outbytes: sent}}
}

func isRTSP(protocol string) bool { return strings.HasPrefix(protocol, "rtsp") }
func isFLV(protocol string) bool  { return strings.HasSuffix(protocol, "flv") }
func isWSP(protocol string) bool  { return protocol == "wsp" }
func isRTP(protocol string) bool {
	return isRTSP(protocol) || isWSP(protocol) || protocol == "webrtc"
}

func kib(bytes int64) int64 { return max(bytes, 0) >> 10 }
func count(n int) int64     { return int64(max(n, 0)) }
