-- The schema as it was when PostgreSQL came: what SQLite had reached in five steps. Index columns (ids, numbers, times, states)
-- stand apart from `body` columns: a body is JSON in bytes, holds the words of people, and is what a later release encrypts
-- under the session's own key. Times are microseconds UTC, `_ms` columns count from the start of the session's recording. Text
-- is compared by its bytes, as in SQLite.

CREATE TABLE study (
    study_id      TEXT COLLATE "C" NOT NULL,
    version       BIGINT NOT NULL CHECK (version >= 1),
    title         TEXT COLLATE "C" NOT NULL,
    source        TEXT COLLATE "C" NOT NULL,
    source_sha256 BYTEA NOT NULL,
    created_at_us BIGINT NOT NULL,
    PRIMARY KEY (study_id, version)
);

CREATE TABLE session (
    session_id     TEXT COLLATE "C" PRIMARY KEY NOT NULL,
    study_id       TEXT COLLATE "C" NOT NULL,
    study_version  BIGINT NOT NULL,
    link_hash      BYTEA NOT NULL UNIQUE CHECK (length(link_hash) = 32),
    language       TEXT COLLATE "C" NOT NULL,
    length         TEXT COLLATE "C" NOT NULL,
    external_id    TEXT COLLATE "C",
    created_at_us  BIGINT NOT NULL,
    expires_at_us  BIGINT,
    -- Who may write. A claim raises the epoch, and with it refuses whatever an older owner still sends.
    owner          TEXT COLLATE "C",
    epoch          BIGINT NOT NULL DEFAULT 0,
    -- Projections of the journal, written in the transaction of the entries that they come from.
    last_seq       BIGINT NOT NULL DEFAULT 0,
    state          TEXT COLLATE "C" NOT NULL DEFAULT 'invited',
    consent        TEXT COLLATE "C" NOT NULL DEFAULT 'pending',
    phase          TEXT COLLATE "C",
    outcome        TEXT COLLATE "C",
    cost_micro_usd BIGINT NOT NULL DEFAULT 0,
    turns          BIGINT NOT NULL DEFAULT 0,
    first_voice_ms BIGINT,
    duration_ms    BIGINT,
    started_at_us  BIGINT,
    ended_at_us    BIGINT,
    -- When the jobs that follow were put. Began and null: still running, or left behind by a crash.
    finished_at_us BIGINT,
    FOREIGN KEY (study_id, study_version) REFERENCES study (study_id, version)
);
CREATE INDEX session_newest ON session (created_at_us DESC, session_id DESC);
CREATE INDEX session_study ON session (study_id, state, outcome);
CREATE INDEX session_unfinished ON session (session_id) WHERE finished_at_us IS NULL AND state <> 'invited';

CREATE TABLE journal (
    session_id TEXT COLLATE "C" NOT NULL REFERENCES session (session_id),
    seq        BIGINT NOT NULL CHECK (seq >= 1),
    at_us      BIGINT NOT NULL,
    kind       TEXT COLLATE "C" NOT NULL,
    body       BYTEA NOT NULL,
    PRIMARY KEY (session_id, seq)
);

CREATE TABLE turn (
    session_id TEXT COLLATE "C" NOT NULL REFERENCES session (session_id),
    turn       BIGINT NOT NULL,
    speaker    TEXT COLLATE "C" NOT NULL,
    phase      TEXT COLLATE "C" NOT NULL,
    start_ms   BIGINT NOT NULL,
    end_ms     BIGINT NOT NULL,
    ending     TEXT COLLATE "C" NOT NULL,
    body       BYTEA NOT NULL,
    PRIMARY KEY (session_id, turn)
);

CREATE TABLE covered_topic (
    session_id TEXT COLLATE "C" NOT NULL REFERENCES session (session_id),
    topic      TEXT COLLATE "C" NOT NULL,
    phase      TEXT COLLATE "C" NOT NULL,
    at_ms      BIGINT NOT NULL,
    PRIMARY KEY (session_id, topic)
);

CREATE TABLE ledger (
    ledger_id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id     TEXT COLLATE "C" NOT NULL REFERENCES session (session_id),
    at_us          BIGINT NOT NULL,
    component      TEXT COLLATE "C" NOT NULL,
    quantity       BIGINT NOT NULL,
    cost_micro_usd BIGINT NOT NULL,
    -- What was charged for: an entry of the journal or a job.
    seq            BIGINT,
    job_id         BIGINT
);
CREATE INDEX ledger_session ON ledger (session_id, component);

CREATE TABLE chunk (
    session_id TEXT COLLATE "C" NOT NULL REFERENCES session (session_id),
    no         BIGINT NOT NULL,
    start_ms   BIGINT NOT NULL,
    end_ms     BIGINT NOT NULL,
    bytes      BIGINT NOT NULL,
    PRIMARY KEY (session_id, no)
);

CREATE TABLE recording (
    session_id  TEXT COLLATE "C" PRIMARY KEY NOT NULL REFERENCES session (session_id),
    object      TEXT COLLATE "C" NOT NULL,
    duration_ms BIGINT NOT NULL,
    bytes       BIGINT NOT NULL,
    body        BYTEA NOT NULL
);

