// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * /proc/PID/pagemap is read in runs of frames that are close to each other.
 * The bitmaps cover the guest's memory, but only the parts that are used take
 * memory.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "vmm/control/host-pages.h"
#include "vmm/util/bitmap.h"

/* Frames: at most in one read, and the largest distance within a run. */
#define RUN_MAX 8192
#define GAP_MAX 64

struct wanted {
	uint64_t gfn;
	size_t at;	/* index of its answer */
};

_Static_assert(STAT_AGES == ENGINE_AGES, "clients know all ages");

struct host_pages {
	const struct stat_server_config *config;
	const char *no_ages;
	uint64_t *resident, *swapped;
	struct wanted *wanted;
	size_t max_asked;
};

static const char *why_no_ages(const struct stat_server_config *c)
{
	struct engine_stats s;

	if (!c->engine)
		return "no access source; start the VM with --abits other than "
		       "none";
	engine_get_stats(c->engine, &s);
	return s.scan.nr_scans ? NULL : "no scan has been made yet";
}

struct host_pages *host_pages_new(const struct stat_server_config *config)
{
	uint64_t nr = guest_mem_nr_frames(config->mem);
	struct host_pages *hp = calloc(1, sizeof(*hp));

	if (!hp)
		return NULL;
	hp->config = config;
	hp->no_ages = why_no_ages(config);
	hp->resident = bitmap_new(nr);
	hp->swapped = bitmap_new(nr);
	if (hp->resident && hp->swapped)
		return hp;
	host_pages_free(hp);
	return NULL;
}

void host_pages_free(struct host_pages *hp)
{
	if (!hp)
		return;
	free(hp->resident);
	free(hp->swapped);
	free(hp->wanted);
	free(hp);
}

const char *host_pages_no_ages(const struct host_pages *hp)
{
	return hp->no_ages;
}

static int by_gfn(const void *a, const void *b)
{
	const struct wanted *x = a, *y = b;

	return (x->gfn > y->gfn) - (x->gfn < y->gfn);
}

static int age_of(const struct host_pages *hp, uint64_t gfn)
{
	struct engine_page page;

	if (hp->no_ages || engine_get_page(hp->config->engine, GFN(gfn), &page))
		return -1;
	/* If it became resident after the last scan, it was just touched. */
	return page.resident ? page.age : 0;
}

/* The frames of wanted[0 .. nr - 1] are in rising order, within RUN_MAX. */
static int lookup_run(struct host_pages *hp, const struct wanted *wanted,
		      size_t nr, struct host_page *pages)
{
	struct gfn_range range = { GFN(wanted[0].gfn),
				   wanted[nr - 1].gfn - wanted[0].gfn + 1 };
	int rc = guest_mem_residency(hp->config->mem, range, hp->resident,
				     hp->swapped);

	if (rc)
		return rc;
	for (size_t i = 0; i < nr; i++) {
		struct host_page *p = &pages[wanted[i].at];

		p->resident = bitmap_test(hp->resident, wanted[i].gfn);
		p->swapped = bitmap_test(hp->swapped, wanted[i].gfn);
		p->age = p->resident ? age_of(hp, wanted[i].gfn) : -1;
	}
	return 0;
}

/* How many of the sorted frames make one run. */
static size_t run_length(const struct wanted *wanted, size_t nr)
{
	size_t n = 1;

	while (n < nr && wanted[n].gfn - wanted[n - 1].gfn <= GAP_MAX &&
	       wanted[n].gfn - wanted[0].gfn < RUN_MAX)
		n++;
	return n;
}

static int grow(struct host_pages *hp, size_t nr)
{
	struct wanted *bigger;

	if (nr <= hp->max_asked)
		return 0;
	bigger = reallocarray(hp->wanted, nr, sizeof(*bigger));
	if (!bigger)
		return -ENOMEM;
	hp->wanted = bigger;
	hp->max_asked = nr;
	return 0;
}

int host_pages_lookup(struct host_pages *hp, const gfn_t *gfns, size_t nr,
		      struct host_page *pages)
{
	size_t nr_ram = 0, n;
	uint64_t hva;
	int rc = grow(hp, nr);

	if (rc)
		return rc;
	for (size_t i = 0; i < nr; i++) {
		pages[i] = (struct host_page){ .age = -1 };
		pages[i].ram = guest_mem_gfn_to_hva(hp->config->mem,
						    gfns[i], &hva);
		if (pages[i].ram)
			hp->wanted[nr_ram++] = (struct wanted){ gfns[i].v, i };
	}
	if (nr_ram)
		qsort(hp->wanted, nr_ram, sizeof(*hp->wanted), by_gfn);
	for (size_t i = 0; i < nr_ram && !rc; i += n) {
		n = run_length(hp->wanted + i, nr_ram - i);
		rc = lookup_run(hp, hp->wanted + i, n, pages);
	}
	return rc;
}
