package urlsign

// newTencentCSS returns the URLs of Tencent Cloud live, which Huawei Cloud live
// has as its method B:
//
//	txSecret=md5hex(<secret><stream><hex time>)&txTime=<hex time>
//
// One signature opens a stream in every format, and in every application, which
// is not covered. The digits are hashed as they stand in the URL: the vendor's
// samples have both cases. They are eight, until 2106, so that the end of a name
// is never taken for a time. On play domains the vendor adds a validity.
//
// Tencent's console offers SHA-256 for play domains; that the text stays the
// same is an inference, so tencent_css_sha256 is unconfirmed.
func newTencentCSS(name string) (Scheme, error) {
	s := &hashed{name: name, strength: compatibility, recipe: kinds(pieceKey, pieceStream, pieceTime), digest: md5Hex,
		clock: clock{numeral: newNumeral(16, true)}, place: place{signature: "txSecret", time: "txTime"}}
	if name == "tencent_css_sha256" {
		s.strength, s.digest = unconfirmed, sha256Hex
	}
	return s.finish()
}
