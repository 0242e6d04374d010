package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

// The peer must do what creating a room does, or the ratio means nothing.
func TestPgbenchInsertsTheColumnsOfARoom(t *testing.T) {
	t.Parallel()
	queries, err := os.ReadFile("../../queries/rooms.sql")
	if err != nil {
		t.Fatal(err)
	}
	insert := regexp.MustCompile(`(?s)-- name: RoomsInsert :exec\n(.*?);`).FindSubmatch(queries)
	if insert == nil {
		t.Fatal("there is no query RoomsInsert")
	}
	want, _, _ := strings.Cut(string(insert[1]), "\nSELECT")
	_, rest, _ := strings.Cut(pgbenchScript, "\n")
	got, _, _ := strings.Cut(rest, "\nVALUES")
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if len(roomTitle) != len(peerTitle) {
		t.Error("the rows differ in size")
	}
}

func TestRoomRequestIsOneOfTheAppServerAPI(t *testing.T) {
	t.Parallel()
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(roomRequest("127.0.0.1:8080", "abc"))))
	if err != nil {
		t.Fatal(err)
	}
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	if r.URL.Path != "/api/v2/live/create" || r.Header.Get("Authorization") != "Bearer abc" || body["title"] != roomTitle || body["anchor"] != adminName {
		t.Errorf("%s %v %v", r.URL, r.Header, body)
	}
}

const pgbenchReport = `pgbench (15.18 (Debian 15.18-0+deb12u1))
transaction type: room.sql
number of transactions actually processed: 13025
number of failed transactions: 0 (0.000%)
latency average = 14.689 ms
initial connection time = 69.312 ms
tps = 4356.875214 (without initial connection time)
`

func TestPgbenchReportIsRead(t *testing.T) {
	t.Parallel()
	if tps, err := parsePgbench([]byte(pgbenchReport)); err != nil || tps != 4356.875214 {
		t.Errorf("%v, %v", tps, err)
	}
	older := strings.Replace(pgbenchReport, "number of failed transactions: 0 (0.000%)\n", "", 1)
	if tps, err := parsePgbench([]byte(older)); err != nil || tps != 4356.875214 {
		t.Errorf("of version 14: %v, %v", tps, err)
	}
	for _, report := range []string{"", strings.ReplaceAll(pgbenchReport, "tps", "tpm"), strings.Replace(pgbenchReport, "transactions: 0", "transactions: 3", 1)} {
		if tps, err := parsePgbench([]byte(report)); err == nil {
			t.Errorf("%v out of %q", tps, report)
		}
	}
}

func TestNewestPgbenchIsTaken(t *testing.T) {
	t.Parallel()
	if a, b := versionOf("/usr/lib/postgresql/9/bin/pgbench"), versionOf("/usr/lib/postgresql/15/bin/pgbench"); a != 9 || b != 15 {
		t.Errorf("%d and %d", a, b)
	}
}
