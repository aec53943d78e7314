-- SPDX-License-Identifier: Apache-2.0
-- The containers that stand on a snapshot: several may.

CREATE TABLE container_snapshot (
	ns TEXT NOT NULL,
	key TEXT NOT NULL,	-- of the snapshot
	id TEXT NOT NULL,	-- of the container
	PRIMARY KEY (ns, key, id)
) STRICT, WITHOUT ROWID;

-- Kind 5 is the containers' (store/record.h).
INSERT INTO container_snapshot (ns, key, id)
SELECT ns, json_extract(doc, '$.snapshot_key'), key FROM record
WHERE kind = 5 AND json_extract(doc, '$.snapshot_key') IS NOT NULL;
