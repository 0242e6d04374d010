module github.com/stagedoor-live/stagedoor/internal/dialect/volcengine/sdktest

go 1.26.0

require (
	github.com/volcengine/volc-sdk-golang v1.0.253
	github.com/volcengine/volcengine-go-sdk v1.2.49
)

require (
	github.com/cenkalti/backoff/v4 v4.1.2 // indirect
	github.com/google/uuid v1.3.0 // indirect
	github.com/jmespath/go-jmespath v0.4.0 // indirect
	github.com/pkg/errors v0.9.1 // indirect
	golang.org/x/net v0.12.0 // indirect
	golang.org/x/text v0.11.0 // indirect
	google.golang.org/protobuf v1.31.0 // indirect
	gopkg.in/yaml.v2 v2.4.0 // indirect
)