CREATE TABLE segment (
    session_id TEXT COLLATE "C" NOT NULL REFERENCES session (session_id),
    segment_no BIGINT NOT NULL,
    turn       BIGINT NOT NULL,
    start_ms   BIGINT NOT NULL,
    end_ms     BIGINT NOT NULL,
    phase      TEXT COLLATE "C" NOT NULL,
    language   TEXT COLLATE "C" NOT NULL,
    body       BYTEA NOT NULL,
    PRIMARY KEY (session_id, segment_no)
);

-- One row per segment and way of coding, so that a re-run with another model or prompt stands beside what was there.
CREATE TABLE coding (
    coding_id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id     TEXT COLLATE "C" NOT NULL,
    segment_no     BIGINT NOT NULL,
    model          TEXT COLLATE "C" NOT NULL,
    prompt_version TEXT COLLATE "C" NOT NULL,
    schema_version TEXT COLLATE "C" NOT NULL,
    sentiment      TEXT COLLATE "C" NOT NULL,
    score_permille BIGINT NOT NULL,
    created_at_us  BIGINT NOT NULL,
    body           BYTEA NOT NULL,
    UNIQUE (session_id, segment_no, model, prompt_version, schema_version),
    FOREIGN KEY (session_id, segment_no) REFERENCES segment (session_id, segment_no)
);

CREATE TABLE report (
    session_id    TEXT COLLATE "C" PRIMARY KEY NOT NULL REFERENCES session (session_id),
    created_at_us BIGINT NOT NULL,
    body          BYTEA NOT NULL
);

-- States: 0 ready, 1 leased, 2 done, 3 dead. The partial indexes keep claims cheap however many done rows there are. `round`
-- says how often the endpoint's answer about a segment was refused; jobs of different rounds do not share a call. `due_us` is
-- when the study's results are promised; the greatest number means never.
CREATE TABLE job (
    job_id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lane           TEXT COLLATE "C" NOT NULL,
    kind           TEXT COLLATE "C" NOT NULL,
    session_id     TEXT COLLATE "C" NOT NULL REFERENCES session (session_id),
    key            TEXT COLLATE "C" NOT NULL,
    rank           BIGINT NOT NULL,
    state          BIGINT NOT NULL DEFAULT 0,
    attempts       BIGINT NOT NULL DEFAULT 0,
    fence          BIGINT NOT NULL DEFAULT 0,
    not_before_us  BIGINT NOT NULL,
    lease_until_us BIGINT,
    owner          TEXT COLLATE "C",
    last_error     TEXT COLLATE "C",
    created_at_us  BIGINT NOT NULL,
    ended_at_us    BIGINT,
    round          BIGINT NOT NULL DEFAULT 1,
    due_us         BIGINT NOT NULL DEFAULT 9223372036854775807,
    body           BYTEA NOT NULL,
    UNIQUE (kind, session_id, key)
);
CREATE INDEX job_ready ON job (lane, rank DESC, job_id) WHERE state = 0;
CREATE INDEX job_leased ON job (lane, lease_until_us) WHERE state = 1;
CREATE INDEX job_session ON job (session_id, state);
CREATE INDEX job_due ON job (lane, due_us, job_id) WHERE state = 0;
CREATE INDEX job_open ON job (lane, state) WHERE state <> 2;

-- Grants: the single-use secrets with which a tab that dropped out comes back. Only hashes are kept. A session has at most
-- one that was not used; of those that were, the newest few stay, so that a used one can be told from a forged one.

CREATE TABLE session_grant (
    -- In the order in which they were issued.
    grant_no     BIGINT GENERATED ALWAYS AS IDENTITY,
    grant_hash   BYTEA PRIMARY KEY NOT NULL CHECK (length(grant_hash) = 32),
    session_id   TEXT COLLATE "C" NOT NULL REFERENCES session (session_id),
    issued_at_us BIGINT NOT NULL,
    -- When somebody came back with it, or when a newer one took its place.
    used_at_us   BIGINT
);
CREATE UNIQUE INDEX session_grant_good ON session_grant (session_id) WHERE used_at_us IS NULL;
CREATE INDEX session_grant_session ON session_grant (session_id);

-- Journal entries that could not be read, with their bytes as they were found. In their place the journal has an entry of
-- kind `set_aside`, so that no number is missing and none is used twice.

CREATE TABLE damaged_entry (
    session_id  TEXT COLLATE "C" NOT NULL REFERENCES session (session_id),
    seq         BIGINT NOT NULL,
    at_us       BIGINT NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    body        BYTEA NOT NULL,
    found_at_us BIGINT NOT NULL,
    PRIMARY KEY (session_id, seq)
);

-- What a researcher says about a segment, beside what a model said. A re-run of the coding never touches it. It hangs on the
-- session and the number of the segment, not on the segment's row: an interview that is taken up again is cut anew, and its
-- segments get the numbers that they had.

CREATE TABLE correction (
    session_id TEXT COLLATE "C" NOT NULL REFERENCES session (session_id),
    segment_no BIGINT NOT NULL,
    sentiment  TEXT COLLATE "C" NOT NULL,
    at_us      BIGINT NOT NULL,
    body       BYTEA NOT NULL,
    PRIMARY KEY (session_id, segment_no)
);
