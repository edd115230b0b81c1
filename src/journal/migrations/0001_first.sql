-- The first schema of the journal.
--
-- Times are milliseconds since 1970 (UTC). JSON stands as text and is never looked into here.
-- Wide tables keep their rowid, narrow ones do without (a wide table WITHOUT ROWID takes
-- more than twice the room). Within a major version this schema is only added to.

-- Counters of the journal itself.
CREATE TABLE meta (
  key   TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row per app that this journal has served. `origin` is what its links belong to, `card`
-- what commands must know of it while no server runs (JSON).
CREATE TABLE apps (
  app     TEXT    NOT NULL PRIMARY KEY,
  origin  TEXT,
  card    TEXT,
  enabled INTEGER NOT NULL DEFAULT 1
) STRICT, WITHOUT ROWID;

-- The texts of mapping files that changes were accepted under.
CREATE TABLE mappings (
  digest TEXT NOT NULL PRIMARY KEY,
  app    TEXT NOT NULL,
  text   TEXT NOT NULL
) STRICT;

-- Users and groups as the identity provider knows them. A deleted one stays as a tombstone.
CREATE TABLE resources (
  row          INTEGER PRIMARY KEY,
  id           TEXT    NOT NULL UNIQUE,
  app          TEXT    NOT NULL,
  kind         TEXT    NOT NULL,
  natural_key  TEXT,
  external_id  TEXT,
  display_name TEXT,
  email        TEXT,
  active       INTEGER,
  desired      TEXT,
  actual       TEXT,
  actual_at    INTEGER,
  written      INTEGER NOT NULL DEFAULT 0,
  version      INTEGER NOT NULL DEFAULT 1,
  created_at   INTEGER NOT NULL,
  modified_at  INTEGER NOT NULL,
  deleted_at   INTEGER
) STRICT;

CREATE UNIQUE INDEX resources_natural ON resources (app, kind, natural_key)
  WHERE natural_key IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX resources_buried ON resources (app, kind, natural_key)
  WHERE natural_key IS NOT NULL AND deleted_at IS NOT NULL;
CREATE INDEX resources_external ON resources (app, kind, external_id)
  WHERE external_id IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX resources_display ON resources (app, kind, display_name)
  WHERE display_name IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX resources_email ON resources (app, kind, email)
  WHERE email IS NOT NULL AND deleted_at IS NULL;
-- Lists walk this narrow index, not the wide table.
CREATE INDEX resources_live ON resources (app, kind, id) WHERE deleted_at IS NULL;

-- SCIM id <-> the app's id. `app_id` keeps the JSON type the app gave, `app_key` is its text.
CREATE TABLE links (
  resource_id TEXT NOT NULL PRIMARY KEY REFERENCES resources (id) ON DELETE CASCADE,
  app         TEXT NOT NULL,
  kind        TEXT NOT NULL,
  app_id      TEXT NOT NULL,
  app_key     TEXT NOT NULL,
  UNIQUE (app, kind, app_key)
) STRICT, WITHOUT ROWID;

-- Every acknowledged write. `seq` is the order of acknowledgement and is never given twice.
-- `answered` is the HTTP status that was written to the client, 0 when none was.
CREATE TABLE changes (
  seq            INTEGER PRIMARY KEY AUTOINCREMENT,
  app            TEXT    NOT NULL,
  kind           TEXT    NOT NULL,
  resource_id    TEXT    NOT NULL,
  subject        TEXT,
  verb           TEXT    NOT NULL,
  state          TEXT    NOT NULL,
  reason         TEXT,
  superseded_by  INTEGER,
  late           INTEGER,
  asserted       TEXT    NOT NULL,
  desired        TEXT,
  request        TEXT,
  fingerprint    BLOB    NOT NULL,
  actor          TEXT    NOT NULL,
  ends_access    INTEGER NOT NULL,
  milestone      INTEGER NOT NULL,
  accepted_at    INTEGER NOT NULL,
  ended_at       INTEGER,
  answered       INTEGER NOT NULL DEFAULT 0,
  error          TEXT,
  internal       TEXT,
  warning        TEXT,
  mapping_digest TEXT    NOT NULL,
  attempts       INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX changes_of ON changes (resource_id, ended_at, seq);
CREATE INDEX changes_state ON changes (app, state, seq);
CREATE INDEX changes_twin ON changes (app, fingerprint) WHERE ended_at IS NULL;
CREATE INDEX changes_open ON changes (app, state, accepted_at, ended_at) WHERE ended_at IS NULL;

-- Sealed values (a password) of changes that have not ended.
CREATE TABLE secrets (
  change INTEGER NOT NULL REFERENCES changes (seq) ON DELETE CASCADE,
  name   TEXT    NOT NULL,
  sealed BLOB    NOT NULL,
  PRIMARY KEY (change, name)
) STRICT, WITHOUT ROWID;

-- One row per exchange with the app, written before its first byte leaves (reads: after).
CREATE TABLE steps (
  id             INTEGER PRIMARY KEY,
  change         INTEGER NOT NULL REFERENCES changes (seq) ON DELETE CASCADE,
  resource_id    TEXT    NOT NULL,
  call           TEXT    NOT NULL,
  attempt        INTEGER NOT NULL,
  class          TEXT    NOT NULL,
  in_doubt_rule  TEXT,
  method         TEXT    NOT NULL,
  target         TEXT    NOT NULL,
  request_digest BLOB,
  request        TEXT,
  state          TEXT    NOT NULL CHECK (state IN ('sending', 'answered', 'not_sent', 'in_doubt')),
  status         INTEGER,
  outcome        TEXT,
  words          TEXT,
  answer         TEXT,
  saved          TEXT,
  started_at     INTEGER NOT NULL,
  ended_at       INTEGER,
  resolved_at    INTEGER,
  boot           INTEGER NOT NULL
) STRICT;

CREATE INDEX steps_of ON steps (change);
CREATE INDEX steps_sending ON steps (id) WHERE state = 'sending';
-- Doubt belongs to the resource: a late call can still land after its change ended.
CREATE INDEX steps_doubt ON steps (resource_id)
  WHERE state = 'in_doubt' AND resolved_at IS NULL;

-- The further changes that one step carried (folded into the same calls).
CREATE TABLE step_changes (
  step   INTEGER NOT NULL REFERENCES steps (id) ON DELETE CASCADE,
  change INTEGER NOT NULL REFERENCES changes (seq) ON DELETE CASCADE,
  PRIMARY KEY (step, change)
) STRICT, WITHOUT ROWID;
CREATE INDEX step_changes_of ON step_changes (change, step);

-- One row per resource with something to do. `woken` collects what happened while it was busy:
-- 1 a new change, 2 something it may depend on, 4 a change that ends access.
CREATE TABLE lanes (
  resource_id TEXT    NOT NULL PRIMARY KEY REFERENCES resources (id) ON DELETE CASCADE,
  app         TEXT    NOT NULL,
  kind        TEXT    NOT NULL,
  prio        INTEGER NOT NULL,
  due_at      INTEGER NOT NULL,
  state       TEXT    NOT NULL CHECK (state IN ('ready', 'busy', 'waiting', 'parked')),
  reason      TEXT,
  attempts    INTEGER NOT NULL DEFAULT 0,
  woken       INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Picking reads the front of this index only, however many lanes wait behind it.
CREATE INDEX lanes_pick ON lanes (app, prio, due_at) WHERE state IN ('ready', 'waiting');

-- Membership, one row per period. `applied`: 0 the app does not have it, 1 it has,
-- 2 it had (removed again), 3 unknown: a call about it was under way when the wish changed.
-- `since_change` 0: seen in the app, no change asked for it.
CREATE TABLE members (
  group_id     TEXT    NOT NULL REFERENCES resources (id) ON DELETE CASCADE,
  user_id      TEXT    NOT NULL REFERENCES resources (id) ON DELETE CASCADE,
  period       INTEGER NOT NULL,
  since_change INTEGER NOT NULL,
  until_change INTEGER,
  applied      INTEGER NOT NULL CHECK (applied BETWEEN 0 AND 3),
  refused      INTEGER NOT NULL DEFAULT 0,
  note         TEXT,
  added_at     INTEGER,
  removed_at   INTEGER,
  -- The row that the next wish about this pair changes.
  current      INTEGER GENERATED ALWAYS AS (until_change IS NULL OR applied IN (1, 3)) VIRTUAL,
  -- A call must still be made.
  pending      INTEGER GENERATED ALWAYS AS (
                 refused = 0 AND ((until_change IS NULL AND applied IN (0, 3))
                               OR (until_change IS NOT NULL AND applied IN (1, 3)))) VIRTUAL,
  -- A reader of the group sees it: wished for, unless the app refused to add it;
  -- or no longer wished for, but the app refused to remove it.
  shown        INTEGER GENERATED ALWAYS AS (
                 (until_change IS NULL AND NOT (refused = 1 AND applied <> 1))
                 OR (until_change IS NOT NULL AND refused = 1 AND applied = 1)) VIRTUAL,
  PRIMARY KEY (group_id, user_id, period)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX members_current ON members (group_id, user_id) WHERE current = 1;
CREATE INDEX members_of_user ON members (user_id, group_id) WHERE current = 1;
CREATE INDEX members_pending ON members (group_id, user_id) WHERE pending = 1;
CREATE INDEX members_awaited ON members (user_id) WHERE pending = 1;
CREATE INDEX members_refused ON members (group_id) WHERE refused = 1;

-- What an applied change left the account as; valid until the next row.
CREATE TABLE account_history (
  id          INTEGER PRIMARY KEY,
  change      INTEGER NOT NULL,
  resource_id TEXT    NOT NULL,
  app         TEXT    NOT NULL,
  at          INTEGER NOT NULL,
  until       INTEGER,
  active      INTEGER,
  roles       TEXT,
  link        TEXT
) STRICT;

CREATE INDEX account_history_of ON account_history (resource_id, at);
CREATE UNIQUE INDEX account_history_now ON account_history (resource_id) WHERE until IS NULL;

-- Credentials of SCIM clients, as hashes.
CREATE TABLE tokens (
  id            TEXT    NOT NULL PRIMARY KEY,
  app           TEXT    NOT NULL,
  label         TEXT    NOT NULL,
  kind          TEXT    NOT NULL,
  user          TEXT,
  hash          BLOB    NOT NULL,
  hash_kind     TEXT    NOT NULL,
  created_at    INTEGER NOT NULL,
  expires_at    INTEGER,
  revoked_at    INTEGER,
  last_used_at  INTEGER,
  replaced_by   TEXT,
  overlap_until INTEGER
) STRICT;

CREATE INDEX tokens_of ON tokens (app, created_at);
CREATE INDEX tokens_hash ON tokens (app, hash);

-- Lists that a client pages through: ids in a fixed order. `total` is null until complete.
CREATE TABLE snapshots (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  token      TEXT    NOT NULL,
  app        TEXT    NOT NULL,
  kind       TEXT    NOT NULL,
  filter     TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  used_at    INTEGER NOT NULL,
  total      INTEGER
) STRICT;

CREATE INDEX snapshots_of ON snapshots (token, app, kind, filter, id);
CREATE INDEX snapshots_used ON snapshots (used_at);

CREATE TABLE snapshot_rows (
  snapshot    INTEGER NOT NULL REFERENCES snapshots (id) ON DELETE CASCADE,
  pos         INTEGER NOT NULL,
  resource_id TEXT    NOT NULL,
  PRIMARY KEY (snapshot, pos)
) STRICT, WITHOUT ROWID;
