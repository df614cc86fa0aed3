-- name: insert_deploy^
INSERT INTO deploys (app_id, kind, state, created_by, branch, old_commit, new_commit)
VALUES (:app_id, :kind, 'queued', :created_by, :branch, :old_commit, :new_commit)
RETURNING id, app_id, kind, state, created_by, created_at, started_at, ended_at, release_id,
          branch, old_commit, new_commit, error, timings, output;

-- name: find_deploy^
SELECT id, app_id, kind, state, created_by, created_at, started_at, ended_at, release_id,
       branch, old_commit, new_commit, error, timings, output
FROM deploys WHERE app_id = :app_id AND id = :deploy_id;

-- name: list_unended_deploys
SELECT id, app_id, kind, state, created_by, created_at, started_at, ended_at, release_id,
       branch, old_commit, new_commit, error, timings, output
FROM deploys WHERE state IN ('queued', 'running') ORDER BY id;

-- name: find_running_deploy^
SELECT id, app_id, kind, state, created_by, created_at, started_at, ended_at, release_id,
       branch, old_commit, new_commit, error, timings, output
FROM deploys WHERE app_id = :app_id AND state = 'running' ORDER BY id DESC LIMIT 1;

-- name: start_deploy!
UPDATE deploys SET state = 'running', started_at = now() WHERE id = :deploy_id;

-- name: attach_release!
UPDATE deploys SET release_id = :release_id WHERE id = :deploy_id;

-- name: end_deploy!
UPDATE deploys
SET state = :state, ended_at = now(), error = :error, timings = :timings, output = :output
WHERE id = :deploy_id AND state IN ('queued', 'running');

-- name: last_pushed_commit$
-- Where the deploy branch stands when nothing has gone wrong: the last push that went through.
SELECT new_commit FROM deploys
WHERE app_id = :app_id AND kind = 'push' AND state = 'succeeded' AND branch = :branch
ORDER BY id DESC LIMIT 1;
