-- Restores: since when an older state of the journal is in use, and what waits for an operator
-- because of it.

CREATE TABLE restores (
  epoch       INTEGER NOT NULL PRIMARY KEY,
  at          INTEGER NOT NULL,
  how         TEXT    NOT NULL,
  -- The newest change of the copy, and the newest one that is known to have been acknowledged.
  last_change INTEGER NOT NULL,
  lost_to     INTEGER,
  -- Tokens were made or taken back after the copy: each must be confirmed.
  ask_tokens  INTEGER NOT NULL
) STRICT;

-- The apps that were there, and who accepted what was held of them.
CREATE TABLE restored_apps (
  epoch       INTEGER NOT NULL REFERENCES restores (epoch),
  app         TEXT    NOT NULL,
  accepted_at INTEGER,
  accepted_by TEXT,
  PRIMARY KEY (epoch, app)
) STRICT, WITHOUT ROWID;

-- Changes that had not ended in the copy and do not end access: not carried out before that.
CREATE TABLE held (
  change INTEGER NOT NULL PRIMARY KEY REFERENCES changes (seq) ON DELETE CASCADE,
  epoch  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Resources whose link was not seen to be right since.
CREATE TABLE unverified (
  resource_id TEXT NOT NULL PRIMARY KEY REFERENCES resources (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

ALTER TABLE tokens ADD COLUMN unconfirmed INTEGER NOT NULL DEFAULT 0;

-- `refused` 2 in `members`: an addition that is held as those changes are.
CREATE INDEX members_held ON members (group_id, user_id) WHERE refused = 2;
