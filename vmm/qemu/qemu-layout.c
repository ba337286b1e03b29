// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/qemu/qemu-layout.h"

#define PAGE_MASK UINT64_C(0xfff)
#define GIB	  (UINT64_C(1) << 30)

/*
 * A region of kind "ram", or "rom", which is RAM that the firmware has
 * write-protected:
 *   0000000000100000-000000000fffffff (prio 0, ram): pc.ram @0000000000100000
 */
static bool parse_region(const char *line, struct qemu_region *r)
{
	char kind[16], *at;
	uint64_t last;
	int n = 0;

	memset(r, 0, sizeof(*r));
	if (sscanf(line, " %" SCNx64 "-%" SCNx64 " (prio %*d, %15[^)]): %n",
		   &r->gpa, &last, kind, &n) != 3 || !n)
		return false;
	if (strcmp(kind, "ram") && strcmp(kind, "rom"))
		return false;
	if (last < r->gpa || r->gpa & PAGE_MASK || (last + 1) & PAGE_MASK)
		return false;
	r->bytes = last - r->gpa + 1;
	if (sscanf(line + n, "%63s", r->backend) != 1)
		return false;
	at = strstr(line + n, " @");
	if (at)
		r->offset = strtoull(at + 2, NULL, 16);
	return !(r->offset & PAGE_MASK);
}

static bool goes_on(const struct qemu_region *a, const struct qemu_region *b)
{
	return !strcmp(a->backend, b->backend) && a->gpa + a->bytes == b->gpa &&
	       a->offset + a->bytes == b->offset;
}

int qemu_layout_mtree(const char *text,
		      bool (*is_backend)(const char *name, void *arg), void *arg,
		      struct qemu_region regions[QEMU_MAX_REGIONS])
{
	bool in_memory = false;
	int nr = 0;

	while (*text) {
		size_t len = strcspn(text, "\r\n");
		char line[256];
		struct qemu_region r;

		snprintf(line, sizeof(line), "%.*s", (int)len, text);
		text += len;
		text += strspn(text, "\r\n");
		if (!strncmp(line, "FlatView", 8)) {
			if (nr)
				break;
			in_memory = false;
		} else if (strstr(line, " AS \"memory\"")) {
			in_memory = true;
		} else if (in_memory && parse_region(line, &r) &&
			   is_backend(r.backend, arg)) {
			if (nr && goes_on(&regions[nr - 1], &r)) {
				regions[nr - 1].bytes += r.bytes;
				continue;
			}
			if (nr == QEMU_MAX_REGIONS)
				return -E2BIG;
			regions[nr++] = r;
		}
	}
	return nr ? nr : -EPROTO;
}

bool qemu_layout_hva(const char *text, uint64_t *hva)
{
	const char *at = strstr(text, " is 0x");

	if (strncmp(text, "Host virtual address", 20) || !at)
		return false;
	*hva = strtoull(at + 4, NULL, 16);
	return *hva;
}

static const char *next_word(const char *word, const char *end)
{
	const char *zero = memchr(word, '\0', end - word);

	return zero && zero + 1 < end ? zero + 1 : NULL;
}

const char *qemu_layout_option(const char *words, size_t nr_bytes,
			       const char *name)
{
	const char *end = words + nr_bytes, *word = words;

	/* Every word must be terminated. */
	if (!nr_bytes || end[-1])
		return NULL;
	for (; word; word = next_word(word, end)) {
		const char *w = word[0] == '-' && word[1] == '-' ? word + 1 :
								   word;

		if (!strcmp(w, name))
			return next_word(word, end);
	}
	return NULL;
}

/* "2G,slots=2", "size=2097152k,maxmem=...": MiB without a suffix. */
static uint64_t parse_size(const char *text)
{
	const char *at = strstr(text, "size=");
	unsigned long long n;
	char *end;

	if (at)
		text = at + 5;
	n = strtoull(text, &end, 10);
	if (end == text || n > UINT64_MAX >> 41)
		return 0;
	switch (*end) {
	case 'b': case 'B': return n;
	case 'k': case 'K': return n << 10;
	case 'g': case 'G': return n << 30;
	case 't': case 'T': return n << 40;
	default: return n << 20;
	}
}

/*
 * As in hw/i386 of QEMU: if not all RAM fits below 2.75 GiB, q35 puts 2 GiB of
 * it below 4 GiB; if it does not fit below 3.5 GiB, pc puts 3 GiB there.
 */
static uint64_t low_bytes(const char *machine, uint64_t ram)
{
	const char *limit = strstr(machine, "max-ram-below-4g=");
	bool is_q35 = strstr(machine, "q35");
	uint64_t fits = is_q35 ? UINT64_C(0xb0000000) : UINT64_C(0xe0000000);
	uint64_t low = is_q35 ? 2 * GIB : 3 * GIB, max;

	if (strstr(machine, "microvm"))
		fits = low = UINT64_C(0xc0000000);
	if (ram < fits)
		low = ram;
	max = limit ? parse_size(limit + 17) : 0;
	return max && low > max ? max : low;
}

static bool has_nodes(const char *words, size_t nr_bytes)
{
	const char *end = words + nr_bytes;

	for (const char *w = words; w; w = next_word(w, end))
		if (!strncmp(w, "node,", 5) && strstr(w, "memdev=") &&
		    !strstr(w, "nodeid=0"))
			return true;
	return false;
}

int qemu_layout_cmdline(const char *words, size_t nr_bytes, uint64_t *ram,
			uint64_t *below_4g, char *why, size_t len)
{
	const char *m = qemu_layout_option(words, nr_bytes, "-m");
	const char *machine = qemu_layout_option(words, nr_bytes, "-machine");

	if (!machine)
		machine = qemu_layout_option(words, nr_bytes, "-M");
	if (!nr_bytes || words[nr_bytes - 1] || !strstr(words, "qemu")) {
		snprintf(why, len, "the process is not a QEMU by its name: "
			 "name a process whose command contains qemu");
		return -EINVAL;
	}
	if (has_nodes(words, nr_bytes)) {
		snprintf(why, len, "the guest has several NUMA nodes, whose "
			 "addresses only the monitor reports: give it with "
			 "--qmp");
		return -EINVAL;
	}
	*ram = m ? parse_size(m) : UINT64_C(128) << 20;
	if (!*ram || *ram & PAGE_MASK) {
		snprintf(why, len, "the size of guest memory cannot be read "
			 "from the command line (-m %s): give QEMU's monitor "
			 "with --qmp", m ? m : "");
		return -EINVAL;
	}
	*below_4g = low_bytes(machine ? machine : "pc", *ram);
	return 0;
}
