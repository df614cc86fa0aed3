-- name: insert_image^
INSERT INTO images (app_id, reference, commit, processes, release_command, python_version)
VALUES (:app_id, :reference, :commit, :processes, :release_command, :python_version)
ON CONFLICT (app_id, reference) DO UPDATE SET commit = excluded.commit
RETURNING id, app_id, reference, commit, processes, release_command, python_version, created_at;

-- name: find_image^
SELECT id, app_id, reference, commit, processes, release_command, python_version, created_at
FROM images WHERE id = :image_id;

-- name: list_kept_images
-- The references of an app's images that a rollback or a restart may still need.
SELECT reference FROM (
    SELECT i.reference, max(r.version) AS latest, bool_or(r.state IN ('pending', 'live')) AS in_use
    FROM images i JOIN releases r ON r.image_id = i.id
    WHERE i.app_id = :app_id AND (r.state <> 'failed')
    GROUP BY i.reference
    ORDER BY in_use DESC, latest DESC LIMIT :keep
) AS kept;

-- name: next_version$
SELECT coalesce(max(version), 0) + 1 FROM releases WHERE app_id = :app_id;

-- name: insert_release^
INSERT INTO releases (app_id, version, image_id, config, description, state, created_by)
SELECT :app_id, coalesce(max(version), 0) + 1, :image_id, :config, :description, 'pending',
       :created_by
FROM releases WHERE app_id = :app_id
RETURNING id, app_id, version, image_id, config, description, state, created_by, created_at;

-- name: find_release^
SELECT id, app_id, version, image_id, config, description, state, created_by, created_at
FROM releases WHERE app_id = :app_id AND version = :version;

-- name: find_release_by_id^
SELECT id, app_id, version, image_id, config, description, state, created_by, created_at
FROM releases WHERE id = :release_id;

-- name: find_rollback_target^
-- The latest release before the live one that has ever served.
SELECT id, app_id, version, image_id, config, description, state, created_by, created_at
FROM releases
WHERE app_id = :app_id AND state = 'superseded' AND version < :version
ORDER BY version DESC LIMIT 1;

-- name: list_releases
SELECT r.id, r.app_id, r.version, r.image_id, r.config, r.description, r.state, r.created_by,
       r.created_at, i.commit
FROM releases r JOIN images i ON i.id = r.image_id
WHERE r.app_id = :app_id ORDER BY r.version DESC LIMIT :count;

-- name: supersede_live!
UPDATE releases SET state = 'superseded' WHERE app_id = :app_id AND state = 'live';

-- name: make_live!
UPDATE releases SET state = 'live' WHERE id = :release_id AND state = 'pending';

-- name: point_app_at!
UPDATE apps SET release_id = :release_id WHERE id = :app_id;

-- name: fail_release!
UPDATE releases SET state = 'failed' WHERE id = :release_id AND state = 'pending';
