// SPDX-License-Identifier: GPL-2.0-or-later
/* Page table roots by a BPF iterator over tasks (Linux 5.16, with BTF). */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest-agent/agent.h"
#include "guest-agent/kernel_symbols.h"
#include "guest-agent/pgd.h"
#include "guest-agent/pgd_record.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wshadow"
#include "guest-agent/pgd.lskel.h"
#pragma GCC diagnostic pop

#define BATCH 64

static int iterate(const struct pgd_bpf *skel)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.iter_create.link_fd = skel->links.each_task_fd;
	return skel_sys_bpf(BPF_ITER_CREATE, &attr, sizeof(attr));
}

static int add_record(struct pgds *p, const struct pgd_record *r)
{
	if (r->pgd < r->direct_map)
		return 0;
	p->la57 = pgd_is_la57(r->direct_map);
	return pgd_add(p, r->pid, r->pgd - r->direct_map);
}

static int bpf_read(struct pgds *p)
{
	struct pgd_record records[BATCH];
	int fd = iterate(p->state), rc = 0;
	size_t have = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while (!rc && (n = read(fd, (char *)records + have,
				sizeof(records) - have)) > 0) {
		size_t nr = (have + n) / sizeof(records[0]);

		for (size_t i = 0; !rc && i < nr; i++)
			rc = add_record(p, &records[i]);
		have = (have + n) % sizeof(records[0]);
		memmove(records, &records[nr], have);
	}
	if (!rc && n < 0)
		rc = -errno;
	close(fd);
	return rc;
}

static void bpf_close(struct pgds *p)
{
	pgd_bpf__destroy(p->state);
	p->state = NULL;
}

static int bpf_open(struct pgds *p, char *why, size_t len)
{
	struct kernel_symbol symbol = { "page_offset_base", 0 };
	struct pgd_bpf *skel;
	int rc = kernel_symbols(&symbol, 1);

	if (rc || !symbol.address) {
		snprintf(why, len, "/proc/kallsyms tells no addresses");
		return rc ? rc : -EPERM;
	}
	if (access("/sys/kernel/btf/vmlinux", R_OK)) {
		snprintf(why, len, "the kernel has no BTF");
		return -ENOENT;
	}
	skel = pgd_bpf__open();
	if (!skel) {
		rc = errno ? -errno : -ENOMEM;
		snprintf(why, len, "%s", strerror(-rc));
		return rc;
	}
	skel->rodata->page_offset_base = symbol.address;
	rc = pgd_bpf__load(skel);
	if (!rc)
		rc = pgd_bpf__attach(skel);
	if (rc < 0) {
		snprintf(why, len, "the kernel takes no BPF program from us: "
			 "%s", strerror(-rc));
		pgd_bpf__destroy(skel);
		return rc;
	}
	p->state = skel;
	return 0;
}

const struct pgd_way pgd_bpf = {
	.name = "bpf",
	.open = bpf_open,
	.read = bpf_read,
	.close = bpf_close,
};
