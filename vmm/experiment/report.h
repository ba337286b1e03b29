/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DIR/report.md and its charts, DIR/NAME.svg. */
#ifndef VMM_EXPERIMENT_REPORT_H
#define VMM_EXPERIMENT_REPORT_H

#include <stddef.h>
#include <stdio.h>

#include "vmm/experiment/result.h"

/* Memory up to this multiple of the limit counts as within it. */
#define REPORT_TOLERANCE 1.05

/* cgroup: the version used, as text for the report, or "none".  -errno. */
int report_write(const char *dir, const struct plan *plan,
		 const struct result_run *runs, size_t nr, const char *cgroup);

/* Only the charts; writes a line of Markdown for each to f.  -errno. */
int report_charts(FILE *f, const char *dir, const struct plan *plan,
		  const struct result_run *runs, size_t nr);

#endif
