-- How often, and since when, a lane fails while others work for the same app; and when to look
-- whether a create that was sent a second time made two accounts.
ALTER TABLE lanes ADD COLUMN charged INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lanes ADD COLUMN failing_since INTEGER;
ALTER TABLE lanes ADD COLUMN look_at INTEGER;
