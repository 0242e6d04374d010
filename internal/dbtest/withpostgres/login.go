package main

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// easeLogin stores the password of the server's owner hashed once, where
// PostgreSQL hashes it 4096 times. Under the race detector those cost each
// connection 15 ms of a processor, and the tests make thousands.
func easeLogin(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	verifier, err := scramVerifier(conn.Config().Password)
	if err != nil {
		return err
	}
	// A utility statement takes no parameters; neither text has a quote in it.
	_, err = conn.Exec(ctx, fmt.Sprintf(`ALTER ROLE "%s" PASSWORD '%s'`, conn.Config().User, verifier))
	return err
}

// scramVerifier is what PostgreSQL stores of a password (RFC 5803). Who reads it
// could guess the password soon, but only the server of a test has it.
func scramVerifier(password string) (string, error) {
	const iterations = 1
	salt := []byte("of one test only")
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return "", err
	}
	stored := sha256.Sum256(sign(salted, "Client Key"))
	text := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, text(salt), text(stored[:]), text(sign(salted, "Server Key"))), nil
}

func sign(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
