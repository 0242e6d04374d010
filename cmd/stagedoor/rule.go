package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/dialect/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

type ruleCmd struct {
	List    ruleListCmd    `cmd:"" help:"List rules with their keys: when each was last used, and whether it can go."`
	Get     ruleGetCmd     `cmd:"" help:"Show one rule, and why its keys can go or not."`
	Create  ruleCreateCmd  `cmd:"" help:"Create a rule with one active key."`
	Enable  ruleEnableCmd  `cmd:"" help:"Ask for a signature again."`
	Disable ruleDisableCmd `cmd:"" help:"Admit requests without credential; a bad one is still refused."`
	Set     ruleSetCmd     `cmd:"" help:"Change what happens to a second publisher of a stream."`
	Delete  ruleDeleteCmd  `cmd:"" help:"Delete a rule and its keys."`
	Key     ruleKeyCmd     `cmd:"" help:"Manage the keys of a rule."`
	Schemes ruleSchemesCmd `cmd:"" help:"List the signing schemes, how strong each is and what it leaves to choose."`
}

func printRules(e *env, a *app, v any, rules ...access.Rule) error {
	var rows [][]string
	for _, r := range rules {
		for _, k := range stagedoor.ToRule(a.access, r).Keys {
			rows = append(rows, append(ruleRow(r, k), k.ID, string(k.State), orNever(k.LastUsedAt), strconv.FormatBool(k.SafeToRetire)))
		}
		if len(r.Keys) == 0 {
			rows = append(rows, append(ruleRow(r, gen.RuleKey{}), "-", "-", "-", "-"))
		}
	}
	return e.print(v, "ID DOMAIN VHOST APP SCENE SCHEME OPTIONS STRENGTH ENABLED VALIDITY TAKEOVER KEY STATE LAST-USED SAFE-TO-RETIRE", rows)
}

// ruleRow is what a table says of a rule in the line of one of its keys, which may
// sign in another way than the rule says.
func ruleRow(r access.Rule, k gen.RuleKey) []string {
	scheme, options := r.Scheme, r.Options.Chosen()
	if k.Scheme != "" {
		scheme, options = k.Scheme, k.Options
	}
	return []string{strconv.FormatInt(r.ID, 10), orDash(r.Domain), orDash(r.Vhost), orDash(r.App), string(r.Scene), scheme,
		orDash(strings.Join(options, ";")), r.Strength, strconv.FormatBool(r.Enabled), r.Validity.String(), takeoverText(r)}
}

func printRule(e *env, a *app, r access.Rule) error {
	return printRules(e, a, stagedoor.ToRule(a.access, r), r)
}

func takeoverText(r access.Rule) string {
	switch {
	case r.Scene != media.Publish:
		return "-"
	case r.Takeover.Window != 0:
		return string(r.Takeover.Policy) + ":" + r.Takeover.Window.String()
	}
	return string(r.Takeover.Policy)
}

type ruleListCmd struct{}

func (ruleListCmd) Run(e *env) error {
	return withApp(e, func(a *app) error {
		rules, err := a.access.Rules(e.ctx)
		if err != nil {
			return err
		}
		out := make([]gen.Rule, len(rules))
		for i, r := range rules {
			out[i] = stagedoor.ToRule(a.access, r)
		}
		return printRules(e, a, out, rules...)
	})
}

type ruleGetCmd struct {
	ID int64 `arg:"" help:"Id of the rule."`
}

func (c ruleGetCmd) Run(e *env) error {
	return withApp(e, func(a *app) error {
		r, err := a.access.Rule(e.ctx, c.ID)
		if err != nil {
			return err
		}
		out := stagedoor.ToRule(a.access, r)
		rows := [][]string{{"id", out.ID}, {"domain", orDash(r.Domain)}, {"vhost", orDash(r.Vhost)}, {"application", orDash(r.App)}, {"scene", string(r.Scene)},
			{"scheme", r.Scheme}, {"options", orDash(strings.Join(out.Options, ";"))}, {"strength", r.Strength}, {"enabled", strconv.FormatBool(r.Enabled)},
			{"validity", r.Validity.String()}, {"takeover", takeoverText(r)}}
		for _, k := range out.Keys {
			rows = append(rows, []string{"key " + k.ID, string(k.State) + ". " + k.Why})
		}
		return e.print(out, "SETTING VALUE", rows)
	})
}

