package urlsign

import (
	"errors"
	"fmt"
)

// fieldNames are the vendor's, of two editions of its API.
var fieldNames = map[string]pieceKind{
	"key": pieceKey, "SecretKey": pieceKey, "volcTime": pieceTime, "expireTime": pieceTime,
	"Domain": pieceHost, "AppName": pieceApp, "StreamName": pieceStream,
}

// newVolcenginePair returns what Volcengine and BytePlus live call md5 (TypeB)
// and md5_custom (TypeCustom): a time and an MD5 of texts joined without
// separators.
//
//	volcengine_b:       volcTime=<time>&volcSecret=md5hex(/<app>/<stream><secret><time>)
//	volcengine_custom:  volcTime=<time>&volcSecret=md5hex(the fields, in their order)
//
// The time is the wanted end; the URL is valid until time + Validity. Its
// digits are hashed as they stand in the URL, so hexadecimal ones have the case
// that the signer chose. No field includes a format extension: one signature
// opens a stream in every format. A transcoded stream is signed by its own name
// ("cam1_hd").
//
// MD5 is no MAC, the scene and the client's address are not covered, and a
// custom rule protects only what its fields name: without StreamName one URL
// opens all streams of the domain. Fields that touch run together: "AppName"
// next to "StreamName" cannot tell live/x1 from livex/1. Only the time, whose
// length is fixed here, cannot be confused with its neighbours. That is the
// vendor's design; choose stagedoor for anything new.
func newVolcenginePair(name string, o Options) (Scheme, error) {
	s := &hashed{name: name, strength: compatibility, digest: md5Hex,
		place: place{signature: orDefault(o.SignatureParam, "volcSecret"), time: orDefault(o.TimeParam, "volcTime"), timeFirst: true}}
	if name == "volcengine_b" {
		// The key stands between the names and the time.
		s.clock.numeral, s.recipe = newNumeral(o.TimeBase, false), kinds(pieceNames, pieceKey, pieceTime)
	} else {
		var err error
		s.clock.numeral = newNumeral(o.TimeBase, true)
		if s.recipe, err = fieldsRecipe(o.Fields); err != nil {
			return nil, err
		}
	}
	if s.clock.base != 10 { // that other digits are hashed as written is an inference
		s.strength = unconfirmed
	}
	return s.finish()
}

// fieldsRecipe requires the key and the time: a hash without the key can be
// made by anybody, and a time that is not hashed can be changed by anybody.
func fieldsRecipe(names []string) (recipe, error) {
	var seen [pieceKinds]bool
	var list []pieceKind
	for _, name := range names {
		f, ok := fieldNames[name]
		switch {
		case !ok:
			return recipe{}, errors.New("a field is key, SecretKey, volcTime, expireTime, Domain, AppName or StreamName")
		case seen[f]:
			return recipe{}, fmt.Errorf("field %s is there twice", name)
		}
		seen[f] = true
		list = append(list, f)
	}
	if !seen[pieceKey] || !seen[pieceTime] {
		return recipe{}, errors.New("the fields must have key and volcTime among them")
	}
	return kinds(list...), nil
}
