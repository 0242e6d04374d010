// Package sdktest drives the volcengine dialect with the vendor's own SDKs
// against the built program. It holds tests only, and is a module of its own so
// that the SDKs and what they need stay out of the product's go.mod.
package sdktest
