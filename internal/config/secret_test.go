package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretIsNeverPrinted(t *testing.T) {
	t.Parallel()
	const text = "hunter2-hunter2"
	secret := Secret(text)
	type holder struct {
		Key  Secret
		Ptr  *Secret
		List []Secret
		Map  map[string]Secret
	}
	held := holder{secret, &secret, []Secret{secret}, map[string]Secret{"a": secret}}
	var printed []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%20s"} {
		printed = append(printed, fmt.Sprintf(verb, secret), fmt.Sprintf(verb, held), fmt.Sprintf(verb, &secret))
	}
	encoded, err := json.Marshal(held)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("start", "key", secret, "held", held)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("start", "key", secret, "held", held)
	printed = append(printed, string(encoded), log.String(), fmt.Sprint(secret), fmt.Errorf("bad: %v", secret).Error())
	hexText := fmt.Sprintf("%x", text)
	for _, p := range printed {
		if strings.Contains(p, "hunter2") || strings.Contains(strings.ToLower(p), hexText) {
			t.Errorf("it is in %s", p)
		}
	}
	if got := secret.Reveal(); got != text {
		t.Errorf("Reveal = %q", got)
	}
}

func TestSecretShowsWhetherItIsSet(t *testing.T) {
	t.Parallel()
	if got := fmt.Sprintf("%v|%#v|%v|%#v", Secret("x"), Secret("x"), Secret(""), Secret("")); got != `[redacted]|"[redacted]"||""` {
		t.Errorf("printed %s", got)
	}
}

func TestSecretEqualsOnlyItself(t *testing.T) {
	t.Parallel()
	secret := Secret("correct horse")
	for given, want := range map[string]bool{"correct horse": true, "correct hors": false, "correct horse ": false, "": false} {
		if got := secret.Equal(given); got != want {
			t.Errorf("Equal(%q) = %t", given, got)
		}
	}
	if Secret("").Equal("") {
		t.Error("a secret that nobody set equals the empty one")
	}
}
