-- How often, and since when, a lane fails while others work for the same app; and when to look
-- whether a create that was sent a second time made two accounts.
ALTER TABLE lanes ADD COLUMN charged INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lanes ADD COLUMN failing_since INTEGER;
ALTER TABLE lanes ADD COLUMN look_at INTEGER;
-- The name that the record had when a change was last applied to it: a record with another name may
-- be another person's.
ALTER TABLE links ADD COLUMN known_as TEXT;
