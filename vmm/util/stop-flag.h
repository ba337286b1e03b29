/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A flag that one thread sets, once, to end what another does. */
#ifndef VMM_UTIL_STOP_FLAG_H
#define VMM_UTIL_STOP_FLAG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* NULL: nothing is ever stopped.  It orders no other memory. */
static inline bool stop_flag_is_set(const atomic_bool *flag)
{
	return flag && atomic_load_explicit(flag, memory_order_relaxed);
}

#endif
