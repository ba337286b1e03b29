// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include "vmm/access/source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/access/sources.h"
#include "vmm/util/log.h"

#define WHY_LEN 512

const struct access_source_ops *const access_sources[] = {
	&access_source_kvm_young,
	&access_source_damon,
	&access_source_page_idle,
	NULL,
};

static int try_source(struct access_source **srcp,
		      const struct access_source_ops *ops,
		      const struct access_target *target, bool selftest,
		      char *why, size_t len)
{
	int err;

	*why = '\0';
	err = ops->probe(target, why, len);
	if (!err && selftest)
		err = access_selftest(ops, why, len);
	if (!err)
		err = ops->open(srcp, target, why, len);
	if (err && !*why)
		snprintf(why, len, "%s", strerror(-err));
	return err;
}

static int open_auto(struct access_source **srcp,
		     const struct access_target *target, char *why, size_t len)
{
	char all[4 * WHY_LEN] = "", one[WHY_LEN];
	size_t used = 0;

	for (size_t i = 0; access_sources[i]; i++) {
		const struct access_source_ops *ops = access_sources[i];

		if (!try_source(srcp, ops, target, true, one, sizeof(one))) {
			log_debug("accessed bits: %s", ops->name);
			return 0;
		}
		used += snprintf(all + used, sizeof(all) - used, "%s%s: %s",
				 used ? "; " : "", ops->name, one);
		if (used >= sizeof(all))
			used = sizeof(all) - 1;
	}
	snprintf(why, len, "%s", all);
	return -ENODEV;
}

int access_open(struct access_source **srcp, const char *name,
		const struct access_target *target, char *why, size_t len)
{
	size_t used;

	if (!strcmp(name, "auto"))
		return open_auto(srcp, target, why, len);
	for (size_t i = 0; access_sources[i]; i++)
		if (!strcmp(name, access_sources[i]->name))
			return try_source(srcp, access_sources[i], target,
					  false, why, len);
	used = snprintf(why, len, "no access source \"%s\": auto", name);
	for (size_t i = 0; access_sources[i] && used < len; i++)
		used += snprintf(why + used, len - used, ", %s",
				 access_sources[i]->name);
	return -EINVAL;
}

void access_close(struct access_source *src)
{
	if (src)
		src->ops->close(src);
}
