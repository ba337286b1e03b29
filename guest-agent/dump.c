// SPDX-License-Identifier: GPL-2.0-or-later
/* Prints the agent's stream of messages as text, for --dump. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest-agent/agent.h"

static void print_records(const struct protocol_message *m)
{
	for (uint32_t i = 0; i < m->nr; i++) {
		if (m->type == PROTOCOL_RUNS &&
		    (m->runs[i].flags & PROTOCOL_RUN_UNMAPPED))
			printf("  unmapped 0x%" PRIx64 " %u pages\n",
			       m->runs[i].vaddr, m->runs[i].count);
		else if (m->type == PROTOCOL_RUNS)
			printf("  mapped   0x%" PRIx64 " %u pages at frame "
			       "0x%" PRIx64 "\n", m->runs[i].vaddr,
			       m->runs[i].count, m->runs[i].gfn);
		else
			printf("flags 0x%04x frame 0x%" PRIx64 " %u frames\n",
			       m->flags[i].flags, m->flags[i].gfn,
			       m->flags[i].count);
	}
}

static void print_vma(const struct protocol_vma *v)
{
	static const char *const ops[] = { "new ", "kept", "gone" };

	printf(" region %s 0x%" PRIx64 "-0x%" PRIx64 " flags 0x%02x pgoff "
	       "0x%" PRIx64 " file %" PRIx64 ":%" PRIu64 "\n", ops[v->op],
	       v->start, v->end, v->flags, v->pgoff, v->dev, v->inode);
}

static void print_message(const struct protocol_message *m)
{
	switch (m->type) {
	case PROTOCOL_HELLO:
		printf("hello page size %u features 0x%x frames %" PRIu64 "\n",
		       m->hello.page_size, m->hello.features,
		       m->hello.nr_frames);
		break;
	case PROTOCOL_EPOCH_BEGIN:
		printf("epoch %" PRIu64 "%s\n", m->epoch.number,
		       m->epoch.flags & PROTOCOL_EPOCH_FULL ? " full" : "");
		break;
	case PROTOCOL_EPOCH_END:
		printf("epoch end\n");
		break;
	case PROTOCOL_MM:
		printf("process %u %s%s", m->mm.pid, m->mm.comm,
		       m->mm.flags & PROTOCOL_MM_DELTA ? " delta" : "");
		if (m->mm.pgd != PROTOCOL_NO_PGD)
			printf(" page table 0x%" PRIx64, m->mm.pgd);
		putchar('\n');
		break;
	case PROTOCOL_VMA:
		print_vma(&m->vma);
		break;
	case PROTOCOL_RUNS:
	case PROTOCOL_FLAGS:
		print_records(m);
		break;
	case PROTOCOL_PRESSURE:
		printf("pressure total %" PRIu64 " free %" PRIu64 " some "
		       "%u.%02u %% clean cache %" PRIu64 " refaults file %"
		       PRIu64 " anon %" PRIu64 "\n", m->pressure.mem_total,
		       m->pressure.mem_free, m->pressure.some_avg10 / 100,
		       m->pressure.some_avg10 % 100, m->pressure.clean_cache,
		       m->pressure.nr_refaults_file,
		       m->pressure.nr_refaults_anon);
		break;
	case PROTOCOL_FORGET:
		printf("forget %u\n", m->pid);
		break;
	default:
		break;
	}
}

int dump_stream(int fd)
{
	struct protocol_decoder *d = malloc(sizeof(*d));
	uint8_t buf[65536];
	ssize_t n = 0;
	int rc = 0;

	if (!d) {
		fprintf(stderr, "vmm-guest-agent: out of memory\n");
		return 1;
	}
	protocol_decoder_init(d, PROTOCOL_FROM_GUEST, UINT64_C(1) << 40);
	while (rc >= 0 && (n = read(fd, buf, sizeof(buf))) > 0) {
		size_t done = 0, used;

		while (done < (size_t)n && rc >= 0) {
			struct protocol_message m;

			rc = protocol_decode(d, buf + done, n - done, &used,
					     &m);
			done += used;
			if (rc > 0)
				print_message(&m);
			if (!rc && !used)
				break;
		}
	}
	if (rc < 0)
		fprintf(stderr, "vmm-guest-agent: %s\n",
			protocol_error_text(-rc));
	free(d);
	return rc < 0 || n < 0;
}