type ruleCreateCmd struct {
	Scene  string `help:"publish or play." required:"" enum:"publish,play"`
	Domain string `help:"Host name that clients use; empty for any."`
	Vhost  string `help:"Virtual host of the media server; empty for any."`
	App    string `name:"application" help:"Application; empty for any."`
	Scheme string `help:"Signing scheme; 'rule schemes' lists them." default:"stagedoor"`
	optionFlags
	Validity time.Duration `help:"Added to the time in the URL when it is verified."`
	Disabled bool          `help:"Create it switched off."`
	takeoverFlags
	KeyStdin bool `help:"Read the first key from standard input instead of making a random one."`
}

// optionFlags are what a scheme leaves to the operator.
type optionFlags struct {
	Fields         []string `help:"volcengine_custom: what is hashed, in this order: key, volcTime, Domain, AppName, StreamName." placeholder:"FIELD,..."`
	ParamSignature string   `help:"Name of the URL parameter of the signature, where a scheme leaves it open." placeholder:"NAME"`
	ParamTime      string   `help:"Name of the URL parameter of the time, where a scheme leaves it open." placeholder:"NAME"`
	TimeBase       int      `help:"volcengine_*, qiniu_timestamp: base of the time in the URL: 2, 8, 10 or 16." placeholder:"10"`
	URLFormat      int      `help:"aliyun_c: 1 signs in the path, 2 in the query." name:"url-format" placeholder:"1"`
	Expression     string   `help:"nginx_secure_link_md5: the text of secure_link_md5 with $$key in the place of the secret." placeholder:"TEXT"`
	PathPrefix     string   `help:"nginx_secure_link_*: what stands before a signature in the path." placeholder:"/p"`
	ParamPrefix    string   `help:"wowza_securetoken_v2: beginning of the names of its parameters." placeholder:"wowzatoken"`
	Hash           string   `help:"Hash, where a scheme leaves it open." placeholder:"sha256"`
	KeyName        string   `help:"Name that the vendor gave to the key, where its URLs carry it." placeholder:"ID"`
}

func (o optionFlags) options() urlsign.Options {
	return urlsign.Options{SignatureParam: o.ParamSignature, TimeParam: o.ParamTime, TimeBase: o.TimeBase, Fields: o.Fields, Format: o.URLFormat,
		Expression: o.Expression, PathPrefix: o.PathPrefix, ParamPrefix: o.ParamPrefix, Hash: o.Hash, KeyID: o.KeyName}
}

func (c ruleCreateCmd) Run(e *env) error {
	secret, err := e.keyFromStdin(c.KeyStdin)
	if err != nil {
		return err
	}
	return withApp(e, func(a *app) error {
		r, err := a.access.CreateRule(e.ctx, access.NewRule{Domain: c.Domain, Vhost: c.Vhost, App: c.App, Scene: media.Scene(c.Scene),
			Scheme: c.Scheme, Options: c.options(), Validity: c.Validity, Disabled: c.Disabled, Takeover: c.takeover(), Secret: secret})
		if err != nil {
			return err
		}
		return printRule(e, a, r)
	})
}

