// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Finds page table roots in kernel memory, /proc/kcore, for kernels without
 * BTF; see kcore.h.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest-agent/kcore.h"
#include "guest-agent/kernel-symbols.h"
#include "guest-agent/pgd.h"

static int add(void *arg, pid_t pid, uint64_t pgd)
{
	struct pgds *p = arg;
	const struct kcore *k = p->state;

	return pgd < k->direct_map ? 0 : pgd_add(p, pid, pgd - k->direct_map);
}

static int kcore_read(struct pgds *p)
{
	return kcore_each(p->state, add, p);
}

static void read_own_name(char *name, size_t len)
{
	FILE *f = fopen("/proc/self/comm", "re");

	if (!f || !fgets(name, len, f))
		name[0] = 0;
	if (f)
		fclose(f);
	name[strcspn(name, "\n")] = 0;
}

static void kcore_close(struct pgds *p)
{
	struct kcore *k = p->state;

	if (!k)
		return;
	if (k->fd >= 0)
		close(k->fd);
	free(k);
	p->state = NULL;
}

static int open_kcore(struct kcore *k, uint64_t frames, char *why, size_t len)
{
	struct kernel_symbol symbols[] = {
		{ "page_offset_base", 0 }, { "init_task", 0 },
		{ "init_mm", 0 }, { "swapper_pg_dir", 0 },
		{ "init_top_pgt", 0 },
	};
	struct kcore_known known = { .nr_frames = frames, .pid = getpid() };
	const char *missing = "page_offset_base";
	int rc = kernel_symbols(symbols, 5);

	if (rc || !symbols[0].address || !symbols[1].address ||
	    !symbols[2].address) {
		snprintf(why, len, "/proc/kallsyms does not show "
			 "page_offset_base, init_task and init_mm "
			 "(CONFIG_KALLSYMS_ALL and kernel.kptr_restrict below "
			 "2 are needed)");
		return rc ? rc : -EPERM;
	}
	k->fd = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
	rc = k->fd < 0 ? -errno : kcore_read_segments(k);
	if (rc) {
		snprintf(why, len, "/proc/kcore: %s", strerror(-rc));
		return rc;
	}
	k->init_task = symbols[1].address;
	k->init_mm = symbols[2].address;
	k->direct_map = kcore_word(k, symbols[0].address);
	/* On x86-64 the first name is a macro for the second. */
	known.swapper_pg_dir = symbols[3].address ? symbols[3].address :
						    symbols[4].address;
	read_own_name(known.name, sizeof(known.name));
	if (k->direct_map)
		missing = kcore_find_layout(k, &known);
	if (!missing)
		return 0;
	snprintf(why, len, "cannot determine where this kernel has %s",
		 missing);
	return -ENOENT;
}

static int kcore_open(struct pgds *p, char *why, size_t len)
{
	struct kcore *k = calloc(1, sizeof(*k));
	int rc = -ENOMEM;

	if (k) {
		k->fd = -1;
		p->state = k;
		rc = open_kcore(k, p->nr_frames, why, len);
	} else {
		snprintf(why, len, "not enough memory");
	}
	if (rc) {
		kcore_close(p);
		return rc;
	}
	p->la57 = pgd_is_la57(k->direct_map);
	return 0;
}

const struct pgd_method pgd_kcore = {
	.name = "kcore",
	.open = kcore_open,
	.read = kcore_read,
	.close = kcore_close,
};
