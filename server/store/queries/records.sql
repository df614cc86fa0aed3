-- name: find_records
-- The newest :count records that fit; every filter is off when it is NULL.
SELECT timestamp, level, url, status, message, cpu_percent, disk_percent, swap_percent,
       memory_percent, uuid::text, method, route, duration_ms, queue_ms, request_id,
       app, process, replica, release, worker
FROM records
WHERE app = :app
  AND (:since::timestamptz IS NULL OR timestamp >= :since::timestamptz)
  AND (:until::timestamptz IS NULL OR timestamp < :until::timestamptz)
  AND (:levels::text[] IS NULL OR level = ANY(:levels::text[]))
  AND (:process::text IS NULL OR process = :process::text OR replica = :process::text)
  AND (:pattern::text IS NULL OR message ILIKE :pattern::text)
ORDER BY timestamp DESC, uuid DESC
LIMIT :count;

-- name: list_partitions
SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'records'::regclass ORDER BY c.relname;
