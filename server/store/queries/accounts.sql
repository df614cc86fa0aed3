-- name: insert_account^
INSERT INTO accounts (email, password_hash, is_admin)
VALUES (:email, :password_hash, :is_admin)
RETURNING id, email, is_admin, created_at;

-- name: count_accounts$
SELECT count(*) FROM accounts;

-- name: find_account_by_email^
SELECT id, email, is_admin, created_at, password_hash FROM accounts WHERE email = :email;

-- name: set_password!
UPDATE accounts SET password_hash = :password_hash WHERE id = :account_id;

-- name: insert_token^
INSERT INTO tokens (account_id, name, digest, expires_at)
VALUES (:account_id, :name, :digest, :expires_at)
RETURNING id, account_id, name, created_at, expires_at, last_used_at;

-- name: find_account_by_token^
SELECT a.id, a.email, a.is_admin, a.created_at, t.id AS token_id, t.last_used_at
FROM tokens t JOIN accounts a ON a.id = t.account_id
WHERE t.digest = :digest AND (t.expires_at IS NULL OR t.expires_at > now());

-- name: touch_token!
UPDATE tokens SET last_used_at = now() WHERE id = :token_id;

-- name: list_tokens
SELECT id, account_id, name, created_at, expires_at, last_used_at
FROM tokens WHERE account_id = :account_id ORDER BY id;

-- name: delete_token!
DELETE FROM tokens WHERE account_id = :account_id AND id = :token_id;

-- name: list_accounts
SELECT id, email, is_admin, created_at FROM accounts ORDER BY email;
