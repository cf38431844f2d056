"""Reads what Colloquy exports with parsers that are not ours: webvtt-py, srt, python-docx, pyarrow, and Python's own csv, json and zipfile.

usage: check_exports.py COLLOQUY_BINARY
Writes synthetic interviews, has the simulator code them, exports them in every format, parses every file, and compares what
the parsers found with each other. `make check-exports` installs the parsers and calls it.
"""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from datetime import datetime
from pathlib import Path

import docx
import pyarrow
import pyarrow.parquet
import srt
import webvtt

SESSIONS, ANSWERS = 3, 40
STUDY = "remote-work-tools"
PATIENCE_S = 120


def started(command, env, pattern):
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        found = re.search(pattern, line)
        if found:
            return process, found
    raise SystemExit(f"{command[1]} ended without saying where it serves")


def stopped(process):
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=60)


def coded(binary, env):
    """Starts simulator and server on the store, and waits until nothing is left to do."""
    simulator, found = started([binary, "sim", "--listen", "127.0.0.1:0"], env, r"(http://\S+/v1)")
    env = {
        **env,
        "COLLOQUY__PROVIDER__OPENAI_BASE_URL": found[1],
        "COLLOQUY__PROVIDER__OPENAI_API_KEY": "check",
        "COLLOQUY__HTTP__ADDR": "127.0.0.1:0",
        "COLLOQUY__MEDIA__UDP_ADDR": "127.0.0.1:0",
        "COLLOQUY__MEDIA__TCP_ADDR": "127.0.0.1:0",
    }
    server, found = started([binary, "serve"], env, r"console: (http://[^/]+)/console#token=(\S+)")
    base, token = found[1], found[2]
    request = urllib.request.Request(f"{base}/api/v1/lanes", headers={"Authorization": f"Bearer {token}"})
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        with urllib.request.urlopen(request, timeout=10) as answer:
            lanes = json.load(answer)["lanes"]
        if all(lane["ready"] + lane["leased"] == 0 for lane in lanes):
            break
        time.sleep(0.2)
    else:
        raise SystemExit(f"the interviews were not coded within {PATIENCE_S} s: {lanes}")
    stopped(server)
    stopped(simulator)


def compared(name, sheet, rows):
    """A Parquet table and the rows of the CSV file say the same."""
    assert sheet.column_names == list(rows[0]), (name, sheet.column_names)
    assert sheet.schema.metadata[b"colloquy.table"] == name.encode()
    for column in sheet.schema:
        values = sheet[column.name].to_pylist()
        assert len(values) == len(rows), (name, len(values))
        for value, row in zip(values, rows):
            text = row[column.name]
            if value is None:
                assert text == "", (name, column.name, text)
            elif pyarrow.types.is_list(column.type):
                assert json.loads(text) == value
            elif pyarrow.types.is_timestamp(column.type):
                assert column.type.tz == "UTC" and datetime.fromisoformat(text) == value.replace(microsecond=value.microsecond // 1000 * 1000)
            elif pyarrow.types.is_string(column.type):
                # The CSV is for spreadsheets: what could be a formula has an apostrophe there.
                assert text in (value, f"'{value}"), (text, value)
            else:
                assert type(value)(text) == value, (name, column.name)


def main():
    binary = str(Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory(prefix="colloquy-exports-") as folder:
        folder = Path(folder)
        env = {
            **os.environ,
            "COLLOQUY__STORE__DATABASE": str(folder / "colloquy.db"),
            "COLLOQUY__STORE__RECORDINGS": str(folder / "recordings"),
            "COLLOQUY__LOG__LEVEL": "error",
        }
        run = lambda *arguments: subprocess.run([binary, *arguments], env=env, check=True, stdout=subprocess.DEVNULL)
        run("synth", "--sessions", str(SESSIONS), "--segments", str(ANSWERS))
        coded(binary, env)

        def exported(of, name, form, *more):
            path = folder / f"{name}-{'-'.join(more)}.{form}"
            run("export", of, name, "--format", form, *more, "--out", str(path))
            return path

        lines = [json.loads(line) for line in exported("--study", STUDY, "jsonl").read_text().splitlines()]
        assert len(lines) == SESSIONS, len(lines)
        with zipfile.ZipFile(exported("--study", STUDY, "zip")) as archive:
            assert archive.testzip() is None
            tables = {
                name: list(csv.DictReader(io.StringIO(archive.read(f"{name}.csv").decode("utf-8"), newline="")))
                for name in ("sessions", "turns", "codings", "quotes")
            }
        assert len(tables["sessions"]) == SESSIONS
        assert len(tables["turns"]) == SESSIONS * ANSWERS * 2
        assert len(tables["codings"]) == SESSIONS * ANSWERS, len(tables["codings"])
        assert tables["quotes"], "no quotes"
        for name, rows in tables.items():
            sheet = pyarrow.parquet.read_table(exported("--study", STUDY, "parquet", "--table", name))
            compared(name, sheet, rows)

        for line in lines:
            session, turns = line["session_id"], line["turns"]
            own = [row for row in tables["turns"] if row["session_id"] == session]
            assert [row["text"].lstrip("'") for row in own] == [turn["text"].lstrip("'") for turn in turns]
            texts = {segment["segment"]: segment["text"] for segment in line["segments"]}
            for segment in line["segments"]:
                quote = segment["coding"]["quote"]
                if quote:
                    assert texts[segment["segment"]][quote["start_char"] : quote["end_char"]] == quote["text"]
            cues = webvtt.read(str(exported("--session", session, "vtt")))
            assert len(cues) == len(turns)
            assert {cue.voice for cue in cues} == {line["participant"], "MODERATOR"}
            assert [cue.start_in_seconds for cue in cues] == sorted(cue.start_in_seconds for cue in cues)
            subtitles = list(srt.parse(exported("--session", session, "srt").read_text()))
            assert [subtitle.index for subtitle in subtitles] == list(range(1, len(turns) + 1))
            assert all(subtitle.end > subtitle.start for subtitle in subtitles)
            document = docx.Document(str(exported("--session", session, "docx")))
            spoken = [text.text for text in document.paragraphs if re.match(r"\[\d\d:\d\d:\d\d\] ", text.text)]
            plain = [part for part in exported("--session", session, "txt").read_text().split("\n\n") if part]
            assert spoken == plain, "the document and the text say different things"
            headings = [text for text in document.paragraphs if text.style.name.lower() == "heading 2"]
            assert len(headings) == len({turn["phase"] for turn in turns})
        print(
            f"{SESSIONS} interviews: {len(tables['turns'])} turns, {len(tables['codings'])} codings and {len(tables['quotes'])} quotes "
            "read back alike from jsonl, csv, zip, parquet, vtt, srt, docx and txt"
        )


main()
