-- SPDX-License-Identifier: Apache-2.0
-- Execs say whose task they are of, which has its container's id.

-- Kind 8 is the execs' (store/record.h).
UPDATE record SET doc = json_set(doc, '$.task', json_extract(doc, '$.container'))
WHERE kind = 8;
