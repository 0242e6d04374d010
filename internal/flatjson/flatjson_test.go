package flatjson_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/flatjson"
)

func read(text string) (all []flatjson.Member, whole bool) {
	r := flatjson.Read(text)
	for m, ok := r.Next(); ok; m, ok = r.Next() {
		all = append(all, m)
	}
	return all, r.Whole()
}

func TestSimpleObjectsAreRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]flatjson.Member{
		`{}`:                     nil,
		" {\n} \r\n":             nil,
		`{"a":"b"}`:              {{"a", "b", true}},
		` { "a" : "" , "b":-12}`: {{"a", "", true}, {"b", "-12", false}},
		`{"a":0,"a":"x/?&=~"}`:   {{"a", "0", false}, {"a", "x/?&=~", true}},
	} {
		all, whole := read(text)
		if !whole || len(all) != len(want) {
			t.Errorf("%s: %v, whole %v", text, all, whole)
			continue
		}
		for i := range want {
			if all[i] != want[i] {
				t.Errorf("%s: %v, want %v", text, all[i], want[i])
			}
		}
	}
}

func TestEverythingElseIsLeftToOthers(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		``, `null`, `[]`, `"a"`, `{`, `{"a"`, `{"a":`, `{"a":"b"`, `{"a":"b",`, `{"a":"b",}`, `{,}`, `{"a" "b"}`, `{"a":"b"}x`, `{"a":"b"}{}`,
		`{"a":"b" "c":"d"}`, `{"a":01}`, `{"a":1.5}`, `{"a":1e3}`, `{"a":-}`, `{"a":+1}`, `{"a":true}`, `{"a":null}`, `{"a":{}}`, `{"a":["b"]}`,
		`{"a":"\n"}`, `{"a":"\u0041"}`, `{"\u0061":"b"}`, "{\"a\":\"\n\"}", `{"a":"é"}`, "{\"a\":\"\xff\"}", "\ufeff{}", "{}\x00",
	} {
		if all, whole := read(text); whole {
			t.Errorf("%s is read as %v", text, all)
		}
	}
}

// Whatever we read, encoding/json reads too, and finds the same in it.
func FuzzRead(f *testing.F) {
	f.Add(`{"action":"on_play","client_id":"9a3b","send_bytes":10}`)
	f.Add(` { "a" : "" , "b" : -12 } `)
	f.Add(`{"a":"b","a":1}`)
	f.Add(`{"a":"\u0041"}`)
	f.Add(`{"a":"0}`)
	f.Fuzz(func(t *testing.T, text string) {
		all, whole := read(text)
		if !whole {
			return
		}
		want := map[string]json.RawMessage{}
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatalf("%q is no JSON: %v", text, err)
		}
		last := map[string]string{}
		for _, m := range all {
			last[m.Name] = m.Value
			if m.Quoted {
				last[m.Name] = `"` + m.Value + `"`
			}
		}
		if len(last) != len(want) {
			t.Fatalf("%q has %d names, not %d", text, len(want), len(last))
		}
		for name, value := range last {
			if string(want[name]) != value {
				t.Errorf("%q: %s is %s, not %s", text, name, want[name], value)
			}
		}
	})
}

func BenchmarkRead(b *testing.B) {
	text := `{"server_id":"vid-7272250","action":"on_play","param":"` + strings.Repeat("x", 200) + `","send_bytes":10}`
	b.ReportAllocs()
	for b.Loop() {
		r := flatjson.Read(text)
		for _, ok := r.Next(); ok; _, ok = r.Next() {
		}
		if !r.Whole() {
			b.Fatal("not whole")
		}
	}
}
