-- What was last applied to fields that the app never shows: keyed hashes by field (JSON), from
-- which no value can be told. Without them every request that carries such a field would write.
CREATE TABLE unread (
  resource_id TEXT NOT NULL PRIMARY KEY REFERENCES resources (id) ON DELETE CASCADE,
  hashes      TEXT NOT NULL
) STRICT, WITHOUT ROWID;
