package volcengine

import (
	"slices"

	gen "github.com/stagedoor-live/stagedoor/gen/volcengine"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// How our schemes are called here.
const (
	md5       = "md5"
	md5Custom = "md5_custom"

	schemeA      = "volcengine_a"
	schemeB      = "volcengine_b"
	schemeC      = "volcengine_c"
	schemeCustom = "volcengine_custom"
)

// authTypes are the schemes by AuthType, of the newer version.
var authTypes = map[string]string{"TypeA": schemeA, "TypeB": schemeB, "TypeC": schemeC, "TypeCustom": schemeCustom}

// The usual names of the two parameters of a signed URL.
const (
	usualSecret = "volcSecret"
	usualTime   = "volcTime"
)

// md5Fields is what md5 hashes. A request may repeat it, not change it.
var md5Fields = []string{"AppName", "StreamName", "key", "expireTime"}

func toKey(d gen.AuthDetailInput, scene media.Scene, newer bool) (k access.WholeKey, err error) {
	switch {
	case d.SecretKey == "":
		return k, bindError("SecretKey is required")
	case len(d.SecretKey) > maxSecret || !isName(d.SecretKey, ""):
		return k, errs.InvalidField("secret_key", "SecretKey has 1 to 100 letters and digits")
	}
	k = access.WholeKey{Secret: d.SecretKey, Options: urlsign.Options{SignatureParam: d.AuthField.VolcSecret, TimeParam: d.AuthField.VolcTime}}
	if k.Scheme, err = schemeOf(d, newer); err != nil {
		return k, err
	}
	fields, err := fieldsOf(d)
	switch {
	case err != nil:
		return k, err
	case k.Scheme == schemeCustom:
		k.Options.Fields = fields
	case len(fields) > 0 && !sameFields(fields, md5Fields):
		return k, errs.InvalidField("encrypt_field", "EncryptField of md5 is AppName, StreamName, key, expireTime and cannot be changed")
	}
	usualNames(&k.Options)
	if k.Scheme == schemeA && scene == media.Publish {
		return k, errs.InvalidField("auth_type", "push URLs have AuthType TypeB or TypeCustom")
	}
	// The core knows what else a scheme needs; what it says can be shown.
	if _, err := urlsign.New(k.Scheme, k.Options); err != nil {
		return k, errs.InvalidField("auth_detail_list", err.Error())
	}
	return k, nil
}

// schemeOf reads the two fields that name the scheme. The older version has
// only the algorithm.
func schemeOf(d gen.AuthDetailInput, newer bool) (string, error) {
	byAlgorithm := map[string]string{md5: schemeB, md5Custom: schemeCustom}
	scheme, ok := byAlgorithm[string(d.EncryptionAlgorithm)]
	switch {
	case d.EncryptionAlgorithm == "":
		return "", bindError("EncryptionAlgorithm is required")
	case !ok:
		return "", errs.InvalidField("encryption_algorithm", "EncryptionAlgorithm is md5 or md5_custom")
	case !newer || d.AuthType == "":
		return scheme, nil
	}
	byType, ok := authTypes[d.AuthType]
	switch {
	case !ok:
		return "", errs.InvalidField("auth_type", "AuthType is TypeA, TypeB, TypeC or TypeCustom")
	case (byType == schemeCustom) != (scheme == schemeCustom):
		return "", errs.InvalidField("auth_type", "AuthType TypeCustom goes with md5_custom, the others with md5")
	}
	return byType, nil
}

func fieldsOf(d gen.AuthDetailInput) ([]string, error) {
	if len(d.EncryptField) > maxEncryptFields {
		return nil, errs.InvalidField("encrypt_field", "EncryptField has at most 16 entries")
	}
	var fields []string
	for _, f := range d.EncryptField {
		if f != nil && *f != "" {
			fields = append(fields, *f)
		}
	}
	return fields, nil
}

// sameFields compares two lists whatever edition their names are from.
func sameFields(a, b []string) bool {
	return slices.EqualFunc(a, b, func(x, y string) bool { return older(x) == older(y) })
}

// usualNames forgets names that are the usual ones anyway, so that a rule that
// spells them out is the same as one that does not.
func usualNames(o *urlsign.Options) {
	if o.SignatureParam == usualSecret {
		o.SignatureParam = ""
	}
	if o.TimeParam == usualTime {
		o.TimeParam = ""
	}
}

// toDetail shows a key, of our other schemes too: under their own name.
func toDetail(k access.WholeKey, newer bool) gen.AuthDetail {
	d := gen.AuthDetail{SecretKey: k.Secret, EncryptionAlgorithm: k.Scheme, EncryptField: make([]string, len(k.Options.Fields)),
		AuthField: gen.AuthField{VolcSecret: k.Options.SignatureParam, VolcTime: k.Options.TimeParam}}
	authType := authTypeOf(k.Scheme)
	switch k.Scheme {
	case schemeA, schemeB, schemeC:
		d.EncryptionAlgorithm = md5
	case schemeCustom:
		d.EncryptionAlgorithm = md5Custom
	}
	if renamed := d.AuthField != (gen.AuthField{}); k.Scheme == schemeCustom || k.Scheme == schemeB && renamed {
		d.AuthField = gen.AuthField{VolcSecret: or(d.AuthField.VolcSecret, usualSecret), VolcTime: or(d.AuthField.VolcTime, usualTime)}
	}
	for i, f := range k.Options.Fields {
		d.EncryptField[i] = older(f)
		if newer && d.EncryptField[i] == "key" {
			d.EncryptField[i] = "SecretKey"
		}
	}
	if newer {
		d.AuthType = authType
	}
	return d
}

// authTypeOf is how the newer version calls a scheme of ours; one that it does
// not know keeps its name.
func authTypeOf(scheme string) string {
	for name, s := range authTypes {
		if s == scheme {
			return name
		}
	}
	return scheme
}

// older is the name of a hashed field in the older version.
func older(field string) string {
	switch field {
	case "SecretKey":
		return "key"
	case "expireTime":
		return "volcTime"
	}
	return field
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
