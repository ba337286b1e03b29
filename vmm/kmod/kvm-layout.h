/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KVM internals that the walk depends on: the format of the TDP MMU's page
 * table entries and where its roots are.
 *
 * They were taken from arch/x86/kvm/mmu/ of Linux 6.1, 6.12 and 7.3.  On other
 * kernel versions nothing is walked; on these, the walk is first compared at
 * run time with KVM's own results (verify.c).  A kernel whose structures differ
 * from the headers the module was built with does not load it: the checksums of
 * the exported functions (CONFIG_MODVERSIONS) cover struct kvm; without these
 * (7.3) the release string decides, as for all modules.
 */
#ifndef VMM_KMOD_KVM_LAYOUT_H
#define VMM_KMOD_KVM_LAYOUT_H

#include <linux/kvm_host.h>
#include <linux/version.h>

#define KY_IS_VERSION(major, minor)                            \
	(LINUX_VERSION_CODE >= KERNEL_VERSION(major, minor, 0) && \
	 LINUX_VERSION_CODE < KERNEL_VERSION(major, (minor) + 1, 0))

#if defined(CONFIG_X86_64) && (KY_IS_VERSION(6, 1) || KY_IS_VERSION(6, 12) || \
				KY_IS_VERSION(7, 3))
#define KY_WALK_KNOWN 1
#else
#define KY_WALK_KNOWN 0
#endif

#if KY_WALK_KNOWN

#define KY_PRESENT	BIT_ULL(11)	/* SPTE_MMU_PRESENT_MASK */
#define KY_LARGE	BIT_ULL(7)	/* PT_PAGE_SIZE_MASK */
/* SPTE_TDP_AD_DISABLED */
#define KY_AD_DISABLED	BIT_ULL(KY_IS_VERSION(7, 3) ? 60 : 52)
#define KY_ACCESSED_NPT	BIT_ULL(5)
#define KY_ACCESSED_EPT	BIT_ULL(8)
#define KY_ADDRESS	(__PHYSICAL_MASK & PAGE_MASK)

/* Pages below an entry of a level; level 1 is the lowest. */
#define KY_LEVEL_PAGES(level) (1ULL << (((level) - 1) * 9))

static_assert(sizeof(union kvm_mmu_page_role) == 4);
static_assert(sizeof(((struct kvm_mmu *)0)->root.hpa) == 8);
static_assert(PT64_ROOT_MAX_LEVEL == 5);
#ifndef KVM_HAVE_MMU_RWLOCK
#error mmu_lock is expected to be a reader-writer lock
#endif

#if KY_IS_VERSION(6, 1)

static_assert(KVM_ADDRESS_SPACE_NUM <= 2);

static inline int ky_nr_address_spaces(struct kvm *kvm)
{
	return KVM_ADDRESS_SPACE_NUM;
}

static inline bool ky_has_tdp_mmu(struct kvm *kvm)
{
	return kvm->arch.tdp_mmu_enabled;
}

static inline long ky_get_user_page(struct mm_struct *mm, u64 hva,
				    struct page **page)
{
	return get_user_pages_remote(mm, hva, 1, FOLL_NOFAULT, page, NULL,
				     NULL);
}

#else

static inline int ky_nr_address_spaces(struct kvm *kvm)
{
	return kvm_arch_nr_memslot_as_ids(kvm);
}

/*
 * In newer kernels the variable that says whether the TDP MMU is used is
 * private to KVM; it is used if it has roots.  A VM without roots, for example
 * before it runs, is served by the notifier.  Frames of private memory have no
 * host address.
 */
static inline bool ky_has_tdp_mmu(struct kvm *kvm)
{
	return !list_empty(&kvm->arch.tdp_mmu_roots) &&
	       !kvm_arch_has_private_mem(kvm);
}

static inline long ky_get_user_page(struct mm_struct *mm, u64 hva,
				    struct page **page)
{
	return get_user_pages_remote(mm, hva, 1, FOLL_NOFAULT, page, NULL);
}

#endif
#endif /* KY_WALK_KNOWN */
#endif
