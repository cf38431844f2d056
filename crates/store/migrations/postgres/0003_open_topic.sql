-- Open labels that a study's interviews were coded with, and the theme that each belongs to once it is known. Labels are made over
-- many interviews; no row is about one person.

CREATE TABLE open_topic (
    study_id       TEXT COLLATE "C" NOT NULL,
    label          TEXT COLLATE "C" NOT NULL,
    theme          TEXT COLLATE "C",
    model          TEXT COLLATE "C",
    prompt_version TEXT COLLATE "C",
    at_us          BIGINT NOT NULL,
    PRIMARY KEY (study_id, label)
);
