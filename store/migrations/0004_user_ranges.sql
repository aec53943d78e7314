-- SPDX-License-Identifier: Apache-2.0
-- The host's user and group ids that belong to a namespace: to its
-- containers that have user namespaces, and to nobody else's.

CREATE TABLE user_range (
	ns TEXT NOT NULL,
	first INTEGER NOT NULL,
	last INTEGER NOT NULL,
	is_given INTEGER NOT NULL,	-- 1 by Skiff, 0 claimed by a spec
	PRIMARY KEY (ns, first, last)
) STRICT, WITHOUT ROWID;
CREATE INDEX user_range_last ON user_range (last);

-- The first id that was never given yet.
CREATE TABLE user_range_number (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	next INTEGER NOT NULL
) STRICT;
INSERT INTO user_range_number (id, next) VALUES (1, 524288);
