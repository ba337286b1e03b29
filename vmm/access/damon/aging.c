// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include "vmm/access/damon/aging.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/access/damon/aging-window.h"
#include "vmm/access/damon/aging.skel.h"	/* uses the above */
#include "vmm/util/bitmap.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/error-text.h"
#include "vmm/util/log.h"

struct aging {
	struct aging_bpf *skel;	/* owned */
	/* The maps of aging.bpf.c, shared with the kernel; indexed by gfn. */
	uint64_t *young;
	uint64_t *sampled;
	size_t map_len;
	uint64_t nr_frames;
};

__attribute__((format(printf, 2, 0)))
static int aging_libbpf_print(enum libbpf_print_level level, const char *fmt,
			      va_list ap)
{
	char line[256];

	/* Below LIBBPF_WARN libbpf logs each step, in hundreds of lines. */
	if (level > LIBBPF_WARN)
		return 0;
	/* Our own message covers its warnings, with the remedy. */
	vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = '\0';
	log_debug("libbpf: %s", line);
	return 0;
}

int aging_probe(char *why, size_t len)
{
	libbpf_set_print(aging_libbpf_print);
	if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_RAW_TRACEPOINT, NULL) != 1) {
		snprintf(why, len, "the kernel refuses BPF programs on "
			 "tracepoints: run as root or with CAP_BPF and "
			 "CAP_PERFMON, on a kernel with CONFIG_BPF_EVENTS that "
			 "is not locked down");
		return -EPERM;
	}
	return 0;
}

static int aging_map(struct bpf_map *map, size_t len, uint64_t **bitsp)
{
	void *at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED,
			bpf_map__fd(map), 0);

	if (at == MAP_FAILED)
		return -errno;
	*bitsp = at;
	return 0;
}

static int aging_load(struct aging *aging, const struct guest_mem *mem)
{
	const struct guest_memslot *slots;
	struct aging_bpf *skel = aging->skel;
	uint64_t nr_words = BITMAP_WORDS(aging->nr_frames);
	unsigned int nr;
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
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.sampled, nr_words);
	if (!err)
		err = aging_bpf__load(skel);
	aging->map_len = nr_words * sizeof(uint64_t);
	if (!err)
		err = aging_map(skel->maps.young, aging->map_len,
				&aging->young);
	if (!err)
		err = aging_map(skel->maps.sampled, aging->map_len,
				&aging->sampled);
	return err ? err : aging_bpf__attach(skel);
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
		snprintf(why, len, "cannot load the BPF program that records "
			 "aging: %s%s", error_text(-err),
			 err == -EPERM || err == -EACCES ?
				 " (run as root or with CAP_BPF and CAP_PERFMON)" :
			 err == -ENOENT || err == -EINVAL ?
				 " (needs the tracepoints kvm_age_hva and "
				 "damos_before_apply: KVM, and Linux 6.7)" : "");
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
	if (aging->sampled)
		munmap(aging->sampled, aging->map_len);
	aging_bpf__destroy(aging->skel);
	free(aging);
}

void aging_begin(struct aging *aging)
{
	aging->skel->bss->nr_sampled = 0;
	aging->skel->bss->nr_passes = 0;
	aging->skel->bss->in_scheme = false;
	__atomic_store_n(&aging->skel->bss->active, true, __ATOMIC_RELEASE);
}

void aging_end(struct aging *aging)
{
	__atomic_store_n(&aging->skel->bss->active, false, __ATOMIC_RELEASE);
}

bool aging_has_started(const struct aging *aging)
{
	return __atomic_load_n(&aging->skel->bss->nr_sampled,
			       __ATOMIC_RELAXED) ||
	       __atomic_load_n(&aging->skel->bss->in_scheme,
			       __ATOMIC_RELAXED) || aging_is_complete(aging);
}

bool aging_is_complete(const struct aging *aging)
{
	return __atomic_load_n(&aging->skel->bss->nr_passes, __ATOMIC_RELAXED);
}

static uint64_t take_word(uint64_t *word, uint64_t mask)
{
	/* Pairs with the atomic OR in aging.bpf.c. */
	if (!(__atomic_load_n(word, __ATOMIC_RELAXED) & mask))
		return 0;
	return __atomic_fetch_and(word, ~mask, __ATOMIC_ACQ_REL) & mask;
}

void aging_take(struct aging *aging, struct gfn_range range, uint64_t *young,
		uint64_t *unknown)
{
	uint64_t start = range.start.v, end = start + range.nr;

	if (end > aging->nr_frames)
		end = aging->nr_frames;
	for (uint64_t w = start / 64; start < end && w <= (end - 1) / 64; w++) {
		uint64_t mask = bitmap_word_mask(w, start, end);
		uint64_t found = take_word(&aging->young[w], mask);
		uint64_t lost = take_word(&aging->sampled[w], mask) & ~found;

		if (young)
			young[w] = (young[w] & ~mask) | found;
		if (unknown)
			unknown[w] = (unknown[w] & ~mask) | lost;
	}
}
