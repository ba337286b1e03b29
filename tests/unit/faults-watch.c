// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A guest so large that every second 2 MiB of it, watched by itself, would take
 * more mappings than a process may have by default.  Nothing of it is touched.
 * And one that cannot be served, for want of open files.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/tap.h"
#include "vmm/mem/faults.h"

#define GIB   (UINT64_C(1) << 30)
#define BLOCK UINT64_C(512)
#define BYTES (160 * GIB + BLOCK * 4096)	/* larger blocks than that are cut */

static void no_fault(void *arg, unsigned int shard, gfn_t gfn)
{
	abort();
}

static void no_work(void *arg, unsigned int shard)
{
	abort();
}

static const struct guest_faults_ops ops = {
	.missing = no_fault, .write_protected = no_fault, .retry = no_work,
};

/* The cause is told, with its remedy. */
static void test_no_files(struct guest_mem *mem)
{
	struct rlimit limit, none;
	struct guest_faults *f;
	char why[256] = "";
	int rc;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		tap_bail("no limit of open files");
	none = limit;
	none.rlim_cur = 0;
	if (setrlimit(RLIMIT_NOFILE, &none))
		tap_bail("the limit of open files can't be lowered");
	rc = guest_faults_new(&f, mem, 2, &ops, NULL, why, sizeof(why));
	setrlimit(RLIMIT_NOFILE, &limit);
	is_int(rc, -EMFILE, "no open file is allowed: refused");
	ok(strstr(why, "ulimit -n"), "... and what helps: %s", why);
}

int main(void)
{
	const struct guest_memslot *slots;
	struct guest_faults *f;
	struct guest_mem *mem;
	uint64_t nr = 0;
	char why[256];
	unsigned int nr_slots;
	int rc;

	alarm(600);
	if (guest_mem_new(&mem, BYTES, GUEST_MEM_ANON))
		tap_bail("no memory");
	test_no_files(mem);
	rc = guest_faults_new(&f, mem, 2, &ops, NULL, why, sizeof(why));
	if (rc)
		tap_refused(rc, why);
	slots = guest_mem_slots(mem, &nr_slots);
	for (unsigned int i = 0; !rc && i < nr_slots; i++)
		for (uint64_t g = 0; !rc && g < slots[i].nr_pages;
		     g += 2 * BLOCK, nr += !rc)
			rc = guest_faults_watch(f, (struct gfn_range){
				GFN(slots[i].base.v + g), BLOCK });
	ok(!rc, "every second 2 MiB of 160 GiB can be watched (%llu: %s)",
	   (unsigned long long)nr, strerror(-rc));
	guest_faults_free(f);
	guest_mem_free(mem);
	return tap_done();
}
