package main

import (
	"net/http"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
)

// Each operation of the spec, and each action of those that have several, is
// tried by everybody. Who may not enter is refused in the way of the dialect
// and has changed nothing.
func TestEveryOperationAdmitsWhomTheSpecSays(t *testing.T) {
	t.Parallel()
	h := openHouse(t)
	doors, complaints := doorsOf(h.spec.Document(), examples)
	for _, c := range complaints {
		t.Error(c)
	}
	if t.Failed() {
		return
	}
	// Those who change something come last: some of it reaches the database late.
	h.each(t, doors, false, h.mustRefuse)
	h.each(t, doors, true, h.mustAdmit)
}

func (h *house) each(t *testing.T, doors []door, admitted bool, try func(t *testing.T, d door, who visitor)) {
	for _, d := range doors {
		for _, name := range d.visitors() {
			if d.admits(name) == admitted {
				t.Run(d.id+"/"+name, func(t *testing.T) { try(t, d, h.visitors[name]) })
			}
		}
	}
}

func (h *house) mustRefuse(t *testing.T, d door, who visitor) {
	r := h.request(t, d, who)
	before := h.snapshot(t)
	status, body := h.send(t, r)
	if want := d.refusal(who.name); status != want {
		t.Errorf("the spec says %q, so the status is to be %d, not %d: %s", d.access, want, status, body)
	}
	after := h.snapshot(t)
	for table, rows := range after {
		if rows != before[table] {
			t.Errorf("the refused request changed %s:\n%s", table, dialecttest.Difference(before[table], rows))
		}
	}
}

// mustAdmit wants success: of a request that fails for another reason nobody
// knows whether it was admitted.
func (h *house) mustAdmit(t *testing.T, d door, who visitor) {
	defer func() { h.guest = "" }()
	status, body := h.send(t, h.request(t, d, who))
	switch want := d.example.status; {
	case status == want:
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		t.Errorf("the spec says %q, but the status is %d: %s", d.access, status, body)
	case status < 200 || status > 299 || want != 0:
		t.Errorf("the table examples has no valid request of it: %d %s", status, body)
	}
}
