-- The whole first schema: accounts, apps, what was built and released, and the records.

CREATE TABLE accounts (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email         text NOT NULL UNIQUE,
    password_hash text NOT NULL,
    is_admin      boolean NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE tokens (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id   bigint NOT NULL REFERENCES accounts ON DELETE CASCADE,
    name         text NOT NULL,
    digest       bytea NOT NULL UNIQUE,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    last_used_at timestamptz
);
CREATE INDEX tokens_account ON tokens (account_id);

CREATE TABLE apps (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    owner_id   bigint NOT NULL REFERENCES accounts,
    release_id bigint,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX apps_owner ON apps (owner_id);

CREATE TABLE config_variables (
    app_id    bigint NOT NULL REFERENCES apps ON DELETE CASCADE,
    name      text NOT NULL,
    value     text NOT NULL,
    is_secret boolean NOT NULL DEFAULT false,
    PRIMARY KEY (app_id, name)
);

CREATE TABLE formations (
    app_id   bigint NOT NULL REFERENCES apps ON DELETE CASCADE,
    process  text NOT NULL,
    quantity integer NOT NULL CHECK (quantity >= 0),
    PRIMARY KEY (app_id, process)
);

CREATE TABLE images (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    app_id          bigint NOT NULL REFERENCES apps ON DELETE CASCADE,
    reference       text NOT NULL,
    commit          text NOT NULL,
    processes       jsonb NOT NULL,
    release_command text,
    python_version  text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (app_id, reference)
);

CREATE TABLE releases (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    app_id      bigint NOT NULL REFERENCES apps ON DELETE CASCADE,
    version     integer NOT NULL,
    image_id    bigint NOT NULL REFERENCES images,
    config      jsonb NOT NULL,
    description text NOT NULL,
    state       text NOT NULL CHECK (state IN ('pending', 'live', 'superseded', 'failed')),
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (app_id, version)
);
-- At most one release of an app is live.
CREATE UNIQUE INDEX releases_live ON releases (app_id) WHERE state = 'live';

ALTER TABLE apps ADD FOREIGN KEY (release_id) REFERENCES releases;

CREATE TABLE deploys (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    app_id     bigint NOT NULL REFERENCES apps ON DELETE CASCADE,
    kind       text NOT NULL CHECK (kind IN ('push', 'config', 'scale', 'restart', 'rollback')),
    state      text NOT NULL CHECK (state IN ('queued', 'running', 'succeeded', 'failed')),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    ended_at   timestamptz,
    release_id bigint REFERENCES releases ON DELETE SET NULL,
    branch     text,
    old_commit text,
    new_commit text,
    error      jsonb,
    timings    jsonb,
    output     text NOT NULL DEFAULT ''
);
CREATE INDEX deploys_app ON deploys (app_id, id);
CREATE INDEX deploys_unended ON deploys (id) WHERE state IN ('queued', 'running');

-- A record's time never changes, so (timestamp, uuid) is the same pair at each delivery: that is
-- what makes a second delivery harmless although the key must hold the partition's column.
CREATE TABLE records (
    timestamp      timestamptz NOT NULL,
    uuid           uuid NOT NULL,
    app            text NOT NULL,
    process        text NOT NULL,
    replica        text NOT NULL,
    release        integer,
    worker         text,
    level          text NOT NULL,
    url            text,
    status         smallint,
    message        text NOT NULL,
    cpu_percent    real,
    disk_percent   real,
    swap_percent   real,
    memory_percent real,
    method         text,
    route          text,
    duration_ms    real,
    queue_ms       real,
    request_id     text,
    PRIMARY KEY (timestamp, uuid)
) PARTITION BY RANGE (timestamp);
CREATE INDEX records_app ON records (app, timestamp DESC, uuid DESC);
-- Whatever no day's partition takes: clocks that are far off.
CREATE TABLE records_default PARTITION OF records DEFAULT;
