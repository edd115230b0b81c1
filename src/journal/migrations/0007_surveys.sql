-- Surveys: walks over all that an app has, compared with what is remembered of it (import) and
-- with what is wanted there (reconcile).

-- What of a resource identity providers spoke about in changes that were applied (JSON). Nothing
-- else can drift: the rest is the app's own.
ALTER TABLE resources ADD COLUMN asserted TEXT;

-- A membership that the app had before anybody asked for it, and that a change asked for then.
ALTER TABLE members ADD COLUMN asked INTEGER;
-- Memberships that somebody ended in the app, past the bridge.
CREATE INDEX members_by_hand ON members (group_id, user_id) WHERE until_change = 0;

-- `counts` and `words` say what came of it; `ended_at` is null while it runs, and after a crash.
CREATE TABLE surveys (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  app      TEXT    NOT NULL,
  kind     TEXT    NOT NULL CHECK (kind IN ('import', 'reconcile')),
  by       TEXT    NOT NULL,
  state    TEXT    NOT NULL CHECK (state IN ('running', 'done', 'failed')),
  counts   TEXT    NOT NULL,
  words    TEXT,
  began_at INTEGER NOT NULL,
  ended_at INTEGER
) STRICT;

CREATE INDEX surveys_of ON surveys (app, id);

-- Who was met; dropped when the survey ends.
CREATE TABLE survey_seen (
  survey      INTEGER NOT NULL REFERENCES surveys (id) ON DELETE CASCADE,
  resource_id TEXT    NOT NULL,
  PRIMARY KEY (survey, resource_id)
) STRICT, WITHOUT ROWID;

-- What was found, in the order of the walk. `change` is the one that repairs it.
CREATE TABLE findings (
  survey      INTEGER NOT NULL REFERENCES surveys (id) ON DELETE CASCADE,
  pos         INTEGER NOT NULL,
  resource_id TEXT,
  body        TEXT    NOT NULL,
  change      INTEGER,
  PRIMARY KEY (survey, pos)
) STRICT;
