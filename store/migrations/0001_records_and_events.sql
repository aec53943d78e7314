-- SPDX-License-Identifier: Apache-2.0
-- Objects of every kind, their labels, and the log of their changes.

-- doc is the exact JSON of the API's answer. The kinds are numbered in
-- store/record.h.
CREATE TABLE record (
	kind INTEGER NOT NULL,
	ns TEXT NOT NULL,
	key TEXT NOT NULL,
	revision INTEGER NOT NULL,
	created_ns INTEGER NOT NULL,
	updated_ns INTEGER NOT NULL,
	doc TEXT NOT NULL,
	PRIMARY KEY (kind, ns, key)
) STRICT, WITHOUT ROWID;

-- Whether any namespace still names a key.
CREATE INDEX record_by_key ON record (kind, key);

-- What doc says under "labels", for finding records by them.
CREATE TABLE label (
	kind INTEGER NOT NULL,
	ns TEXT NOT NULL,
	key TEXT NOT NULL,
	name TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (kind, ns, key, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX label_by_value ON label (kind, name, value);

-- AUTOINCREMENT: an id is never given twice, even when the newest events
-- were trimmed.
CREATE TABLE event (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	ns TEXT NOT NULL,
	topic TEXT NOT NULL,
	doc TEXT NOT NULL
) STRICT;

CREATE INDEX event_by_ns ON event (ns, id);
