package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestEveryValueIsInABucketThatEndsCloseAboveIt(t *testing.T) {
	t.Parallel()
	values := []uint64{0, 1, 63, 64, 65, 127, 128, 129, 255, 256, 1000, 1 << 20, 1<<20 - 1, 1<<40 + 12345, math.MaxInt64}
	random := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		values = append(values, random.Uint64()>>(1+random.IntN(63)))
	}
	for _, v := range values {
		i := bucketOf(v)
		if end := bucketEnd(i); end < v || end-v > v/subBuckets {
			t.Fatalf("%d is in bucket %d, which ends at %d", v, i, end)
		}
		if i > 0 && bucketEnd(i-1) >= v {
			t.Fatalf("%d is in bucket %d, but the one before ends at %d", v, i, bucketEnd(i-1))
		}
	}
}

func TestBucketsAreWithoutGapsAndFitTheHistogram(t *testing.T) {
	t.Parallel()
	last := bucketOf(math.MaxUint64)
	if size := len(histogram{}.counts); last >= size {
		t.Fatalf("bucket %d of %d", last, size)
	}
	for i := range last {
		if next := bucketOf(bucketEnd(i) + 1); next != i+1 {
			t.Fatalf("behind bucket %d comes %d", i, next)
		}
	}
}

func TestQuantileIsThatOfTheSortedValuesWithinABucket(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	var h histogram
	var all []time.Duration
	for range 20_000 {
		d := time.Duration(math.Exp(random.NormFloat64()*2+12) * float64(time.Nanosecond))
		h.add(d)
		all = append(all, d)
	}
	slices.Sort(all)
	for _, q := range []float64{0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1} {
		exact := all[int(math.Ceil(q*float64(len(all))))-1]
		if got := h.quantile(q); got < exact || got > exact+exact/subBuckets {
			t.Errorf("quantile %v is %v, of the values themselves %v", q, got, exact)
		}
	}
}

func TestQuantileOfFewValues(t *testing.T) {
	t.Parallel()
	var h histogram
	if got := h.quantile(0.99); got != 0 {
		t.Errorf("of none: %v", got)
	}
	h.add(-time.Second)
	if got := h.quantile(1); got != 0 {
		t.Errorf("of a negative one: %v", got)
	}
	h.add(100)
	for q, want := range map[float64]time.Duration{0: 0, 0.5: 0, 0.51: 100, 1: 100} {
		if got := h.quantile(q); got != want {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
}

func TestMergedHistogramCountsBoth(t *testing.T) {
	t.Parallel()
	var a, b, both histogram
	for i := range 1000 {
		d := time.Duration(i) * time.Microsecond
		if both.add(d); i%3 == 0 {
			a.add(d)
		} else {
			b.add(d)
		}
	}
	if a.merge(&b); a != both {
		t.Error("it differs from one histogram of all")
	}
}
