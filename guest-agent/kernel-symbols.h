/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef GUEST_AGENT_KERNEL_SYMBOLS_H
#define GUEST_AGENT_KERNEL_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

struct kernel_symbol {
	const char *name;
	uint64_t address;	/* 0: unknown, or hidden from us */
};

/*
 * Looks up the addresses, which are 0 before, in /proc/kallsyms.  0 (some may
 * still be unknown) or -errno.
 */
int kernel_symbols(struct kernel_symbol *symbols, size_t nr);

#endif
