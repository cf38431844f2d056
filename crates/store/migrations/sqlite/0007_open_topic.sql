-- Open labels that a study's interviews were coded with, and the theme that each belongs to once it is known. Labels are made over
-- many interviews; no row is about one person.

CREATE TABLE open_topic (
    study_id       TEXT    NOT NULL,
    label          TEXT    NOT NULL,
    theme          TEXT,
    model          TEXT,
    prompt_version TEXT,
    at_us          INTEGER NOT NULL,
    PRIMARY KEY (study_id, label)
) STRICT, WITHOUT ROWID;
