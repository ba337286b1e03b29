/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All sources, each in the file of its name; see source.c. */
#ifndef VMM_ACCESS_SOURCES_H
#define VMM_ACCESS_SOURCES_H

#include "vmm/access/source.h"

extern const struct access_source_ops access_source_kvm_young;
extern const struct access_source_ops access_source_damon;
extern const struct access_source_ops access_source_page_idle;
extern const struct access_source_ops access_source_rwp;
extern const struct access_source_ops access_source_soft;
extern const struct access_source_ops access_source_guest_pte;
extern const struct access_source_ops access_source_age_only;

/*
 * rwp and soft: the default limit of faults per second that they cause in the
 * guest.  At 7 us per fault (tests/bench/abits, soft on shadow paging) this is
 * 3.5 % of a CPU.
 */
#define SOURCE_FAULTS_PER_SECOND 5000u
#define SOURCE_MAX_FAULTS	 1000000000u

#endif
