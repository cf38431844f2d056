-- The first schema. Index columns (ids, numbers, times, states) stand apart from `body` columns: a body is JSON in bytes,
-- holds the words of people, and is what a later release encrypts under the session's own key. Times are microseconds UTC,
-- `_ms` columns count from the start of the session's recording.

CREATE TABLE study (
    study_id      TEXT    NOT NULL,
    version       INTEGER NOT NULL CHECK (version >= 1),
    title         TEXT    NOT NULL,
    source        TEXT    NOT NULL,
    source_sha256 BLOB    NOT NULL,
    created_at_us INTEGER NOT NULL,
    PRIMARY KEY (study_id, version)
) STRICT;

CREATE TABLE session (
    session_id     TEXT    PRIMARY KEY NOT NULL,
    study_id       TEXT    NOT NULL,
    study_version  INTEGER NOT NULL,
    link_hash      BLOB    NOT NULL UNIQUE CHECK (length(link_hash) = 32),
    language       TEXT    NOT NULL,
    length         TEXT    NOT NULL,
    external_id    TEXT,
    created_at_us  INTEGER NOT NULL,
    expires_at_us  INTEGER,
    -- Who may write. A claim raises the epoch, and with it refuses whatever an older owner still sends.
    owner          TEXT,
    epoch          INTEGER NOT NULL DEFAULT 0,
    -- Projections of the journal, written in the transaction of the entries that they come from.
    last_seq       INTEGER NOT NULL DEFAULT 0,
    state          TEXT    NOT NULL DEFAULT 'invited',
    consent        TEXT    NOT NULL DEFAULT 'pending',
    phase          TEXT,
    outcome        TEXT,
    cost_micro_usd INTEGER NOT NULL DEFAULT 0,
    turns          INTEGER NOT NULL DEFAULT 0,
    first_voice_ms INTEGER,
    duration_ms    INTEGER,
    started_at_us  INTEGER,
    ended_at_us    INTEGER,
    -- When the jobs that follow were put. Began and null: still running, or left behind by a crash.
    finished_at_us INTEGER,
    FOREIGN KEY (study_id, study_version) REFERENCES study (study_id, version)
) STRICT;
CREATE INDEX session_newest ON session (created_at_us DESC, session_id DESC);
CREATE INDEX session_study ON session (study_id, state, outcome);
CREATE INDEX session_unfinished ON session (session_id) WHERE finished_at_us IS NULL AND state <> 'invited';

CREATE TABLE journal (
    session_id TEXT    NOT NULL REFERENCES session (session_id),
    seq        INTEGER NOT NULL CHECK (seq >= 1),
    at_us      INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    body       BLOB    NOT NULL,
    PRIMARY KEY (session_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE turn (
    session_id TEXT    NOT NULL REFERENCES session (session_id),
    turn       INTEGER NOT NULL,
    speaker    TEXT    NOT NULL,
    phase      TEXT    NOT NULL,
    start_ms   INTEGER NOT NULL,
    end_ms     INTEGER NOT NULL,
    ending     TEXT    NOT NULL,
    body       BLOB    NOT NULL,
    PRIMARY KEY (session_id, turn)
) STRICT, WITHOUT ROWID;

CREATE TABLE covered_topic (
    session_id TEXT    NOT NULL REFERENCES session (session_id),
    topic      TEXT    NOT NULL,
    phase      TEXT    NOT NULL,
    at_ms      INTEGER NOT NULL,
    PRIMARY KEY (session_id, topic)
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger (
    ledger_id      INTEGER PRIMARY KEY,
    session_id     TEXT    NOT NULL REFERENCES session (session_id),
    at_us          INTEGER NOT NULL,
    component      TEXT    NOT NULL,
    quantity       INTEGER NOT NULL,
    cost_micro_usd INTEGER NOT NULL,
    -- What was charged for: an entry of the journal or a job.
    seq            INTEGER,
    job_id         INTEGER
) STRICT;
CREATE INDEX ledger_session ON ledger (session_id, component);

CREATE TABLE chunk (
    session_id TEXT    NOT NULL REFERENCES session (session_id),
    no         INTEGER NOT NULL,
    start_ms   INTEGER NOT NULL,
    end_ms     INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    PRIMARY KEY (session_id, no)
) STRICT, WITHOUT ROWID;

CREATE TABLE recording (
    session_id  TEXT    PRIMARY KEY NOT NULL REFERENCES session (session_id),
    object      TEXT    NOT NULL,
    duration_ms INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,
    body        BLOB    NOT NULL
) STRICT;

CREATE TABLE segment (
    session_id TEXT    NOT NULL REFERENCES session (session_id),
    segment_no INTEGER NOT NULL,
    turn       INTEGER NOT NULL,
    start_ms   INTEGER NOT NULL,
    end_ms     INTEGER NOT NULL,
    phase      TEXT    NOT NULL,
    language   TEXT    NOT NULL,
    body       BLOB    NOT NULL,
    PRIMARY KEY (session_id, segment_no)
) STRICT, WITHOUT ROWID;

-- One row per segment and way of coding, so that a re-run with another model or prompt stands beside what was there.
CREATE TABLE coding (
    coding_id      INTEGER PRIMARY KEY,
    session_id     TEXT    NOT NULL,
    segment_no     INTEGER NOT NULL,
    model          TEXT    NOT NULL,
    prompt_version TEXT    NOT NULL,
    schema_version TEXT    NOT NULL,
    sentiment      TEXT    NOT NULL,
    score_permille INTEGER NOT NULL,
    created_at_us  INTEGER NOT NULL,
    body           BLOB    NOT NULL,
    UNIQUE (session_id, segment_no, model, prompt_version, schema_version),
    FOREIGN KEY (session_id, segment_no) REFERENCES segment (session_id, segment_no)
) STRICT;

CREATE TABLE report (
    session_id    TEXT    PRIMARY KEY NOT NULL REFERENCES session (session_id),
    created_at_us INTEGER NOT NULL,
    body          BLOB    NOT NULL
) STRICT;

-- States: 0 ready, 1 leased, 2 done, 3 dead. The partial indexes keep claims cheap however many done rows there are.
CREATE TABLE job (
    job_id         INTEGER PRIMARY KEY,
    lane           TEXT    NOT NULL,
    kind           TEXT    NOT NULL,
    session_id     TEXT    NOT NULL REFERENCES session (session_id),
    key            TEXT    NOT NULL,
    rank           INTEGER NOT NULL,
    state          INTEGER NOT NULL DEFAULT 0,
    attempts       INTEGER NOT NULL DEFAULT 0,
    fence          INTEGER NOT NULL DEFAULT 0,
    not_before_us  INTEGER NOT NULL,
    lease_until_us INTEGER,
    owner          TEXT,
    last_error     TEXT,
    created_at_us  INTEGER NOT NULL,
    ended_at_us    INTEGER,
    body           BLOB    NOT NULL,
    UNIQUE (kind, session_id, key)
) STRICT;
CREATE INDEX job_ready ON job (lane, rank DESC, job_id) WHERE state = 0;
CREATE INDEX job_leased ON job (lane, lease_until_us) WHERE state = 1;
CREATE INDEX job_session ON job (session_id, state);
