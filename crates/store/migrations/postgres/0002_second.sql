-- What a second model heard in the participant's own track, beside the provider's live transcript, which it never replaces.

CREATE TABLE second_transcript (
    session_id TEXT COLLATE "C" NOT NULL REFERENCES session (session_id),
    turn       BIGINT NOT NULL,
    model      TEXT COLLATE "C" NOT NULL,
    at_us      BIGINT NOT NULL,
    body       BYTEA NOT NULL,
    PRIMARY KEY (session_id, turn)
);
