/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory pressure of this host; each call reads /proc again. */
#ifndef VMM_UTIL_PRESSURE_H
#define VMM_UTIL_PRESSURE_H

#include <stdint.h>

/*
 * Share of the last ten seconds in which some task waited for memory, in 1/100 %;
 * -errno: for example, a kernel without PSI.
 */
int pressure_memory(void);
/* MemAvailable in bytes, or -errno. */
int64_t pressure_available(void);

/* The same from given text, for tests.  -EINVAL: malformed. */
int pressure_parse_psi(const char *text);
int64_t pressure_parse_available(const char *text);

#endif
