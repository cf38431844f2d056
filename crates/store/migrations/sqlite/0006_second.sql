-- What a second model heard in the participant's own track, beside the provider's live transcript, which it never replaces.

CREATE TABLE second_transcript (
    session_id TEXT    NOT NULL REFERENCES session (session_id),
    turn       INTEGER NOT NULL,
    model      TEXT    NOT NULL,
    at_us      INTEGER NOT NULL,
    body       BLOB    NOT NULL,
    PRIMARY KEY (session_id, turn)
) STRICT, WITHOUT ROWID;
