"""The tables of a ledger, and how they guard themselves against bits that change on the disk."""

from __future__ import annotations

from typing import Final

FORMAT: Final = 2
OLD_FORMAT: Final = 1
APPLICATION_ID: Final = 0x48526570

SPAN_SEAL: Final = "(copy * 7919 + run * 6101 + first * 31 + last * 17) % 65521"
"""A sum that changes with any one bit of a span: spans are written too often to stand twice."""

SCHEMA: Final = f"""
CREATE TABLE form (name TEXT NOT NULL);
CREATE TABLE salt (salt BLOB NOT NULL);
CREATE TABLE targets (
  id INTEGER PRIMARY KEY, url TEXT NOT NULL, environment INTEGER NOT NULL, is_private INTEGER NOT NULL,
  UNIQUE (url, environment, is_private));
CREATE TABLE keys (
  target INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (target, hash)) WITHOUT ROWID;
CREATE TABLE contents (
  id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, format INTEGER NOT NULL DEFAULT 2);
CREATE TABLE versions (
  length INTEGER NOT NULL, digest TEXT NOT NULL, content INTEGER NOT NULL, grows INTEGER NOT NULL,
  reach INTEGER NOT NULL, head TEXT NOT NULL, PRIMARY KEY (length, digest)) WITHOUT ROWID;
CREATE INDEX versions_twice ON versions (content, reach, grows, head);
CREATE TABLE heads (content INTEGER PRIMARY KEY, opening TEXT NOT NULL, rows BLOB NOT NULL);
CREATE INDEX heads_twice ON heads (opening, content, rows);
CREATE TABLE copies (
  id INTEGER PRIMARY KEY, target INTEGER NOT NULL, content INTEGER NOT NULL, UNIQUE (target, content));
CREATE TABLE runs (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, started TEXT NOT NULL, command TEXT NOT NULL,
  target INTEGER NOT NULL, again INTEGER NOT NULL, is_open INTEGER NOT NULL, leg INTEGER NOT NULL,
  window TEXT NOT NULL, boot TEXT NOT NULL, commits INTEGER NOT NULL DEFAULT 0,
  requests INTEGER NOT NULL DEFAULT 0, retries INTEGER NOT NULL DEFAULT 0,
  duplicates INTEGER NOT NULL DEFAULT 0);
CREATE INDEX runs_twice ON runs (is_open, target, again, leg, window, boot);
CREATE TABLE run_copies (
  copy INTEGER NOT NULL, run INTEGER NOT NULL, mapping TEXT, format INTEGER NOT NULL,
  PRIMARY KEY (copy, run)) WITHOUT ROWID;
CREATE INDEX run_copies_twice ON run_copies (run, mapping);
CREATE TABLE readings (
  copy INTEGER NOT NULL, run INTEGER NOT NULL, length INTEGER NOT NULL, rows INTEGER NOT NULL,
  lines TEXT NOT NULL, PRIMARY KEY (copy, run)) WITHOUT ROWID;
CREATE INDEX readings_twice ON readings (run, copy, length, rows, lines);
CREATE TABLE spans (
  copy INTEGER NOT NULL, run INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
  seal INTEGER NOT NULL CHECK (seal = {SPAN_SEAL}), CHECK (first <= last),
  PRIMARY KEY (copy, run, first)) WITHOUT ROWID;
CREATE TABLE reasons (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE words (
  copy INTEGER NOT NULL, row INTEGER NOT NULL, run INTEGER NOT NULL, leg INTEGER NOT NULL,
  outcome TEXT NOT NULL, status INTEGER, attempts INTEGER NOT NULL, reason INTEGER NOT NULL,
  doubted INTEGER NOT NULL, PRIMARY KEY (copy, row, run)) WITHOUT ROWID;
CREATE INDEX words_twice ON words (run, outcome, leg, doubted);
CREATE TABLE batches (
  run INTEGER NOT NULL, page INTEGER NOT NULL, rows BLOB NOT NULL, PRIMARY KEY (run, page)) WITHOUT ROWID;
CREATE TABLE samples (
  run INTEGER NOT NULL, place INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY (run, place)) WITHOUT ROWID;
"""

STATEMENTS: Final = tuple(statement.strip() for statement in SCHEMA.split(";\n") if statement.strip())
