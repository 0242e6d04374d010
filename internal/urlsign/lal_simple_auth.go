package urlsign

// newLal returns what lal checks itself:
//
//	lal_secret=md5hex(<secret><stream>)
//
// It never ends and opens the stream of that name in every application, for
// everybody who has seen the URL once: only a new secret takes it back.
func newLal(o Options) (Scheme, error) {
	s := &hashed{name: "lal_simple_auth", strength: compatibility, recipe: kinds(pieceKey, pieceStream), digest: md5AnyHex,
		clock: never, place: place{form: inValue, signature: "lal_secret"}}
	return s.finish()
}
