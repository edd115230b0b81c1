-- Lists: who is in one already, and who is missing in it.
CREATE INDEX snapshot_rows_who ON snapshot_rows (snapshot, resource_id);

-- The name of a resource that another living one has as its natural key.
ALTER TABLE resources ADD COLUMN shared_key TEXT;
CREATE INDEX resources_shared ON resources (app, kind, shared_key)
  WHERE shared_key IS NOT NULL AND deleted_at IS NULL;
