/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of statistics, from which stat-snapshot.c makes JSON, metrics and
 * events.
 */
#ifndef VMM_CONTROL_FIELDS_H
#define VMM_CONTROL_FIELDS_H

#include <stddef.h>

enum field_kind { FIELD_U64, FIELD_U32, FIELD_BOOL, FIELD_DOUBLE };
enum field_metric { FIELD_GAUGE, FIELD_COUNTER };

/* scale converts the value to the metric's base unit. */
struct field {
	const char *section, *name;
	enum field_kind kind;
	size_t offset;
	enum field_metric metric;
	const char *metric_name;	/* NULL: JSON only */
	double scale;
	const char *help;
};

extern const struct field stat_fields[];
extern const size_t stat_nr_fields;

#endif
