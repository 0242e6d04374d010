package room

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

// station is where trips wait until the test lets them go.
type station struct {
	*combiner[int, string]
	trips [][]int
	leave chan error // of the next trip: how it ends
}

func newStation() *station {
	s := &station{leave: make(chan error)}
	s.combiner = newCombiner(func(ctx context.Context, key string, asked []int) ([]string, error) {
		s.trips = append(s.trips, asked)
		select {
		case err := <-s.leave:
			if err != nil {
				return nil, err
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		answers := make([]string, len(asked))
		for i, q := range asked {
			answers[i] = fmt.Sprint(key, q)
		}
		return answers, nil
	})
	return s
}

// asked is one question and, once it is answered, what came of it.
type asked struct {
	answer string
	err    error
	done   bool
}

// goAsk returns when the question is in the line.
func (s *station) goAsk(ctx context.Context, key string, question int) *asked {
	a := &asked{}
	go func() {
		a.answer, a.err = s.ask(ctx, key, question)
		a.done = true
	}()
	synctest.Wait()
	return a
}

func (a *asked) want(t *testing.T, answer string) {
	t.Helper()
	if !a.done || a.err != nil || a.answer != answer {
		t.Errorf("%+v, want %s", a, answer)
	}
}

// ends ends the trip that is under way.
func (s *station) ends(err error) {
	s.leave <- err
	synctest.Wait()
}

func (s *station) wantTrips(t *testing.T, trips ...[]int) {
	t.Helper()
	if !slices.EqualFunc(s.trips, trips, slices.Equal) || len(s.lines) != 0 {
		t.Errorf("trips %v, want %v; lines %v", s.trips, trips, s.lines)
	}
}

func TestWhoComesDuringATripGoesOnTheNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStation()
		first := s.goAsk(t.Context(), "a", 1)
		second, third := s.goAsk(t.Context(), "a", 2), s.goAsk(t.Context(), "a", 3)
		other := s.goAsk(t.Context(), "b", 4) // does not wait for the others
		s.ends(nil)
		s.ends(nil)
		s.ends(nil)
		first.want(t, "a1")
		second.want(t, "a2")
		third.want(t, "a3")
		other.want(t, "b4")
		slices.SortFunc(s.trips, slices.Compare[[]int])
		s.wantTrips(t, []int{1}, []int{2, 3}, []int{4})
	})
}

func TestWhoLeavesTheLineHasNotAskedAndWhoTravelsHearsTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStation()
		ctx, cancel := context.WithCancel(t.Context())
		first, second, third := s.goAsk(ctx, "", 1), s.goAsk(ctx, "", 2), s.goAsk(t.Context(), "", 3)
		cancel()
		synctest.Wait()
		if first.done || !second.done || !errors.Is(second.err, context.Canceled) {
			t.Errorf("%+v and %+v", first, second)
		}
		s.ends(nil)
		s.ends(nil)
		first.want(t, "1")
		third.want(t, "3")
		s.wantTrips(t, []int{1}, []int{3})
	})
}

func TestABadQuestionSpoilsNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStation()
		s.goAsk(t.Context(), "", 1)
		second, third := s.goAsk(t.Context(), "", 2), s.goAsk(t.Context(), "", 3)
		s.ends(nil)
		s.ends(errNotOwner)
		s.ends(errNotOwner)
		s.ends(nil)
		wantErr(t, second.err, errs.Forbidden, "not_owner")
		third.want(t, "3")
		s.wantTrips(t, []int{1}, []int{2, 3}, []int{2}, []int{3})
	})
}

func TestAnOutageIsToldToAllAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStation()
		s.goAsk(t.Context(), "", 1)
		second, third := s.goAsk(t.Context(), "", 2), s.goAsk(t.Context(), "", 3)
		s.ends(nil)
		time.Sleep(tripTimeout) // nobody answers
		synctest.Wait()
		wantErr(t, second.err, errs.Unavailable, "temporarily_unavailable")
		wantErr(t, third.err, errs.Unavailable, "temporarily_unavailable")
		s.wantTrips(t, []int{1}, []int{2, 3})
	})
}

func TestALineHasAnEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStation()
		s.goAsk(t.Context(), "", 0)
		var line sync.WaitGroup
		for i := range maxInLine {
			line.Go(func() {
				if _, err := s.ask(t.Context(), "", i); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		_, err := s.ask(t.Context(), "", 1)
		wantErr(t, err, errs.Unavailable, "temporarily_unavailable")
		for range 1 + maxInLine/maxAboard {
			s.ends(nil)
		}
		line.Wait()
		if len(s.trips) != 1+maxInLine/maxAboard || len(s.lines) != 0 {
			t.Errorf("%d trips, lines %v", len(s.trips), s.lines)
		}
	})
}
