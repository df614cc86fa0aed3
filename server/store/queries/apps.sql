-- name: insert_app^
INSERT INTO apps (name, owner_id) VALUES (:name, :owner_id)
RETURNING id, name, owner_id, release_id, created_at;

-- name: find_app^
SELECT id, name, owner_id, release_id, created_at FROM apps WHERE name = :name;

-- name: find_app_by_id^
SELECT id, name, owner_id, release_id, created_at FROM apps WHERE id = :app_id;

-- name: list_apps
SELECT id, name, owner_id, release_id, created_at FROM apps
WHERE :owner_id::bigint IS NULL OR owner_id = :owner_id::bigint ORDER BY name;

-- name: unlink_release!
UPDATE apps SET release_id = NULL WHERE id = :app_id;

-- name: delete_releases!
DELETE FROM releases WHERE app_id = :app_id;

-- name: delete_app!
DELETE FROM apps WHERE id = :app_id;

-- name: list_config
SELECT name, value, is_secret FROM config_variables WHERE app_id = :app_id ORDER BY name;

-- name: set_config!
INSERT INTO config_variables (app_id, name, value, is_secret)
VALUES (:app_id, :name, :value, :is_secret)
ON CONFLICT (app_id, name) DO UPDATE SET value = excluded.value, is_secret = excluded.is_secret;

-- name: unset_config!
DELETE FROM config_variables WHERE app_id = :app_id AND name = :name;

-- name: list_formation
SELECT process, quantity FROM formations WHERE app_id = :app_id ORDER BY process;

-- name: set_quantity!
INSERT INTO formations (app_id, process, quantity) VALUES (:app_id, :process, :quantity)
ON CONFLICT (app_id, process) DO UPDATE SET quantity = excluded.quantity;
