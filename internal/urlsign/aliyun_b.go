package urlsign

// newAliyunB returns type B of Alibaba's CDN:
//
//	/<YYYYMMDDHHMM in UTC+8>/md5hex(<secret><stamp><path>)<path>
//
// The URL is valid until stamp + Validity. A stamp has whole minutes, so a URL
// ends up to 59 seconds before the wanted time, never after it. Because the
// signature stands before the path, the segments of a playlist inherit it.
func newAliyunB(o Options) (Scheme, error) {
	s := &hashed{name: "aliyun_b", strength: compatibility, recipe: kinds(pieceKey, pieceTime, piecePath), digest: md5Hex,
		clock: clock{stamp: true}, place: place{form: inSegments, timeFirst: true}}
	return s.finish()
}
