/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RMAP_PTE_CHAIN_H
#define RMAP_PTE_CHAIN_H

#include "rmap/internal.h"

/*
 * Bits of the page offset in an entry: where VMAs have ids, each has fewer than
 * 2^37 pages.
 */
#define PTE_OFF_BITS 37

/* For pages of the anon_mm scheme that are mapped at several addresses. */
extern const struct object_ops pte_chain_ops;

/*
 * For all pages of the pte_chain scheme: one page table entry is in the frame's
 * record, several are in a chain.
 */
extern const struct object_ops pte_ops;

#endif
