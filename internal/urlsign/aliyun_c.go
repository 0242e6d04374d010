package urlsign

import "errors"

// newAliyunC returns type C of Alibaba's CDN, in its two formats:
//
//	/md5hex(<secret><path><hex time>)/<hex time><path>
//	KEY1=md5hex(<secret><path><hex time>)&KEY2=<hex time>
//
// The names of the second are the operator's choice. The URL is valid until
// time + Validity. The digits are hashed as they stand in the URL; the time has
// eight of them, until 2106, so that the end of a path is never taken for one.
func newAliyunC(o Options) (Scheme, error) {
	s := aliyunHexTime("aliyun_c")
	switch o.Format {
	case 0, 1:
		if o.SignatureParam != "" || o.TimeParam != "" {
			return nil, errors.New("format 1 of aliyun_c has no parameters")
		}
		s.place = place{form: inSegments}
	case 2:
		s.place = place{signature: orDefault(o.SignatureParam, "KEY1"), time: orDefault(o.TimeParam, "KEY2")}
	default:
		return nil, errors.New("the format is 1 (in the path) or 2 (in the query)")
	}
	return s.finish()
}

// aliyunHexTime is what types C and F have in common.
func aliyunHexTime(name string) *hashed {
	return &hashed{name: name, strength: compatibility, recipe: kinds(pieceKey, piecePath, pieceTime), digest: md5Hex,
		clock: clock{numeral: newNumeral(16, true)}}
}
