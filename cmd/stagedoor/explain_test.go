package main

import (
	"bytes"
	"strings"
	"testing"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
)

// A script asks by the exit code, a person reads the rest.
func TestExplainSaysYesAndNoByItsExitCode(t *testing.T) {
	t.Parallel()
	i := install(t, "--push-domain", "push.example.com", "--pull-domain", "pull.example.com")
	signed := decoded[struct{ Push, Play map[string]string }](t, i, "", "sign", "studio")
	url := signed.Push["rtmp"]
	if x := decoded[gen.Explanation](t, i, "", "explain", url); !x.Allowed || x.Reason != "allowed" || x.Scene != "publish" {
		t.Errorf("%+v", x)
	}
	bad := strings.Replace(url, "/studio?", "/other?", 1)
	var out, errOut bytes.Buffer
	code := run(t.Context(), append(append([]string{}, i.flags...), "explain", bad), strings.NewReader(""), &out, &errOut)
	if code != exitFailed || !strings.Contains(out.String(), "refused: signature_mismatch") || !strings.Contains(out.String(), "to do:") || errOut.Len() > 0 {
		t.Errorf("exit code %d:\n%s%s", code, &out, &errOut)
	}
	if mac := url[strings.LastIndexByte(url, '-')+1:]; len(mac) > 15 && strings.Contains(out.String(), mac) {
		t.Errorf("the signature is in:\n%s", &out)
	}
	for _, args := range [][]string{{"explain"}, {"explain", "ftp://h/x"}, {"explain", url, "--at", "yesterday"}, {"explain", url, "--request", "r"}} {
		if code := run(t.Context(), append(append([]string{}, i.flags...), args...), strings.NewReader(""), &out, &errOut); code != exitUsage {
			t.Errorf("%v: exit code %d", args, code)
		}
	}
	if code := run(t.Context(), append(append([]string{}, i.flags...), "explain", "--request", "none"), strings.NewReader(""), &out, &errOut); code != exitNotFound {
		t.Errorf("an unknown request: exit code %d", code)
	}
	if list := decoded[[]gen.Refusal](t, i, "", "refusals", "--stream", "studio"); len(list) != 0 {
		t.Errorf("asking why is no refusal: %+v", list)
	}
}
