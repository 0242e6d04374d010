-- name: AccountInsert :one
INSERT INTO accounts (username, email, full_name, password_hash, admin, permission_level, push_rights, pull_rights,
    tokens_not_before, created_at, updated_at)
VALUES (@username, @email, @full_name, @password_hash, @admin, @permission_level,
    CASE WHEN @admin AND @push_rights::text = '' THEN '*' ELSE @push_rights::text END,
    CASE WHEN @admin AND @pull_rights::text = '' THEN '*' ELSE @pull_rights::text END,
    @now, @now, @now)
RETURNING *;

-- Usernames are ASCII, so lower() here and strings.ToLower in Go agree under
-- every collation.
-- name: AccountByUsername :one
SELECT * FROM accounts WHERE lower(username) = lower(@username);

-- name: AccountsByUsernames :many
SELECT * FROM accounts WHERE lower(username) = ANY(@lower_usernames::text[]);

-- name: AccountStandings :many
SELECT username, (disabled_at IS NOT NULL)::boolean AS disabled FROM accounts WHERE lower(username) = ANY(@lower_usernames::text[]);

-- name: AccountListAfter :many
SELECT * FROM accounts
WHERE lower(username) COLLATE "C" > lower(@after)
ORDER BY lower(username) COLLATE "C"
LIMIT @max_rows;

-- name: AccountByID :one
SELECT * FROM accounts WHERE id = @id;

-- name: AccountCount :one
SELECT count(*) FROM accounts;

-- name: AccountListAll :many
SELECT * FROM accounts;

-- Null leaves a column as it is. updated_at only ever grows: it is the version by
-- which memory tells a newer copy of the row from an older one. So does
-- tokens_not_before, which is why two changes in one microsecond still differ.
-- An administrator without a right has it all. Who ceases to be one loses what may
-- have been written for that alone, unless the same change says what stays.
-- name: AccountUpdate :one
UPDATE accounts SET
    email = coalesce(sqlc.narg(email), email),
    full_name = coalesce(sqlc.narg(full_name), full_name),
    password_hash = coalesce(sqlc.narg(password_hash), password_hash),
    admin = coalesce(sqlc.narg(admin), admin),
    permission_level = coalesce(sqlc.narg(permission_level), permission_level),
    push_rights = CASE
        WHEN coalesce(sqlc.narg(admin), admin) THEN coalesce(nullif(coalesce(sqlc.narg(push_rights), push_rights), ''), '*')
        WHEN admin AND push_rights = '*' THEN coalesce(sqlc.narg(push_rights), '')
        ELSE coalesce(sqlc.narg(push_rights), push_rights) END,
    pull_rights = CASE
        WHEN coalesce(sqlc.narg(admin), admin) THEN coalesce(nullif(coalesce(sqlc.narg(pull_rights), pull_rights), ''), '*')
        WHEN admin AND pull_rights = '*' THEN coalesce(sqlc.narg(pull_rights), '')
        ELSE coalesce(sqlc.narg(pull_rights), pull_rights) END,
    disabled_at = CASE coalesce(sqlc.narg(disabled)::boolean, disabled_at IS NOT NULL)
        WHEN true THEN coalesce(disabled_at, @now::timestamptz) END,
    tokens_not_before = CASE WHEN @void_tokens::boolean
        THEN greatest(@now::timestamptz, tokens_not_before + interval '1 microsecond')
        ELSE tokens_not_before END,
    updated_at = greatest(@now::timestamptz, updated_at + interval '1 microsecond')
WHERE lower(username) = lower(@username)
RETURNING *;

-- name: AccountDelete :one
DELETE FROM accounts WHERE lower(username) = lower(@username)
RETURNING *;

-- name: AccountAdminExists :one
SELECT EXISTS (SELECT FROM accounts WHERE admin AND disabled_at IS NULL);

-- In order of id, so that two callers cannot block each other.
-- name: AccountLockAdmins :many
SELECT id FROM accounts
WHERE admin AND disabled_at IS NULL
ORDER BY id
FOR UPDATE;

-- Lets one process at a time decide that there is no administrator yet.
-- name: AccountLockTable :exec
LOCK TABLE accounts IN SHARE ROW EXCLUSIVE MODE;

-- Two callers who add a key to an account do so one after the other.
-- name: AccountLock :one
SELECT * FROM accounts WHERE lower(username) = lower(@username)
FOR NO KEY UPDATE;
