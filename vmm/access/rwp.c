// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Accesses by the read-write protection of userfaultfd (Linux 7.3): a protected
 * page stays resident, and its first access, by the guest or by us, removes the
 * protection inside the kernel (UFFD_FEATURE_RWP_ASYNC: no message is sent, and
 * no thread waits).  Neither privilege nor a module is needed; the price is a
 * minor fault for each touched page, within a budget (fault-budget.h).
 *
 *   arm:      UFFDIO_RWPROTECT: present pages become inaccessible, to KVM too
 *   touch:    the fault makes the page accessible again
 *   harvest:  PAGEMAP_SCAN lists accessible pages (PAGE_IS_ACCESSED)
 *
 * An access between the scan of its group and its protection (some 100 us) is
 * missed by both windows.  Protecting only the pages that were found accessed
 * would miss none, but interrupts the vCPUs for each run of them: measured, and
 * more expensive by a factor of 70 if scattered single pages, a hundredth of
 * all, are in use (tests/bench/abits in the lab).
 *
 * A newly allocated page (first touch, or after a discard) is not protected, so
 * it is young once.  An evicted page keeps its protection in swap.  Huge pages
 * of shared memory lose it when they are split: their pages are then young
 * once.
 *
 * The kernel does no fault-around in registered memory.  Memory can't be
 * registered for both this and write protection, so the store, which serves
 * write-protect faults, excludes this source.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/access/fault-budget.h"
#include "vmm/access/sources.h"
#include "vmm/access/userfaultfd-rwp.h"
#include "vmm/util/error-text.h"

/* Number of retries after a temporary failure, and the pause before each. */
#define NR_TRIES 100
#define RETRY_US 1000

struct rwp {
	struct access_source base;	/* first */
	struct guest_mem *mem;		/* not owned */
	struct fault_budget *budget;	/* owned */
	int uffd;			/* owned */
};

/* Opens a userfaultfd whose features are not yet negotiated, or -errno. */
static int open_uffd(void)
{
	int fd = syscall(SYS_userfaultfd,
			 O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);

	return fd < 0 ? -errno : fd;
}

/*
 * A request for missing features would fail without saying which are missing,
 * so a separate descriptor is used to query the kernel's features.
 */
static int kernel_features(uint64_t *features)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = open_uffd(), rc = 0;

	if (fd < 0)
		return fd;
	if (ioctl(fd, UFFDIO_API, &api))
		rc = -errno;
	close(fd);
	*features = api.features;
	return rc;
}

static int rwp_probe(const struct access_target *target, char *why, size_t len)
{
	uint64_t features = 0;
	int rc;

	if (guest_mem_pid(target->mem) != getpid()) {
		snprintf(why, len, "rwp can only protect memory of its own "
			 "process, not of another process's guest: use another "
			 "source");
		return -EOPNOTSUPP;
	}
	if (guest_mem_backing(target->mem) == GUEST_MEM_HUGETLB_1G) {
		snprintf(why, len, "rwp protects 2 MiB at a time, which 1 GiB "
			 "pages do not allow: use --mem-backing hugetlb=2M");
		return -EOPNOTSUPP;
	}
	if (guest_mem_has_faults(target->mem)) {
		snprintf(why, len, "the sink already handles write-protect "
			 "faults of this memory, which excludes rwp: use a "
			 "--sink other than store, or another source");
		return -EBUSY;
	}
	rc = kernel_features(&features);
	if (rc) {
		snprintf(why, len, "userfaultfd: %s; a kernel with "
			 "CONFIG_USERFAULTFD is needed, and permission to use "
			 "it",
			 error_text(-rc));
		return rc;
	}
	if (!(features & UFFD_FEATURE_RWP) ||
	    !(features & UFFD_FEATURE_RWP_ASYNC)) {
		snprintf(why, len, "this kernel's userfaultfd has no read-write "
			 "protection: Linux 7.3 or later with "
			 "CONFIG_USERFAULTFD_RWP is needed");
		return -EOPNOTSUPP;
	}
	return 0;
}

static int register_memory(int fd, const struct guest_mem *mem)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_RWP | UFFD_FEATURE_RWP_ASYNC,
	};
	const struct guest_memslot *slots;
	unsigned int nr;

	if (ioctl(fd, UFFDIO_API, &api))
		return -errno;
	slots = guest_mem_slots(mem, &nr);
	for (unsigned int i = 0; i < nr; i++) {
		struct uffdio_register reg = {
			.range = { slots[i].hva,
				   slots[i].nr_pages << VMM_PAGE_SHIFT },
			.mode = UFFDIO_REGISTER_MODE_RWP,
		};

		if (ioctl(fd, UFFDIO_REGISTER, &reg))
			return -errno;
	}
	return 0;
}

