package urlsign

// newNMS returns what Node-Media-Server checks itself:
//
//	sign=<time>-md5hex(/<app>/<stream>-<time>-<secret>)
//
// The path has no extension in any format, and the same secret serves push and
// play. That server knows names of [A-Za-z0-9_-] alone, keeps time in 32 bits,
// so that no URL of ours reaches beyond 2038-01-19, and takes anything at all
// where its secret is empty.
func newNMS(o Options) (Scheme, error) {
	dash := piece{text: "-"}
	s := &hashed{name: "nms_sign", strength: compatibility, digest: md5Hex, wordsOnly: true,
		recipe: newRecipe(piece{kind: pieceNames}, dash, piece{kind: pieceTime}, dash, piece{kind: pieceKey}),
		clock:  clock{numeral: numeral{base: 10, max: 1<<31 - 1}}, place: place{form: inValue, signature: "sign"}}
	return s.finish()
}
