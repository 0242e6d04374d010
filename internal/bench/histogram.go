package main

import (
	"math"
	"math/bits"
	"time"
)

// histogram counts durations in buckets that are never wider than 1/64 of
// their value. The zero histogram is empty.
type histogram struct {
	counts [64 * subBuckets]uint64
	total  uint64
}

const (
	subBits    = 6
	subBuckets = 1 << subBits
)

// add counts a duration; a negative one counts as zero.
func (h *histogram) add(d time.Duration) {
	h.counts[bucketOf(uint64(max(d, 0)))]++
	h.total++
}

// merge adds what another histogram counted.
func (h *histogram) merge(other *histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
}

// quantile returns a duration that the share q of all did not exceed: the upper
// end of its bucket, so that it is never flattering. Zero when empty.
func (h *histogram) quantile(q float64) time.Duration {
	want := max(uint64(math.Ceil(q*float64(h.total)-1e-6)), 1)
	var seen uint64
	for i, n := range h.counts {
		if seen += n; seen >= want {
			return time.Duration(bucketEnd(i))
		}
	}
	return 0
}

// bucketOf keeps the highest bits of v: below 128 every value has a bucket of
// its own, above that each doubling has 64.
func bucketOf(v uint64) int {
	shift := max(bits.Len64(v)-subBits-1, 0)
	return shift*subBuckets + int(v>>shift)
}

// bucketEnd returns the largest value of a bucket.
func bucketEnd(i int) uint64 {
	if i < 2*subBuckets {
		return uint64(i)
	}
	shift := i/subBuckets - 1
	return uint64(i-shift*subBuckets+1)<<shift - 1
}
