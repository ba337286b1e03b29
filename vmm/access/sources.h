/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sources there are, each in the file of its name; see source.c. */
#ifndef VMM_ACCESS_SOURCES_H
#define VMM_ACCESS_SOURCES_H

#include "vmm/access/source.h"

extern const struct access_source_ops access_source_kvm_young;
extern const struct access_source_ops access_source_damon;
extern const struct access_source_ops access_source_page_idle;
extern const struct access_source_ops access_source_rwp;
extern const struct access_source_ops access_source_soft;
extern const struct access_source_ops access_source_guest_pte;
extern const struct access_source_ops access_source_blind;

/*
 * rwp and soft: faults a second that they may cost the guest, unless options say
 * otherwise.  With 7 us a fault (tests/bench/abits, soft on shadow paging) it is
 * 3.5 % of a CPU.
 */
#define SOURCE_FAULTS_PER_SECOND 5000u
#define SOURCE_MAX_FAULTS	 1000000000u

#endif
