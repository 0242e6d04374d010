package aliyun

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
)

func TestNumbersAreTakenAsTheyCome(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]Int{
		`5`: 5, `"5"`: 5, `5.9`: 5, `"7.0"`: 7, `0`: 0, `-3`: 0, `null`: 0, `""`: 0, `"many"`: 0, `{}`: 0, `[5]`: 0, `true`: 0,
		`1e300`: 1 << 53, `"9223372036854775807"`: 1 << 53, `"NaN"`: 0, `"Inf"`: 1 << 53, `"-Inf"`: 0,
	} {
		got := Int(99)
		if err := json.Unmarshal([]byte(given), &got); err != nil || given != "null" && got != want {
			t.Errorf("%s is %d, error %v", given, got, err)
		}
	}
}

func TestBooleansAreTakenAsTheyCome(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]Bool{`true`: true, `"true"`: true, `"True"`: true, `1`: true, `false`: false, `"no"`: false, `2`: false, `{}`: false} {
		got := !want
		if err := json.Unmarshal([]byte(given), &got); err != nil || got != want {
			t.Errorf("%s is %t, error %v", given, got, err)
		}
	}
}

func TestTextsAreTakenAsTheyCome(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]Text{
		`"a"`: "a", `""`: "", `67.685`: "67.685", `{}`: "", `["a"]`: "", `"` + strings.Repeat("a", maxText) + `"`: Text(strings.Repeat("a", maxText)),
		`"` + strings.Repeat("a", maxText+1) + `"`: "",
	} {
		got := Text("before")
		if err := json.Unmarshal([]byte(given), &got); err != nil || got != want {
			t.Errorf("%.20s is %.20q, error %v", given, got, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, body := range []string{`{"Code":"A.b","RequestId":"1-2"}`, `{"Result":{"N":"5","B":1,"T":3.5,"L":["a",1]}}`, `null`, `[`, `{"Result":null}`, "\xff"} {
		f.Add(200, []byte(body))
		f.Add(400, []byte(body))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		var reply struct {
			Result struct {
				N Int
				B Bool
				T Text
				L []Text
			}
		}
		err := decode("Action", status, body, &reply)
		if n := reply.Result.N; n < 0 || n > 1<<53 || len(reply.Result.T) > maxText {
			t.Errorf("decoded %+v", reply)
		}
		var refusal *Error
		if errors.As(err, &refusal) != (status != 200) || math.Abs(float64(len(known(string(body))))) > 80 {
			t.Errorf("status %d: %v", status, err)
		}
		if refusal != nil && strings.ContainsAny(refusal.Code+refusal.RequestID, " \n<>&'\"") {
			t.Errorf("repeats %q", refusal)
		}
	})
}
