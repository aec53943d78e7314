/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ids for containers that come without one: two words that people can say
 * to each other, and 24 random bits.
 */
#include "config.h"

#include "runtime/container.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/id.h"

static const char *const moods[] = {
	"bold",	  "brave", "brisk", "calm",  "clear",  "deep",	"early",
	"fair",	  "fleet", "free",  "fresh", "gentle", "glad",	"grand",
	"great",  "happy", "keen",  "kind",  "late",   "light", "lively",
	"lucky",  "merry", "mild",  "neat",  "quick",  "quiet", "ready",
	"steady", "swift", "warm",  "wise",
};

static const char *const things[] = {
	"anchor", "bay",     "breeze", "buoy",	"canoe",  "cape",  "coast",
	"cove",	  "current", "delta",  "dock",	"ferry",  "fjord", "gull",
	"harbor", "heron",   "island", "keel",	"lagoon", "mast",  "oar",
	"otter",  "pier",    "reef",   "river", "rudder", "sail",  "seal",
	"shore",  "tern",    "tide",   "wave",
};

const char *
container_random_id(char buf[CONTAINER_ID_SIZE])
{
	char hex[RANDOM_ID_SIZE];
	unsigned long bits;

	(void)random_id(hex);
	hex[10] = '\0';
	bits = strtoul(hex + 6, NULL, 16);
	hex[6] = '\0';
	(void)snprintf(buf, CONTAINER_ID_SIZE, "%s-%s-%s",
		       moods[bits % ARRAY_SIZE(moods)],
		       things[bits / 256 % ARRAY_SIZE(things)], hex);
	return buf;
}
