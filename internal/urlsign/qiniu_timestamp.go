package urlsign

// newQiniuTimestamp returns the time-limited links of Qiniu's CDN, in their
// usual rule:
//
//	sign=md5hex(<secret><encoded path><time>)&t=<time>
//
// The time is in hexadecimal, or in base 10 where the domain is set so, and is
// the end of validity; where the domain takes it for the beginning, its range is
// the rule's validity, and an earlier use is not refused here.
func newQiniuTimestamp(o Options) (Scheme, error) {
	base := o.TimeBase
	if base == 0 {
		base = 16
	}
	s := &hashed{name: "qiniu_timestamp", strength: compatibility, recipe: kinds(pieceKey, piecePath, pieceTime), digest: md5Hex,
		clock: clock{numeral: newNumeral(base, true)}, place: place{signature: "sign", time: "t"}}
	return s.finish()
}
