package appserver

import (
	"strconv"
	"strings"
	"unicode/utf8"

	api "github.com/stagedoor-live/stagedoor/gen/appserver"
	"github.com/stagedoor-live/stagedoor/internal/errs"
)

// The longest values, in characters, of fields that no service looks at.
const (
	maxUsername = 64
	maxPassword = 1024
	maxID       = 64
	maxDevice   = 64
	maxName     = 256
	maxVersion  = 64
	maxURL      = 2048
	maxToken    = 8192
)

// maxLikeBatch is what one request adds at most. More is not refused: clients
// put a refused batch back and would send it again for ever.
const maxLikeBatch = 10_000

// claim is a field in which a client names itself.
type claim struct{ field, value string }

// check compares without regard to case, as user names are compared. An absent
// name means the caller.
func (c claim) check(subject string) error {
	if c.value == "" || strings.EqualFold(c.value, subject) {
		return nil
	}
	return errs.New(errs.Forbidden, "not_the_caller", c.field+" is not the caller")
}

func validText(field, value string, most int) error {
	switch {
	case value == "":
		return errs.InvalidField(field, field+" is required")
	case utf8.RuneCountInString(value) > most:
		return errs.InvalidField(field, field+" is longer than "+strconv.Itoa(most)+" characters")
	}
	return nil
}

// field is a text of a request and the characters that it may have.
type field struct {
	name, value string
	most        int
}

// validLengths checks texts that may be empty.
func validLengths(fields ...field) error {
	for _, f := range fields {
		if f.value == "" {
			continue
		}
		if err := validText(f.name, f.value, f.most); err != nil {
			return err
		}
	}
	return nil
}

func validLogin(in *api.LoginRequest) error {
	if err := validText("username", in.Username, maxUsername); err != nil {
		return err
	}
	return validText("password", in.Password, maxPassword)
}

func validDevice(id string, kind api.DeviceType) error {
	if err := validText("device_id", id, maxDevice); err != nil {
		return err
	}
	if !kind.Valid() {
		return errs.InvalidField("device_type", "device_type is android, ios, web or pc")
	}
	return nil
}

// validServers checks the message services of the v2 operations, which have no
// default.
func validServers(servers []api.IMServer) error {
	if len(servers) == 0 {
		return errs.InvalidField("im_server", "im_server is required")
	}
	for _, v := range servers {
		if !v.Valid() {
			return errs.InvalidField("im_server", "im_server is aliyun_old or aliyun_new")
		}
	}
	return nil
}
