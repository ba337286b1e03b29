// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <string.h>

#include "vmm/top/sample.h"

#define PAGE_BYTES 4096

static uint64_t number(const json_t *section, const char *name)
{
	json_int_t n = json_integer_value(json_object_get(section, name));

	return n > 0 ? n : 0;
}

static const char *string(const json_t *section, const char *name)
{
	const char *s = json_string_value(json_object_get(section, name));

	return s ? s : "";
}

void top_copy_text(char *to, size_t len, const char *from)
{
	size_t i;

	for (i = 0; i + 1 < len && from[i]; i++)
		to[i] = from[i] >= ' ' && from[i] <= '~' ? from[i] : '?';
	to[i] = 0;
}

static void parse_engine(const json_t *j, struct top_sample *s)
{
	const json_t *ages = json_object_get(j, "pages_by_idle_scans"), *v;
	size_t age;

	s->has_engine = *string(j, "source");
	s->nr_scans = number(j, "nr_scans");
	s->nr_evicted = number(j, "nr_evicted");
	s->nr_refaults = number(j, "nr_refaults");
	s->scan_cpu_ns = number(j, "scan_cpu_ns");
	s->last_scan_ns = number(j, "last_scan_ns");
	top_copy_text(s->last_error, sizeof(s->last_error),
		      string(j, "last_error"));
	json_array_foreach(ages, age, v)
		if (age < STAT_AGES && json_integer_value(v) > 0)
			s->idle[stat_age_class(age)] +=
				json_integer_value(v) * PAGE_BYTES;
}

int top_sample_parse(const json_t *stats, struct top_sample *sample)
{
	const json_t *memory = json_object_get(stats, "memory");
	const json_t *policy = json_object_get(stats, "policy");
	const json_t *guest = json_object_get(stats, "guest");
	struct top_sample s = { .pid = number(stats, "pid") };

	if (!json_is_object(memory) || !*string(stats, "name"))
		return -EINVAL;
	top_copy_text(s.name, sizeof(s.name), string(stats, "name"));
	s.memory = number(memory, "bytes");
	s.resident = number(memory, "resident_bytes");
	s.swapped = number(memory, "swapped_bytes");
	s.stored = number(json_object_get(stats, "store"), "nr_pages") *
		   PAGE_BYTES;
	s.wss = number(json_object_get(stats, "wss"), "pages") * PAGE_BYTES;
	parse_engine(json_object_get(stats, "engine"), &s);
	s.enabled = json_is_true(json_object_get(policy, "enabled"));
	s.target = number(policy, "target_bytes");
	s.has_agent = json_is_true(json_object_get(
		json_object_get(stats, "agent"), "connected"));
	s.psi_some = json_number_value(json_object_get(guest,
						       "psi_some_avg10"));
	s.psi_full = json_number_value(json_object_get(guest,
						       "psi_full_avg10"));
	*sample = s;
	return 0;
}

double top_idle_share(const uint64_t idle[STAT_AGE_CLASSES])
{
	uint64_t all = 0, old = 0;

	for (unsigned int i = 0; i < STAT_AGE_CLASSES; i++) {
		all += idle[i];
		if (i >= 2)
			old += idle[i];
	}
	return all ? (double)old / all : 0;
}
