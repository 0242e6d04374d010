package urlsign

// newHuaweiD returns method D of Huawei Cloud live, which the vendor
// recommends over A, B and C:
//
//	hwSecret=hex(HMAC-SHA-256(<secret>, <stream><hex time>))&hwTime=<hex time>
//
// One signature opens a stream in every format, and in every application, which
// is not covered. The URL is valid until time + Validity.
func newHuaweiD(o Options) (Scheme, error) {
	s := &hashed{name: "huawei_d", strength: strong, recipe: kinds(pieceStream, pieceTime), digest: hmacSHA256Hex,
		clock: clock{numeral: newNumeral(16, true)}, place: place{signature: "hwSecret", time: "hwTime"}}
	return s.finish()
}