static int read_accessed(void *ctx, struct gfn_range range, uint64_t *marked)
{
	struct rwp *r = ctx;

	return guest_mem_accessed(r->mem, range, marked);
}

/* Protects a run within one slot. */
static int protect_run(const struct rwp *r, uint64_t gfn, uint64_t nr)
{
	struct uffdio_rwprotect arg = { .mode = UFFDIO_RWPROTECT_MODE_RWP };
	uint64_t hva;

	if (!guest_mem_gfn_to_hva(r->mem, GFN(gfn), &hva))
		return -EFAULT;
	arg.range.start = hva;
	arg.range.len = nr << VMM_PAGE_SHIFT;
	/* EAGAIN: the address space is changing (a fork, an mremap). */
	for (int i = 0; ioctl(r->uffd, UFFDIO_RWPROTECT, &arg); i++) {
		if (errno != EAGAIN || i == NR_TRIES)
			return -errno;
		usleep(RETRY_US);
	}
	return 0;
}

/* Slot by slot: adjacent slots may be apart in host addresses. */
static int protect(void *ctx, struct gfn_range range)
{
	const struct rwp *r = ctx;
	const struct guest_memslot *slots;
	uint64_t end = range.start.v + range.nr;
	unsigned int nr;

	slots = guest_mem_slots(r->mem, &nr);
	for (unsigned int i = 0; i < nr; i++) {
		uint64_t from = slots[i].base.v;
		uint64_t to = from + slots[i].nr_pages;
		int rc;

		from = from > range.start.v ? from : range.start.v;
		to = to < end ? to : end;
		rc = from < to ? protect_run(r, from, to - from) : 0;
		if (rc)
			return rc;
	}
	return 0;
}

static const struct fault_budget_ops budget_ops = {
	.read_accessed = read_accessed,
	.arm = protect,
};

/* Closing the descriptor makes all pages accessible again. */
static void rwp_close(struct access_source *src)
{
	struct rwp *r = (struct rwp *)src;

	if (r->uffd >= 0)
		close(r->uffd);
	fault_budget_free(r->budget);
	free(r);
}

static int rwp_open(struct access_source **srcp,
		    const struct access_target *target, char *why, size_t len)
{
	uint64_t per_second, leaf_pages = guest_mem_leaf_pages(target->mem);
	struct rwp *r;
	int rc = rwp_probe(target, why, len);

	if (!rc)
		rc = fault_budget_parse(target->options, &per_second,
					why, len);
	if (rc)
		return rc;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->base = (struct access_source){
		.ops = &access_source_rwp,
		.granule_pages = leaf_pages,
		.assumed_are_mapped = true,
		.cost = ACCESS_COST_FAULT,
	};
	r->mem = target->mem;
	r->uffd = open_uffd();
	rc = r->uffd < 0 ? r->uffd : register_memory(r->uffd, r->mem);
	if (rc)
		snprintf(why, len, "cannot register guest memory with "
			 "userfaultfd for read-write protection: %s",
			 error_text(-rc));
	else
		rc = fault_budget_new(&r->budget, r->mem, per_second,
				      guest_mem_is_hugetlb(r->mem) ?
				      leaf_pages : 1, &budget_ops, r);
	if (rc) {
		rwp_close(&r->base);
		return rc;
	}
	*srcp = &r->base;
	return 0;
}

static int rwp_arm(struct access_source *src, struct gfn_range range)
{
	struct rwp *r = (struct rwp *)src;

	return fault_budget_arm(r->budget, range);
}

static int rwp_harvest(struct access_source *src, struct gfn_range range,
		       uint64_t *young)
{
	struct rwp *r = (struct rwp *)src;

	return fault_budget_harvest(r->budget, src, range, young);
}

static void rwp_assumed(struct access_source *src, struct gfn_range range,
			uint64_t *assumed)
{
	struct rwp *r = (struct rwp *)src;

	fault_budget_assumed(r->budget, range, assumed);
}

const struct access_source_ops access_source_rwp = {
	.name = "rwp",
	.what = "protects guest memory by userfaultfd and records the faults",
	.backing = GUEST_MEM_ANON,
	.protects = true,
	.check_options = fault_budget_check,
	.probe = rwp_probe,
	.open = rwp_open,
	.arm = rwp_arm,
	.harvest = rwp_harvest,
	.assumed = rwp_assumed,
	.close = rwp_close,
};
