-- SCIM ids that an operator says were given before this journal began, each for a record that was
-- not met yet; a row goes when its record is.
CREATE TABLE remembered_ids (
  id      TEXT    NOT NULL PRIMARY KEY,
  app     TEXT    NOT NULL,
  kind    TEXT    NOT NULL,
  -- `userName` or `displayName`, folded; the app's key. One of them is there.
  name    TEXT,
  app_key TEXT,
  at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX remembered_ids_name ON remembered_ids (app, kind, name)
  WHERE name IS NOT NULL;
CREATE UNIQUE INDEX remembered_ids_key ON remembered_ids (app, kind, app_key)
  WHERE app_key IS NOT NULL;
CREATE INDEX remembered_ids_at ON remembered_ids (at);

-- Another id moves the rows that name the old one; a resource that goes takes them along.
CREATE INDEX members_user ON members (user_id);
CREATE INDEX findings_of ON findings (resource_id) WHERE resource_id IS NOT NULL;
