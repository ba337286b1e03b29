/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a malicious guest can do to devices: floods and huge requests. */
#ifndef TESTS_PAYLOAD_HOSTILE_H
#define TESTS_PAYLOAD_HOSTILE_H

#include "tests/payload/payload.h"

/*
 * Runs until the TSC reaches end.  scratch: memory of the guest that is not used
 * otherwise, filled; part of it is discarded.  NULL, or why it could not begin.
 */
const char *hostile_run(enum hostile kind, const struct region *scratch,
			uint64_t end);

#endif
