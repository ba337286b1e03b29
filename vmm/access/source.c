// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include "vmm/access/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/access/sources.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/error-text.h"
#include "vmm/util/log.h"
#include "vmm/util/nearest.h"

#define WHY_LEN 512

/*
 * A pagemap lookup of one piece takes some 0.3 s; pieces end on huge page
 * boundaries.
 */
#define PIECE_FRAMES (UINT64_C(1) << 21)

const struct access_source_ops *const access_sources[] = {
	&access_source_kvm_young,
	&access_source_damon,
	&access_source_page_idle,
	&access_source_rwp,
	&access_source_soft,
	&access_source_guest_pte,
	&access_source_age_only,
	NULL,
};

int access_survey(const struct access_source_ops **opsp,
		  enum access_memory memory, access_tried_fn *tried, void *arg)
{
	const struct access_source_ops *first = NULL;
	char why[WHY_LEN];

	for (size_t i = 0; access_sources[i]; i++) {
		const struct access_source_ops *ops = access_sources[i];
		int err = -EOPNOTSUPP;

		if (ops->by_name_only)
			snprintf(why, sizeof(why),
				 "%s, so auto never chooses it: use --abits %s",
				 ops->by_name_only, ops->name);
		else if (memory & ACCESS_MEMORY_HUGETLB && ops->lru_only)
			snprintf(why, sizeof(why),
				 "cannot see hugetlb pages");
		else if (memory & ACCESS_MEMORY_SERVED && ops->protects)
			snprintf(why, sizeof(why), "protects memory by "
				 "userfaultfd, as the sink does: only one of "
				 "them can");
		else
			err = access_selftest(ops, why, sizeof(why));
		if (!err && !first)
			first = ops;
		if (!tried(ops, err, err ? why : "", arg))
			break;
	}
	if (!first)
		return -ENODEV;
	*opsp = first;
	return 0;
}

struct reasons {
	char *text;
	size_t len, used;
};

static bool until_one_passes(const struct access_source_ops *ops, int err,
			     const char *why, void *arg)
{
	struct reasons *r = arg;

	if (!err) {
		log_debug("access source: %s passed its self-test",
			  ops->name);
		return false;
	}
	r->used += snprintf(r->text + r->used, r->len - r->used, "%s%s: %s",
			    r->used ? "; " : "", ops->name, why);
	if (r->used >= r->len)
		r->used = r->len - 1;
	return true;
}

int access_choose(const struct access_source_ops **opsp,
		  enum access_memory memory, char *why, size_t len)
{
	struct reasons r = { why, len, 0 };

	*why = '\0';
	return access_survey(opsp, memory, until_one_passes, &r);
}

static int check_options(const struct access_source_ops *ops,
			 const char *options, char *why, size_t len)
{
	if (!options)
		return 0;
	if (ops->check_options)
		return ops->check_options(options, why, len);
	snprintf(why, len, "the access source %s takes no options: '%s'",
		 ops->name, options);
	return -EINVAL;
}

static const char *options_of(const char *name)
{
	const char *comma = strchr(name, ',');

	return comma ? comma + 1 : NULL;
}

static void explain_unknown(const char *name, char *why, size_t len)
{
	struct nearest n = { .word = name };
	char hint[64];
	size_t used;

	if (!strcmp(name, "auto")) {
		snprintf(why, len, "auto takes no options: name a source to "
			 "give it some");
		return;
	}
	nearest_try(&n, "auto");
	for (size_t i = 0; access_sources[i]; i++)
		nearest_try(&n, access_sources[i]->name);
	used = snprintf(why, len, "unknown access source '%s'%s", name,
			nearest_hint(&n, hint, sizeof(hint)));
	if (!n.name && used < len)
		used += snprintf(why + used, len - used, ": expected one of "
				 "auto");
	for (size_t i = 0; !n.name && access_sources[i] && used < len; i++)
		used += snprintf(why + used, len - used, ", %s",
				 access_sources[i]->name);
}

int access_find(const struct access_source_ops **opsp, const char *name,
		char *why, size_t len)
{
	size_t n = strcspn(name, ",");
	__cleanup_free char *alone = NULL;

	for (size_t i = 0; access_sources[i]; i++)
		if (strlen(access_sources[i]->name) == n &&
		    !strncmp(name, access_sources[i]->name, n)) {
			*opsp = access_sources[i];
			return check_options(*opsp, options_of(name), why,
					     len);
		}
	alone = strndup(name, n);
	explain_unknown(alone ? alone : name, why, len);
	return -EINVAL;
}

int access_open(struct access_source **srcp, const char *name,
		const struct access_target *target, char *why, size_t len)
{
	const struct access_source_ops *ops;
	struct access_target t = *target;
	int rc;

	if (!strcmp(name, "auto"))
		rc = access_choose(&ops, ACCESS_MEMORY_PLAIN, why, len);
	else
		rc = access_find(&ops, name, why, len);
	if (rc)
		return rc;
	t.options = options_of(name);
	*why = '\0';
	rc = ops->probe(&t, why, len);
	if (!rc)
		rc = ops->open(srcp, &t, why, len);
	if (rc && !*why)
		snprintf(why, len, "%s", error_text(-rc));
	return rc;
}

void access_close(struct access_source *src)
{
	if (src)
		src->ops->close(src);
}

int access_in_pieces(struct access_source *src, struct gfn_range range,
		     uint64_t *young,
		     int (*part)(struct access_source *src,
				 struct gfn_range piece, uint64_t *young))
{
	uint64_t g = range.start.v, end = g + range.nr, next;
	int rc = 0;

	for (; !rc && g < end; g = next) {
		next = (g / PIECE_FRAMES + 1) * PIECE_FRAMES;
		if (next > end)
			next = end;
		rc = access_is_stopping(src) ? -ECANCELED :
		     part(src, (struct gfn_range){ GFN(g), next - g }, young);
	}
	return rc;
}
