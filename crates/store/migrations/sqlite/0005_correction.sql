-- What a researcher says about a segment, beside what a model said. A re-run of the coding never touches it. It hangs on the
-- session and the number of the segment, not on the segment's row: an interview that is taken up again is cut anew, and its
-- segments get the numbers that they had.

CREATE TABLE correction (
    session_id TEXT    NOT NULL REFERENCES session (session_id),
    segment_no INTEGER NOT NULL,
    sentiment  TEXT    NOT NULL,
    at_us      INTEGER NOT NULL,
    body       BLOB    NOT NULL,
    PRIMARY KEY (session_id, segment_no)
) STRICT, WITHOUT ROWID;
