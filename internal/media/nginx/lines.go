package nginx

import (
	"strings"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// Lines are for a server of nginx that serves HLS files. What stands behind a
// hash is for players that keep no cookies.
func Lines(s media.Setup) string {
	return strings.NewReplacer("CALLBACK", s.URL("/callback/nginx")).Replace(lines)
}

const lines = `# In the server:
location = /_stagedoor {
    internal;
    proxy_pass CALLBACK;
    proxy_pass_request_body off;
    proxy_pass_request_headers off;
    proxy_set_header Host $proxy_host;
    proxy_set_header Cookie $http_cookie;
    proxy_set_header Authorization $http_authorization;
    proxy_set_header X-Original-URI $request_uri;
    proxy_set_header X-Original-Host $host;
    proxy_set_header X-Original-Addr $remote_addr;
    proxy_set_header X-Original-Proto $scheme;
}
location ~ ^(?:/~[^/]+)?(?<stagedoor_path>/.+\.(?:m3u8|mpd|ts|m4s|mp4|m4a|m4v|aac|vtt|key|flv))$ {
    auth_request /_stagedoor;
    auth_request_set $stagedoor_cookie $upstream_http_set_cookie;
    auth_request_set $stagedoor_session $upstream_http_x_stagedoor_session;
    add_header Set-Cookie $stagedoor_cookie;
    add_header Cache-Control no-cache;
    # sub_filter_types application/vnd.apple.mpegurl;
    # sub_filter_once off;
    # sub_filter ".ts" ".ts?stagedoor_session=$stagedoor_session";
    try_files $stagedoor_path =404; # below root; or proxy_pass to a media server
}`
