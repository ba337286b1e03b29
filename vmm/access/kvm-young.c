// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The source kvm-young: accessed bits straight from the VM's second-level page
 * tables, by a kernel module.  Each memory slot in the range takes an ioctl, or
 * several if the module ends them early.  The module works on host virtual
 * addresses, this file on frames:
 *
 *   range, gfns     |------ slot 0 ------|   hole   |--- slot 1 ---|
 *   ioctls, hvas    |--------------------|          |--------------|
 *
 * Bits are cleared with a TLB flush, so that a page in use is young again in
 * the next window.  A leaf entry has one bit for all its pages; that of a huge
 * leaf is cleared only by a harvest that covers all of it, so its pages may
 * look young for too long, but never idle too early.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/access/source.h"
#include "vmm/access/sources.h"
#include "vmm/kmod/kvm-young-abi.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/error-text.h"

#define READ_AND_CLEAR (KVM_YOUNG_CLEAR | KVM_YOUNG_FLUSH)

struct kvm_young {
	struct access_source base;	/* must come first */
	const struct guest_mem *mem;	/* not owned */
	int fd;				/* owned: of the module's device */
	int vm_fd;			/* not owned */
	uint64_t *bits;	/* owned: result for frames not aligned to words */
	uint64_t cap_words;		/* allocated for bits */
};

/* Opens the device and reads its info.  A descriptor, or -errno with why. */
static int open_device(char *why, size_t len, struct kvm_young_info *info)
{
	int fd = open(KVM_YOUNG_PATH, O_RDWR | O_CLOEXEC), err;

	if (fd < 0) {
		err = -errno;
		if (err == -ENOENT || err == -ENXIO || err == -ENODEV)
			snprintf(why, len, "no " KVM_YOUNG_PATH ": the module "
				 "kvm_young is not loaded: make kmod, then "
				 "insmod vmm/kmod/kvm_young.ko");
		else
			snprintf(why, len, KVM_YOUNG_PATH ": %s%s",
				 error_text(-err),
				 err == -EACCES || err == -EPERM ?
					 ": run as root" : "");
		return err;
	}
	if (ioctl(fd, KVM_YOUNG_GET_INFO, info)) {
		err = -errno;
		snprintf(why, len, KVM_YOUNG_PATH ": %s", error_text(-err));
	} else if (info->abi_version != KVM_YOUNG_ABI_VERSION ||
		   (info->flags & READ_AND_CLEAR) != READ_AND_CLEAR) {
		err = -EPROTO;
		snprintf(why, len, KVM_YOUNG_PATH " has ABI version %u, not "
			 "%u: load the module that was built with this vmm",
			 info->abi_version, KVM_YOUNG_ABI_VERSION);
	} else {
		return fd;
	}
	close(fd);
	return err;
}

static int kvm_young_probe(const struct access_target *target, char *why,
			   size_t len)
{
	struct kvm_young_info info;
	__cleanup_close int fd = open_device(why, len, &info);

	if (fd < 0)
		return fd;
	if (target->vm_fd < 0) {
		snprintf(why, len, "the VM's KVM file descriptor is not known: "
			 "attach as root to the process that runs the VM");
		return -EBADF;
	}
	return 0;
}

static int kvm_young_open(struct access_source **srcp,
			  const struct access_target *target, char *why,
			  size_t len)
{
	struct kvm_young_info info;
	struct kvm_young *ky = calloc(1, sizeof(*ky));
	int err;

	if (!ky)
		return -ENOMEM;
	ky->fd = open_device(why, len, &info);
	if (ky->fd < 0) {
		err = ky->fd;
		free(ky);
		return err;
	}
	ky->base = (struct access_source){
		.ops = &access_source_kvm_young,
		.granule_pages = 1,
		.lossy = false,
		.cost = info.method == KVM_YOUNG_BY_WALK ? ACCESS_COST_WALK :
							   ACCESS_COST_RMAP,
	};
	ky->mem = target->mem;
	ky->vm_fd = target->vm_fd;
	*srcp = &ky->base;
	return 0;
}

/*
 * Reads and clears the accessed bits of frames [gfn, gfn + nr), which are at
 * hva, and sets those found in `young`, unless that is NULL.
 */
static int read_and_clear(struct kvm_young *ky, uint64_t gfn, uint64_t hva,
			  uint64_t nr, uint64_t *young)
{
	uint64_t words = BITMAP_WORDS(nr), done = 0, *bits = NULL;
	bool direct = gfn % 64 == 0 && nr % 64 == 0;

	if (young && direct) {
		bits = young + gfn / 64;
	} else if (young) {
		if (words > ky->cap_words) {
			free(ky->bits);
			ky->bits = malloc(words * sizeof(*ky->bits));
			ky->cap_words = ky->bits ? words : 0;
			if (!ky->bits)
				return -ENOMEM;
		}
		bits = ky->bits;
	}
	/* The module may end a call early, after a multiple of 64 pages. */
	while (done < nr) {
		struct kvm_young_scan scan = {
			.size = sizeof(scan), .flags = READ_AND_CLEAR,
			.vm_fd = ky->vm_fd,
			.hva = hva + (done << VMM_PAGE_SHIFT),
			.nr_pages = nr - done,
			.young = bits ? (uintptr_t)(bits + done / 64) : 0,
		};

		if (access_is_stopping(&ky->base))
			return -ECANCELED;
		if (ioctl(ky->fd, KVM_YOUNG_SCAN, &scan))
			return -errno;
		if (!scan.nr_scanned)
			return -EIO;
		done += scan.nr_scanned;
	}
	if (young && !direct)
		for (uint64_t i = bitmap_next(ky->bits, 0, nr); i < nr;
		     i = bitmap_next(ky->bits, i + 1, nr))
			bitmap_set(young, gfn + i);
	return 0;
}

/* Calls read_and_clear() for the part of the range in each slot. */
static int read_and_clear_range(struct kvm_young *ky, struct gfn_range range,
				uint64_t *young)
{
	unsigned int nr_slots;
	const struct guest_memslot *slots = guest_mem_slots(ky->mem, &nr_slots);
	uint64_t end = range.start.v + range.nr;

	for (unsigned int i = 0; i < nr_slots; i++) {
		const struct guest_memslot *slot = &slots[i];
		uint64_t first = slot->base.v, last = first + slot->nr_pages;
		int err;

		if (first < range.start.v)
			first = range.start.v;
		if (last > end)
			last = end;
		if (first >= last)
			continue;
		err = read_and_clear(ky, first,
				     slot->hva + ((first - slot->base.v)
						  << VMM_PAGE_SHIFT),
				     last - first, young);
		if (err)
			return err;
	}
	return 0;
}

static int kvm_young_arm(struct access_source *src, struct gfn_range range)
{
	return read_and_clear_range((struct kvm_young *)src, range, NULL);
}

static int kvm_young_harvest(struct access_source *src, struct gfn_range range,
			     uint64_t *young)
{
	bitmap_clear_range(young, range.start.v, range.start.v + range.nr);
	return read_and_clear_range((struct kvm_young *)src, range, young);
}

static void kvm_young_close(struct access_source *src)
{
	struct kvm_young *ky = (struct kvm_young *)src;

	close(ky->fd);
	free(ky->bits);
	free(ky);
}

const struct access_source_ops access_source_kvm_young = {
	.name = "kvm-young",
	.what = "the kvm-young module: second-level page table entries",
	.probe = kvm_young_probe,
	.open = kvm_young_open,
	.arm = kvm_young_arm,
	.harvest = kvm_young_harvest,
	.close = kvm_young_close,
};