func (e *env) keyFromStdin(wanted bool) (string, error) {
	if !wanted {
		return "", nil
	}
	in := bufio.NewReader(io.LimitReader(e.stdin, maxKeyText))
	line, err := in.ReadString('\n')
	if line == "" && err != nil {
		return "", fmt.Errorf("no key on standard input: %w", err)
	}
	if strings.HasPrefix(line, "-----BEGIN ") { // a private key has many lines
		rest, err := io.ReadAll(in)
		return line + string(rest), err
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// maxKeyText is more than any key has.
const maxKeyText = 16 << 10

// takeoverFlags say what happens to a publisher whose stream has one already.
type takeoverFlags struct {
	Takeover       string        `help:"What happens to a second publisher: reject, replace (it takes the place of whoever publishes, if it brings a credential) or resume (only the same identity does, within the window)." enum:"reject,replace,resume" default:"reject"`
	TakeoverWindow time.Duration `help:"resume: how long after its start a publisher may be taken over; 24h where it is not given." placeholder:"DURATION"`
}

func (f takeoverFlags) takeover() access.Takeover {
	return access.Takeover{Policy: access.TakeoverPolicy(f.Takeover), Window: f.TakeoverWindow}
}

type ruleSetCmd struct {
	ID             int64         `arg:"" help:"Id of the rule."`
	Takeover       string        `help:"reject, replace or resume, as for rule create." enum:"reject,replace,resume" required:""`
	TakeoverWindow time.Duration `help:"resume: as for rule create." placeholder:"DURATION"`
}

func (c ruleSetCmd) Run(e *env) error {
	return withApp(e, func(a *app) error {
		r, err := a.access.SetTakeover(e.ctx, c.ID, takeoverFlags{c.Takeover, c.TakeoverWindow}.takeover())
		if err != nil {
			return err
		}
		return printRule(e, a, r)
	})
}

type ruleEnableCmd struct {
	ID int64 `arg:"" help:"Id of the rule."`
}

func (c ruleEnableCmd) Run(e *env) error { return e.switchRule(c.ID, true) }

type ruleDisableCmd struct {
	ID int64 `arg:"" help:"Id of the rule."`
}

func (c ruleDisableCmd) Run(e *env) error { return e.switchRule(c.ID, false) }

func (e *env) switchRule(id int64, on bool) error {
	return withApp(e, func(a *app) error {
		r, err := a.access.SetRuleEnabled(e.ctx, id, on)
		if err != nil {
			return err
		}
		return printRule(e, a, r)
	})
}

type ruleDeleteCmd struct {
	ID int64 `arg:"" help:"Id of the rule."`
}

func (c ruleDeleteCmd) Run(e *env) error {
	return withApp(e, func(a *app) error {
		if err := a.access.DeleteRule(e.ctx, c.ID); err != nil {
			return err
		}
		return e.done(gone{}, "rule %d is deleted", c.ID)
	})
}

type ruleKeyCmd struct {
	Add    keyAddCmd    `cmd:"" help:"Add a key, in state next unless --activate."`
	Set    keySetCmd    `cmd:"" help:"Move a key: next, active, retiring or revoked."`
	Revoke keyRevokeCmd `cmd:"" help:"Revoke a key; its URLs are refused at once."`
}

type keyAddCmd struct {
	Rule     int64 `arg:"" help:"Rule id."`
	Activate bool  `help:"Sign with it at once; the active key retires."`
	KeyStdin bool  `help:"Read the key from standard input instead of making a random one."`
}

func (c keyAddCmd) Run(e *env) error {
	secret, err := e.keyFromStdin(c.KeyStdin)
	if err != nil {
		return err
	}
	return withApp(e, func(a *app) error {
		k, err := a.access.AddKey(e.ctx, c.Rule, secret, c.Activate)
		if err != nil {
			return err
		}
		return e.print(stagedoor.ToRuleKey(a.access, access.Rule{ID: c.Rule}, k), "KEY STATE", [][]string{{k.ID, string(k.State)}})
	})
}

type keySetCmd struct {
	Rule  int64  `arg:"" help:"Rule id."`
	Key   string `arg:"" help:"Key id."`
	State string `arg:"" help:"next, active, retiring or revoked." enum:"next,active,retiring,revoked"`
}

func (c keySetCmd) Run(e *env) error {
	return e.moveKey(c.Rule, c.Key, access.KeyState(c.State))
}

func (e *env) moveKey(rule int64, key string, state access.KeyState) error {
	return withApp(e, func(a *app) error {
		if err := a.access.SetKeyState(e.ctx, rule, key, state); err != nil {
			return err
		}
		r, err := a.access.Rule(e.ctx, rule)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(r.Keys, func(k access.Key) bool { return k.ID == key })
		if i < 0 {
			return errs.New(errs.NotFound, "key_not_found", "the key has been deleted meanwhile")
		}
		k := stagedoor.ToRuleKey(a.access, r, r.Keys[i])
		return e.done(k, "key %s of rule %d is %s", key, rule, k.State)
	})
}

type keyRevokeCmd struct {
	Rule int64  `arg:"" help:"Rule id."`
	Key  string `arg:"" help:"Key id."`
}

func (c keyRevokeCmd) Run(e *env) error {
	return e.moveKey(c.Rule, c.Key, access.KeyRevoked)
}
