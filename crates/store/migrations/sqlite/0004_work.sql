-- Coding is a job per segment, so that calls are formed when a worker is free and succeed in part. `round` says how often the
-- endpoint's answer about it was refused; jobs of different rounds do not share a call. `due_us` is when the study's results
-- are promised; the greatest number means never.

ALTER TABLE job ADD COLUMN round INTEGER NOT NULL DEFAULT 1;
ALTER TABLE job ADD COLUMN due_us INTEGER NOT NULL DEFAULT 9223372036854775807;
CREATE INDEX job_due ON job (lane, due_us, job_id) WHERE state = 0;
CREATE INDEX job_open ON job (lane, state) WHERE state <> 2;

-- Calls that were formed when the interview ended become a job per segment that has no coding yet.
INSERT INTO job (lane, kind, session_id, key, rank, not_before_us, created_at_us, body)
SELECT 'enrichment', 'code', g.session_id, CAST(g.segment_no AS TEXT), max(j.rank), min(j.created_at_us), min(j.created_at_us), CAST('{}' AS BLOB)
FROM segment g JOIN job j ON j.session_id = g.session_id AND j.kind = 'code' AND j.state IN (0, 1)
WHERE NOT EXISTS (SELECT 1 FROM coding c WHERE c.session_id = g.session_id AND c.segment_no = g.segment_no)
GROUP BY g.session_id, g.segment_no;
DELETE FROM job WHERE kind = 'code' AND state IN (0, 1) AND key LIKE '%/%';

-- Until now the recording's job cut the transcript too. Interviews that ended and whose recording is not finished get the job
-- that does it now.
INSERT INTO job (lane, kind, session_id, key, rank, not_before_us, created_at_us, body)
SELECT 'transcript', 'cut_transcript', session_id, '', rank, created_at_us, created_at_us, CAST('{}' AS BLOB)
FROM job WHERE kind = 'finish_recording' AND key = '' AND state IN (0, 1);
