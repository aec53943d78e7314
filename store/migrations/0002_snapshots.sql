-- SPDX-License-Identifier: Apache-2.0
-- Snapshots: what their records do not say and SQL must know.

CREATE TABLE snapshot (
	ns TEXT NOT NULL,
	snapshotter TEXT NOT NULL,
	key TEXT NOT NULL,
	parent TEXT,		-- a key of the same namespace
	kind INTEGER NOT NULL,	-- enum snapshot_kind
	dir INTEGER NOT NULL,	-- snapshots/overlay/<dir>, maybe shared
	chain_id TEXT,		-- only of layers that Skiff unpacked itself
	PRIMARY KEY (ns, snapshotter, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX snapshot_parent ON snapshot (ns, snapshotter, parent);
CREATE INDEX snapshot_dir ON snapshot (dir);
CREATE INDEX snapshot_chain_id ON snapshot (chain_id)
	WHERE chain_id IS NOT NULL;

-- The highest number that a directory ever had: none is used twice.
CREATE TABLE snapshot_number (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	last INTEGER NOT NULL
) STRICT;
INSERT INTO snapshot_number (id, last) VALUES (1, 0);
