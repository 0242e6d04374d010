package webhook

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/event"
)

// TypeTest is of an event that is sent to one endpoint because somebody asked for
// it. No filter keeps it out.
const TypeTest event.Type = "webhook.test"

// wanted are the types that a stored filter lets through. What a later version
// knows and this one does not, it lets through nothing of.
func wanted(filter []string) []event.Type {
	types, err := event.Expand(filter)
	if err == nil {
		return types
	}
	types = nil
	for _, pattern := range filter {
		known, _ := event.Expand([]string{pattern}) // none of an unknown one
		types = append(types, known...)
	}
	return types
}

func checkTypes(filter []string) error {
	if len(filter) > maxTypes {
		return errs.InvalidField("types", "types are at most 32")
	}
	_, err := event.Expand(filter)
	return err
}

// writeWants says which types somebody wants, for the transactions that make
// events. The caller holds the lock of the table.
func (s *Service) writeWants(ctx context.Context, tx pgx.Tx) error {
	endpoints, err := s.q.WebhookEndpointList(ctx, tx)
	if err != nil {
		return err
	}
	types := []string{}
	for _, e := range endpoints {
		if e.DisabledAt == nil {
			types = append(types, texts(wanted(e.Types))...)
		}
	}
	slices.Sort(types)
	types = slices.Compact(types)
	if err := s.q.EventWantsDelete(ctx, tx, types); err != nil {
		return err
	}
	return s.q.EventWantsInsert(ctx, tx, types)
}

func texts(types []event.Type) []string {
	out := make([]string, len(types))
	for i, t := range types {
		out[i] = string(t)
	}
	return out
}
