-- The life of apps and of accounts.

-- Calls that an operator's `app enable` or `app disable` made, in their order; written before
-- their first byte leaves, as steps are.
CREATE TABLE hook_calls (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  app        TEXT    NOT NULL,
  hook       TEXT    NOT NULL,
  call       TEXT    NOT NULL,
  attempt    INTEGER NOT NULL,
  method     TEXT    NOT NULL,
  target     TEXT    NOT NULL,
  request    TEXT,
  state      TEXT    NOT NULL CHECK (state IN ('sending', 'answered', 'not_sent', 'in_doubt')),
  status     INTEGER,
  outcome    TEXT,
  words      TEXT,
  answer     TEXT,
  started_at INTEGER NOT NULL,
  ended_at   INTEGER
) STRICT;

CREATE INDEX hook_calls_of ON hook_calls (app, id);
CREATE INDEX hook_calls_sending ON hook_calls (id) WHERE state = 'sending';

-- Accounts that another one took the place of, and that must still be removed.
CREATE TABLE former_accounts (
  app         TEXT    NOT NULL,
  kind        TEXT    NOT NULL,
  app_key     TEXT    NOT NULL,
  app_id      TEXT    NOT NULL,
  resource_id TEXT    NOT NULL REFERENCES resources (id) ON DELETE CASCADE,
  change      INTEGER NOT NULL,
  since       INTEGER NOT NULL,
  PRIMARY KEY (app, kind, app_key)
) STRICT, WITHOUT ROWID;

CREATE INDEX former_accounts_of ON former_accounts (resource_id);
