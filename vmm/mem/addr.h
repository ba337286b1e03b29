/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kinds of address.  Each is its own struct, so that passing one where another
 * is expected does not compile.
 *
 *   gpa  guest physical address, bytes
 *   gfn  guest frame number: gpa >> PAGE_SHIFT
 *
 * Host virtual addresses are pointers if they are in this process, and uint64_t
 * named hva if they may be in another one.
 */
#ifndef VMM_MEM_ADDR_H
#define VMM_MEM_ADDR_H

#include <stdint.h>

#define VMM_PAGE_SHIFT 12
#define VMM_PAGE_SIZE  (UINT64_C(1) << VMM_PAGE_SHIFT)

typedef struct { uint64_t v; } gpa_t;
typedef struct { uint64_t v; } gfn_t;

#define GPA(x) ((gpa_t){ (x) })
#define GFN(x) ((gfn_t){ (x) })

static inline gfn_t gpa_to_gfn(gpa_t gpa)
{
	return GFN(gpa.v >> VMM_PAGE_SHIFT);
}

static inline gpa_t gfn_to_gpa(gfn_t gfn)
{
	return GPA(gfn.v << VMM_PAGE_SHIFT);
}

/* A run of guest frames, [start, start + nr). */
struct gfn_range {
	gfn_t start;
	uint64_t nr;
};

#endif
