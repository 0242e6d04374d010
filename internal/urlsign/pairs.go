package urlsign

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"slices"
	"strings"
)

// Some schemes sign the query itself: these see it pair by pair.

// The bounds of a query that is signed as a whole.
const (
	maxQuery = 2048
	maxPairs = 32
)

// splitPairs returns the raw pairs of a query but for those that without names,
// or false where there are too many.
func splitPairs(query string, without func(name string) bool) (pairs []string, ok bool) {
	query = strings.TrimPrefix(query, "?")
	if len(query) > maxQuery || strings.Count(query, "&") >= maxPairs {
		return nil, false
	}
	for query != "" {
		var pair string
		pair, query, _ = cut(query, '&')
		name, _, _ := cut(pair, '=')
		if pair != "" && !without(name) {
			pairs = append(pairs, pair)
		}
	}
	return pairs, true
}

func sorted(pairs []string) string {
	pairs = slices.Clone(pairs)
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

func hmacSHA1(secret []byte, text string, encoding *base64.Encoding) string {
	m := hmac.New(sha1.New, secret)
	m.Write([]byte(text))
	return encoding.EncodeToString(m.Sum(nil))
}

// findKey returns the index of the first key whose signature is the one that was
// sent, or -1. It makes the signature of every key.
func findKey(keys []Key, sent string, sign func(secret []byte) string) int {
	found := -1
	for i := len(keys) - 1; i >= 0; i-- {
		if len(keys[i].Secret) == 0 {
			continue
		}
		match := subtle.ConstantTimeCompare([]byte(sign(keys[i].Secret)), []byte(sent))
		found = subtle.ConstantTimeSelect(match, i, found)
	}
	return found
}
