/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A flag that one thread sets, once, to stop another's work. */
#ifndef VMM_UTIL_STOP_FLAG_H
#define VMM_UTIL_STOP_FLAG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* NULL: never stopped.  It orders no other memory accesses. */
static inline bool stop_flag_is_set(const atomic_bool *flag)
{
	return flag && atomic_load_explicit(flag, memory_order_relaxed);
}

#endif
