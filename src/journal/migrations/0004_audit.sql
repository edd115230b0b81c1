-- The audit chain, and what retention needs.

-- One row per fact, in the transaction of what it tells of. `seq` has no gaps. `about` names the
-- row it speaks of (`change 17`, `call 17/5`, `token ab12`), `digest` is a keyed hash of that
-- row's columns that do not change any more, `hash` a keyed hash over the row before and this one.
-- The prefix that retention took away is one row `pruned-until` with the number and the hash of
-- the last row that it stands for.
CREATE TABLE audit (
  seq    INTEGER PRIMARY KEY,
  at     INTEGER NOT NULL,
  what   TEXT    NOT NULL,
  about  TEXT    NOT NULL,
  digest BLOB    NOT NULL,
  hash   BLOB    NOT NULL
) STRICT;

CREATE INDEX audit_about ON audit (about);

-- When the bodies of an ended change and of its calls were emptied.
ALTER TABLE changes ADD COLUMN erased_at INTEGER;
CREATE INDEX changes_bodies ON changes (ended_at) WHERE ended_at IS NOT NULL AND erased_at IS NULL;
CREATE INDEX changes_mapping ON changes (substr(mapping_digest, 1, 12));
CREATE INDEX hook_calls_bodies ON hook_calls (ended_at)
  WHERE request IS NOT NULL OR answer IS NOT NULL;

-- A change stays as long as a membership that it began lasts.
CREATE INDEX members_since ON members (since_change) WHERE current = 1;
CREATE INDEX members_ended ON members (removed_at) WHERE current = 0;
CREATE INDEX account_history_ended ON account_history (until) WHERE until IS NOT NULL;
