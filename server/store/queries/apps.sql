-- name: insert_app$
INSERT INTO apps (name, owner_id) VALUES (:name, :owner_id) RETURNING id;

-- name: find_app^
SELECT a.id, a.name, a.owner_id, a.release_id, a.created_at, o.email AS owner, r.version
FROM apps a JOIN accounts o ON o.id = a.owner_id LEFT JOIN releases r ON r.id = a.release_id
WHERE a.name = :name;

-- name: find_app_by_id^
SELECT a.id, a.name, a.owner_id, a.release_id, a.created_at, o.email AS owner, r.version
FROM apps a JOIN accounts o ON o.id = a.owner_id LEFT JOIN releases r ON r.id = a.release_id
WHERE a.id = :app_id;

-- name: list_apps
SELECT a.id, a.name, a.owner_id, a.release_id, a.created_at, o.email AS owner, r.version
FROM apps a JOIN accounts o ON o.id = a.owner_id LEFT JOIN releases r ON r.id = a.release_id
WHERE :owner_id::bigint IS NULL OR a.owner_id = :owner_id::bigint ORDER BY a.name;

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
