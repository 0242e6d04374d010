package ipchub

import (
	"context"

	gen "github.com/stagedoor-live/stagedoor/gen/ipchub"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/route"
)

// IpchubListRoutes lists pull routes.
func (s *Server) IpchubListRoutes(ctx context.Context, req gen.IpchubListRoutesRequestObject) (gen.IpchubListRoutesResponseObject, error) {
	p, err := pageOf(req.Params.PageSize, req.Params.PageToken)
	if err != nil {
		return nil, err
	}
	total, err := s.Routes.Count(ctx)
	if err != nil {
		return nil, err
	}
	found, err := collect(p, patternOf, func(after string, limit int) ([]route.Route, error) { return s.Routes.List(ctx, after, limit) })
	if err != nil {
		return nil, err
	}
	out := gen.IpchubListRoutes200JSONResponse{Total: total, NextPageToken: next(found, patternOf, p.after)}
	for _, r := range found {
		out.Routes = append(out.Routes, toRoute(r))
	}
	return out, nil
}

// IpchubGetRoute shows a pull route.
func (s *Server) IpchubGetRoute(ctx context.Context, req gen.IpchubGetRouteRequestObject) (gen.IpchubGetRouteResponseObject, error) {
	r, err := s.Routes.Get(ctx, req.Pattern)
	if err != nil {
		return nil, err
	}
	return gen.IpchubGetRoute200JSONResponse(toRoute(r)), nil
}

// IpchubSaveRoute creates or replaces a pull route.
func (s *Server) IpchubSaveRoute(ctx context.Context, req gen.IpchubSaveRouteRequestObject) (gen.IpchubSaveRouteResponseObject, error) {
	if _, err := s.Routes.Save(ctx, route.Route{Pattern: req.Body.Pattern, URL: req.Body.URL, KeepAlive: req.Body.Keepalive}); err != nil {
		return nil, err
	}
	return gen.IpchubSaveRoute200Response{}, nil
}

// IpchubDeleteRoute deletes a pull route, if there is one.
func (s *Server) IpchubDeleteRoute(ctx context.Context, req gen.IpchubDeleteRouteRequestObject) (gen.IpchubDeleteRouteResponseObject, error) {
	if err := s.Routes.Delete(ctx, req.Pattern); err != nil && errs.KindOf(err) != errs.NotFound {
		return nil, err
	}
	return gen.IpchubDeleteRoute200Response{}, nil
}

func patternOf(r route.Route) string { return r.Pattern }

func toRoute(r route.Route) gen.IpchubRoute {
	return gen.IpchubRoute{Pattern: r.Pattern, URL: r.URL, Keepalive: r.KeepAlive}
}
