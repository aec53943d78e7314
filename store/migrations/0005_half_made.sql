-- SPDX-License-Identifier: Apache-2.0
-- Containers that one request makes and starts, until they have started.

CREATE TABLE half_made (
	ns TEXT NOT NULL,
	id TEXT NOT NULL,
	PRIMARY KEY (ns, id)
) STRICT, WITHOUT ROWID;
