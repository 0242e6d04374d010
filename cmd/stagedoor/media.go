package main

import (
	"net/http"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/nginx"
	"github.com/stagedoor-live/stagedoor/internal/media/nginxrtmp"
	"github.com/stagedoor-live/stagedoor/internal/media/srs"
	"github.com/stagedoor-live/stagedoor/internal/node"
)

// controls are the kinds of media server that we know more of than their
// callbacks.
func controls(client *http.Client) media.Controls {
	ofSRS, ofNginxRTMP := srs.Client{HTTP: client}, nginxrtmp.Client{HTTP: client}
	return media.Controls{
		node.KindSRS:       {Lister: ofSRS, Kicker: ofSRS, Lines: srs.Lines},
		node.KindNginx:     {Lines: nginx.Lines},
		node.KindNginxRTMP: {Lister: ofNginxRTMP, Kicker: ofNginxRTMP, Lines: nginxrtmp.Lines},
	}
}

// configLines are what a node's operator pastes. Where the kind is not known
// they are those of the two servers that most people run.
func configLines(kind string, s media.Setup) string {
	if lines := controls(nil)[kind].Lines; lines != nil {
		return lines(s)
	}
	return "# nginx-rtmp, in the application:\n" + nginxrtmp.Lines(s) + "\n# SRS, in the vhost:\n" + srs.Lines(s)
}
