-- Who had access when: what the rows of accounts and memberships lacked for that question.

-- A row of account_history is a state, and the next one begins when something differs. `change` 0:
-- seen in the app, no change asked for it. `since`, `since_change`: since when there is access (or
-- none), and what made it so. `found`: the account was there before the bridge knew it. `had`:
-- there was access before this row.
ALTER TABLE account_history ADD COLUMN since INTEGER;
ALTER TABLE account_history ADD COLUMN since_change INTEGER;
ALTER TABLE account_history ADD COLUMN found INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account_history ADD COLUMN had INTEGER NOT NULL DEFAULT 0;

-- Accounts that were only read so far.
INSERT INTO account_history (change, resource_id, app, at, active, link, since, since_change, found)
  SELECT 0, r.id, r.app, coalesce(r.actual_at, r.created_at), r.active, l.app_id,
         coalesce(r.actual_at, r.created_at), 0, 1
  FROM resources r JOIN links l ON l.resource_id = r.id
  WHERE r.kind = 'user' AND r.deleted_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM account_history h WHERE h.resource_id = r.id);

-- What remains of a change that retention took away, while a period of access names it.
CREATE TABLE past_changes (
  seq         INTEGER PRIMARY KEY,
  resource_id TEXT    NOT NULL,
  verb        TEXT    NOT NULL,
  actor       TEXT    NOT NULL,
  accepted_at INTEGER NOT NULL
) STRICT;

-- Memberships that were, by user, and by the changes that began and ended them. `until_change` -1:
-- ended with the account, or in between, and made again since.
CREATE INDEX members_past ON members (user_id) WHERE current = 0;
CREATE INDEX members_began ON members (since_change) WHERE current = 0;
CREATE INDEX members_until ON members (until_change) WHERE until_change > 0;
