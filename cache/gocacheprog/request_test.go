package gocacheprog_test

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/larderbuild/larder/cache/gocacheprog"
)

// someID is an action ID in base64, as the go command sends it.
var someID = base64.StdEncoding.EncodeToString([]byte("an action ID has thirty-two byte"))

func base64ID(id gocacheprog.ID) string { return base64.StdEncoding.EncodeToString(id[:]) }

var requestLines = []struct {
	name  string
	line  string
	usual bool // decoded without encoding/json
	ok    bool // can be answered
}{
	{"get", `{"ID":1,"Command":"get","ActionID":"` + someID + `"}`, true, true},
	{"put", `{"ID":7,"Command":"put","ActionID":"` + someID + `","OutputID":"` + someID + `","BodySize":123}`, true, true},
	{"close", `{"ID":9,"Command":"close"}`, true, true},
	{"trailing space", `{"ID":9,"Command":"close"} ` + "\r\n", true, true},
	{"Go 1.24's old field", `{"ID":7,"Command":"put","ObjectID":"` + someID + `"}`, false, true},
	{"another command", `{"ID":3,"Command":"get2"}`, false, true},
	{"other case", `{"id":3,"command":"get"}`, false, true},
	{"spaces", `{ "ID": 3, "Command": "get" }`, false, true},
	{"escapes", `{"ID":3,"Command":"\u0067et"}`, false, true},
	{"negative", `{"ID":-3,"Command":"get"}`, false, true},
	{"short ID", `{"ID":3,"Command":"get","ActionID":"AAAA"}`, false, true},
	{"bad base64", `{"ID":3,"Command":"get","ActionID":"` + strings.Repeat("!", 44) + `"}`, false, true},
	{"large number", `{"ID":9223372036854775807,"Command":"get"}`, false, true},
	{"repeated", `{"ID":1,"ID":2,"Command":"get"}`, true, true},
	{"zero", `{"ID":0,"Command":"get"}`, true, false},
	{"no ID", `{"Command":"get"}`, true, false},
	{"null", `{"ID":null,"Command":"get"}`, false, false},
	{"text ID", `{"ID":"1","Command":"get"}`, false, false},
	{"too large a number", `{"ID":99999999999999999999,"Command":"get"}`, false, false},
	{"leading zero", `{"ID":01}`, false, false},
	{"two values", `{"ID":1}{"ID":2}`, false, false},
	{"cut short", `{"ID":1,"Command":"ge`, false, false},
	{"cut after a comma", `{"ID":1,`, false, false},
	{"cut after a colon", `{"ID":`, false, false},
	{"empty object", `{}`, false, false},
	{"not an object", `[1]`, false, false},
	{"empty", ``, false, false},
}

func TestDecode(t *testing.T) {
	for _, c := range requestLines {
		t.Run(c.name, func(t *testing.T) {
			if _, usual := gocacheprog.DecodeUsual([]byte(c.line)); usual != c.usual {
				t.Errorf("decoded without encoding/json: %v, want %v", usual, c.usual)
			}
			q, ok, _ := gocacheprog.Decode([]byte(c.line))
			if ok != c.ok {
				t.Errorf("decoded %+v, can be answered: %v, want %v", q, ok, c.ok)
			}
		})
	}
}

// What the quick decoder accepts, encoding/json reads the same.
func FuzzDecode(f *testing.F) {
	for _, c := range requestLines {
		f.Add([]byte(c.line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		got, ok := gocacheprog.DecodeUsual(line)
		if !ok {
			gocacheprog.Decode(line) // must not panic
			return
		}
		var want gocacheprog.Request
		if err := json.Unmarshal(line, &want); err != nil {
			t.Fatalf("%q was decoded, but: %v", line, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q\n got %+v\nwant %+v", line, got, want)
		}
	})
}

func TestDecodeDoesNotAllocate(t *testing.T) {
	decode := gocacheprog.Decoder()
	for _, c := range requestLines[:3] {
		line := []byte(c.line)
		if n := testing.AllocsPerRun(100, func() { decode(line) }); n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
}
