-- Grants: the single-use secrets with which a tab that dropped out comes back. Only hashes are kept. A session has at most
-- one that was not used; of those that were, the newest few stay, so that a used one can be told from a forged one.

CREATE TABLE session_grant (
    grant_hash   BLOB    PRIMARY KEY NOT NULL CHECK (length(grant_hash) = 32),
    session_id   TEXT    NOT NULL REFERENCES session (session_id),
    issued_at_us INTEGER NOT NULL,
    -- When somebody came back with it, or when a newer one took its place.
    used_at_us   INTEGER
) STRICT;
CREATE UNIQUE INDEX session_grant_good ON session_grant (session_id) WHERE used_at_us IS NULL;
CREATE INDEX session_grant_session ON session_grant (session_id);
