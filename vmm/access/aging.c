// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include "vmm/access/aging.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/access/aging_window.h"
#include "vmm/access/aging.skel.h"	/* uses the above */
#include "vmm/util/bitmap.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/log.h"

struct aging {
	struct aging_bpf *skel;	/* owned */
	uint64_t *young;	/* the map, shared with the kernel */
	size_t map_len;
	uint64_t nr_frames;
};

static int aging_libbpf_print(enum libbpf_print_level level, const char *fmt,
			      va_list ap)
{
	char line[256];

	/* Its warnings repeat what we say with the remedy. */
	vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = '\0';
	log_debug("libbpf: %s", line);
	return 0;
}

int aging_probe(char *why, size_t len)
{
	if (access("/sys/kernel/btf/vmlinux", R_OK)) {
		snprintf(why, len, "the kernel has no BTF: use one built with "
			 "CONFIG_DEBUG_INFO_BTF");
		return -ENOENT;
	}
	libbpf_set_print(aging_libbpf_print);
	if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_TRACING, NULL) != 1) {
		snprintf(why, len, "BPF tracing programs are refused: run as "
			 "root or with CAP_BPF and CAP_PERFMON, on a kernel "
			 "that is not locked down");
		return -EPERM;
	}
	return 0;
}

/* Has the iterator over tasks visit pid, so that the program sees its mm. */
static int aging_find_mm(struct aging_bpf *skel, pid_t pid)
{
	union bpf_iter_link_info info = { .task.pid = pid };
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info,
		    .link_info_len = sizeof(info));
	__cleanup_close int fd = -1;
	char buf[8];

	skel->links.find_mm = bpf_program__attach_iter(skel->progs.find_mm,
						       &opts);
	if (!skel->links.find_mm)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(skel->links.find_mm));
	if (fd < 0)
		return -errno;
	while (read(fd, buf, sizeof(buf)) > 0)
		;
	return skel->bss->target_mm ? 0 : -ESRCH;
}

static int aging_load(struct aging *aging, const struct guest_mem *mem)
{
	const struct guest_memslot *slots;
	struct aging_bpf *skel = aging->skel;
	uint64_t nr_words = BITMAP_WORDS(aging->nr_frames);
	unsigned int nr;
	void *map;
	int err;

	slots = guest_mem_slots(mem, &nr);
	if (nr > AGING_MAX_WINDOWS)
		return -E2BIG;
	for (unsigned int i = 0; i < nr; i++)
		skel->rodata->windows[i] = (struct aging_window){
			.hva = slots[i].hva,
			.len = slots[i].nr_pages << VMM_PAGE_SHIFT,
			.gfn = slots[i].base.v,
		};
	skel->rodata->nr_words = nr_words;
	err = bpf_map__set_max_entries(skel->maps.young, nr_words);
	if (err)
		return err;
	err = aging_bpf__load(skel);
	if (err)
		return err;
	map = mmap(NULL, nr_words * sizeof(uint64_t), PROT_READ | PROT_WRITE,
		   MAP_SHARED, bpf_map__fd(skel->maps.young), 0);
	if (map == MAP_FAILED)
		return -errno;
	aging->young = map;
	aging->map_len = nr_words * sizeof(uint64_t);
	err = aging_find_mm(skel, guest_mem_pid(mem));
	if (err)
		return err;
	/* Both programs, now that the mm they compare with is known. */
	skel->links.clear_young = bpf_program__attach(skel->progs.clear_young);
	if (!skel->links.clear_young)
		return -errno;
	skel->links.clear_flush_young =
		bpf_program__attach(skel->progs.clear_flush_young);
	if (!skel->links.clear_flush_young)
		return -errno;
	return 0;
}

int aging_open(struct aging **agingp, const struct guest_mem *mem, char *why,
	       size_t len)
{
	struct aging *aging;
	int err = aging_probe(why, len);

	if (err)
		return err;
	aging = calloc(1, sizeof(*aging));
	if (!aging)
		return -ENOMEM;
	aging->nr_frames = guest_mem_nr_frames(mem);
	aging->skel = aging_bpf__open();
	err = aging->skel ? aging_load(aging, mem) : -errno;
	if (err) {
		aging_close(aging);
		snprintf(why, len, "the BPF program that records aging does "
			 "not load: %s%s", strerror(-err),
			 err == -EPERM || err == -EACCES ?
				 " (run as root or with CAP_BPF and CAP_PERFMON)" :
			 err == -ENOENT || err == -ESRCH ?
				 " (needs CONFIG_DYNAMIC_FTRACE and MMU notifiers)" :
				 "");
		return err;
	}
	*agingp = aging;
	return 0;
}

void aging_close(struct aging *aging)
{
	if (!aging)
		return;
	if (aging->young)
		munmap(aging->young, aging->map_len);
	aging_bpf__destroy(aging->skel);
	free(aging);
}

void aging_take(struct aging *aging, struct gfn_range range, uint64_t *young)
{
	uint64_t start = range.start.v, end = start + range.nr;

	if (end > aging->nr_frames)
		end = aging->nr_frames;
	for (uint64_t w = start / 64; start < end && w <= (end - 1) / 64; w++) {
		uint64_t mask = bitmap_word_mask(w, start, end), bits = 0;

		/* Pairs with the atomic OR in aging.bpf.c. */
		if (__atomic_load_n(&aging->young[w], __ATOMIC_RELAXED) & mask)
			bits = __atomic_fetch_and(&aging->young[w], ~mask,
						  __ATOMIC_ACQ_REL) & mask;
		if (young)
			young[w] = (young[w] & ~mask) | bits;
	}
}
