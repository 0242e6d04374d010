package main

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
)

// Each operation of the spec, and each action of those that have several, is
// tried by everybody. Who may not enter is refused in the way of the dialect
// and has changed nothing.
func TestEveryOperationAdmitsWhomTheSpecSays(t *testing.T) {
	t.Parallel()
	h := openHouse(t)
	h.crowds(t)
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
	h.tellsNoSecret(t)
}

// crowds has many do at once what takes the database. With its one connection
// they all get their turn.
func (h *house) crowds(t *testing.T) {
	admin := h.visitors[administrator]
	var crowd sync.WaitGroup
	for i := range 8 {
		crowd.Go(func() {
			stream := fmt.Sprintf("crowd%d", i)
			pair := h.done(t, admin, http.MethodPost, "/live/create_token?stream="+stream, "")
			if i == 0 { // hashes are slow on purpose
				h.logIn(t, admin)
			}
			h.done(t, admin, http.MethodPost, "/api/v2/live/create", `{"title":"one of many","anchor":"admin","im_server":["aliyun_new"]}`)
			for scene, token := range map[string]string{"publish": "token", "play": "play_token"} {
				h.done(t, visitor{}, http.MethodPost, "/callback/on_"+scene+"?secret="+h.visitors[mediaServer].secret, fmt.Sprintf(`{"action":"on_%[1]s","client_id":"%[1]s%[2]d",`+
					`"server_id":"vid-1","service_id":"one","ip":"192.0.2.7","vhost":"__defaultVhost__","app":"live","tcUrl":"rtmp://x/live",`+
					`"stream":"%[3]s","param":"?token=%[4]s","stream_url":"/live/%[3]s","stream_id":"vid-2"}`, scene, i, stream, pair.text(token)))
			}
			h.done(t, admin, http.MethodDelete, "/live/destroy_token?token="+pair.text("token"), "")
		})
	}
	crowd.Wait()
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
