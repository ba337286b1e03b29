// SPDX-License-Identifier: GPL-2.0-or-later
/* Self-test of a sink: evicts memory of our own and reads it back. */
#include "config.h"

#include <errno.h>
#include <stdio.h>

#include "vmm/sink/sink.h"
#include "vmm/util/error-text.h"

#define NR    SINK_SELFTEST_PAGES
#define WORDS (VMM_PAGE_SIZE / sizeof(uint64_t))

/*
 * No two pages are equal, and none is zero.  Each word is repeated eight times,
 * for a compressing store that has no more room than there is memory.
 */
static uint64_t word_of(uint64_t i)
{
	return (i / 8 + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

static void fill(uint64_t *words)
{
	for (uint64_t i = 0; i < NR * WORDS; i++)
		words[i] = word_of(i);
}

static bool is_whole(const volatile uint64_t *words)
{
	bool whole = true;

	/* Check all of it: only a page that is read is faulted in. */
	for (uint64_t i = 0; i < NR * WORDS; i++)
		whole &= words[i] == word_of(i);
	return whole;
}

static int test(struct reclaim_sink *sink, uint64_t *words, char *why,
		size_t len)
{
	const struct gfn_range all = { GFN(0), NR };
	struct reclaim_result res = { 0 };
	int rc;

	fill(words);
	rc = sink->ops->evict(sink, &all, 1, &res);
	/*
	 * Such a sink has cleared the accessed bits now: the next call evicts
	 * pages not accessed since.
	 */
	if (!rc && sink->ops->rechecks_accessed)
		rc = sink->ops->evict(sink, &all, 1, &res);
	if (rc)
		snprintf(why, len, "self-test: cannot evict pages: %s",
			 error_text(-rc));
	/*
	 * Check even after a failure: a sink that failed must not have lost any
	 * page.
	 */
	if (!is_whole(words)) {
		snprintf(why, len, "self-test: evicted pages were damaged when "
			 "read back: do not use this sink");
		return -EIO;
	}
	if (rc)
		return rc;
	if (res.evicted)
		return res.evicted;
	snprintf(why, len, "self-test: none of %d pages could be evicted: "
		 "check that swap is not full and not forbidden by "
		 "memory.swap.max", NR);
	return -ENOSPC;
}

int sink_selftest(const struct reclaim_sink_ops *ops, const char *options,
		  char *why, size_t len)
{
	struct reclaim_sink *sink;
	struct guest_mem *mem;
	uint64_t *words;
	int rc = guest_mem_new(&mem, NR * VMM_PAGE_SIZE, GUEST_MEM_ANON);

	if (rc) {
		guest_mem_explain(rc, NR * VMM_PAGE_SIZE, GUEST_MEM_ANON, why,
				  len);
		return rc;
	}
	words = guest_mem_ptr(mem, GPA(0), NR * VMM_PAGE_SIZE);
	*why = '\0';
	rc = ops->open(&sink, mem, options, why, len);
	if (!rc) {
		rc = test(sink, words, why, len);
		ops->close(sink);
	} else if (!*why) {
		snprintf(why, len, "%s", error_text(-rc));
	}
	guest_mem_free(mem);
	return rc;
}
