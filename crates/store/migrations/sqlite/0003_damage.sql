-- Journal entries that could not be read, with their bytes as they were found. In their place the journal has an entry of
-- kind `set_aside`, so that no number is missing and none is used twice.

CREATE TABLE damaged_entry (
    session_id  TEXT    NOT NULL REFERENCES session (session_id),
    seq         INTEGER NOT NULL,
    at_us       INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    body        BLOB    NOT NULL,
    found_at_us INTEGER NOT NULL,
    PRIMARY KEY (session_id, seq)
) STRICT, WITHOUT ROWID;
