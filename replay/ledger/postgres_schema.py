"""The tables of a ledger in Postgres: those of the file, and those by which machines share a run.

They lie in a schema of their own, beside whatever else the database holds.

    form     the format, and a name for this ledger
    leases   until when a run is held by the process that keeps it, by the server's clock
    paces    one rate for all: when the next attempt may start, pauses, how far the pace is lowered
    shares   a leg's parts: who holds each until when, its open intents, how it stands; `grace`: seconds that
             a request may take, so that one is over for sure so long after its lease
    news     how rows of a share ended, until the run's keeper has written it into spans and words
"""

from __future__ import annotations

from typing import Final

from replay.ledger.schema import SPAN_SEAL

SCHEMA_NAME: Final = "hackle_replay"
FORMAT: Final = 2

SCHEMA: Final = f"""
CREATE TABLE form (format BIGINT NOT NULL, name TEXT NOT NULL);
CREATE TABLE salt (salt BYTEA NOT NULL);
CREATE TABLE targets (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, url TEXT NOT NULL, environment BIGINT NOT NULL,
  is_private BOOLEAN NOT NULL, UNIQUE (url, environment, is_private));
CREATE TABLE keys (target BIGINT NOT NULL, hash BYTEA NOT NULL, PRIMARY KEY (target, hash));
CREATE TABLE contents (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, uid TEXT NOT NULL UNIQUE,
  format BIGINT NOT NULL DEFAULT 2);
CREATE TABLE versions (
  length BIGINT NOT NULL, digest TEXT NOT NULL, content BIGINT NOT NULL, grows BOOLEAN NOT NULL,
  reach BIGINT NOT NULL, head TEXT NOT NULL, PRIMARY KEY (length, digest));
CREATE INDEX versions_by_content ON versions (content, reach);
CREATE TABLE heads (content BIGINT PRIMARY KEY, opening TEXT NOT NULL, rows BYTEA NOT NULL);
CREATE INDEX heads_by_opening ON heads (opening);
CREATE TABLE copies (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, target BIGINT NOT NULL, content BIGINT NOT NULL,
  UNIQUE (target, content));
CREATE TABLE runs (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name TEXT NOT NULL UNIQUE, started TEXT NOT NULL,
  command TEXT NOT NULL, target BIGINT NOT NULL, again BOOLEAN NOT NULL, is_open BOOLEAN NOT NULL,
  leg BIGINT NOT NULL, "window" TEXT NOT NULL, boot TEXT NOT NULL, commits BIGINT NOT NULL DEFAULT 0,
  requests BIGINT NOT NULL DEFAULT 0, retries BIGINT NOT NULL DEFAULT 0,
  duplicates BIGINT NOT NULL DEFAULT 0);
CREATE TABLE run_copies (
  copy BIGINT NOT NULL, run BIGINT NOT NULL, mapping TEXT, format BIGINT NOT NULL, PRIMARY KEY (copy, run));
CREATE INDEX run_copies_by_run ON run_copies (run);
CREATE TABLE readings (
  copy BIGINT NOT NULL, run BIGINT NOT NULL, length BIGINT NOT NULL, rows BIGINT NOT NULL,
  lines TEXT NOT NULL, PRIMARY KEY (copy, run));
CREATE TABLE spans (
  copy BIGINT NOT NULL, run BIGINT NOT NULL, first BIGINT NOT NULL, last BIGINT NOT NULL,
  seal BIGINT NOT NULL CHECK (seal = {SPAN_SEAL}), CHECK (first <= last), PRIMARY KEY (copy, run, first));
CREATE TABLE reasons (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text TEXT NOT NULL);
CREATE UNIQUE INDEX reasons_once ON reasons (md5(text));
CREATE INDEX reasons_by_text ON reasons USING hash (text);
CREATE TABLE words (
  copy BIGINT NOT NULL, row BIGINT NOT NULL, run BIGINT NOT NULL, leg BIGINT NOT NULL,
  outcome TEXT NOT NULL, status BIGINT, attempts BIGINT NOT NULL, reason BIGINT NOT NULL,
  doubted BOOLEAN NOT NULL, PRIMARY KEY (copy, row, run));
CREATE INDEX words_by_run ON words (run, outcome);
CREATE TABLE batches (
  run BIGINT NOT NULL, page BIGINT NOT NULL, rows BYTEA NOT NULL, PRIMARY KEY (run, page));
CREATE TABLE samples (
  run BIGINT NOT NULL, place BIGINT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (run, place));
CREATE TABLE leases (run BIGINT PRIMARY KEY, until TIMESTAMPTZ NOT NULL);
CREATE TABLE paces (
  run BIGINT PRIMARY KEY, changes BIGINT NOT NULL, next DOUBLE PRECISION NOT NULL,
  paused_until DOUBLE PRECISION NOT NULL,
  low DOUBLE PRECISION NOT NULL, lowered_at DOUBLE PRECISION NOT NULL, climbs_from DOUBLE PRECISION NOT NULL,
  halted BIGINT NOT NULL, outage TEXT);
CREATE TABLE shares (
  run BIGINT NOT NULL, share BIGINT NOT NULL, epoch BIGINT NOT NULL, worker TEXT,
  until TIMESTAMPTZ NOT NULL, grace DOUBLE PRECISION NOT NULL, ended BOOLEAN NOT NULL,
  commits BIGINT NOT NULL, intents BYTEA NOT NULL, told BYTEA NOT NULL, PRIMARY KEY (run, share));
CREATE TABLE news (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, run BIGINT NOT NULL, share BIGINT NOT NULL,
  ends BYTEA NOT NULL);
CREATE INDEX news_by_run ON news (run, id);
"""

STATEMENTS: Final = tuple(statement.strip() for statement in SCHEMA.split(";\n") if statement.strip())
