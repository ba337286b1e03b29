/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sources there are, each in the file of its name; see source.c. */
#ifndef VMM_ACCESS_SOURCES_H
#define VMM_ACCESS_SOURCES_H

#include "vmm/access/source.h"

extern const struct access_source_ops access_source_kvm_young;
extern const struct access_source_ops access_source_damon;
extern const struct access_source_ops access_source_page_idle;

#endif
