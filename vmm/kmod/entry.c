// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Roots and entries of KVM's TDP MMU (EPT, NPT).
 *
 * Under mmu_lock for read, page faults and zaps change entries at the same
 * time, each by compare-and-exchange from the value read, and so do we: a plain
 * clear_bit() could hit an entry that was just frozen (REMOVED_SPTE,
 * FROZEN_SPTE), which has the accessed bits' positions set, and corrupt it.
 */
#include "kvm-young.h"

#if KY_WALK_KNOWN

u64 ky_accessed __read_mostly;

bool ky_walk_init(void)
{
	switch (boot_cpu_data.x86_vendor) {
	case X86_VENDOR_AMD:
	case X86_VENDOR_HYGON:
		ky_accessed = KY_ACCESSED_NPT;
		return boot_cpu_has(X86_FEATURE_SVM);
	case X86_VENDOR_INTEL:
	case X86_VENDOR_ZHAOXIN:
	case X86_VENDOR_CENTAUR:
		ky_accessed = KY_ACCESSED_EPT;
		return boot_cpu_has(X86_FEATURE_VMX);
	}
	return false;
}

bool ky_walk_supports(struct kvm *kvm)
{
	/* Pairs with the release in mmu_first_shadow_root_alloc(). */
	return ky_has_tdp_mmu(kvm) &&
	       !smp_load_acquire(&kvm->arch.shadow_root_allocated);
}

static bool ky_add_root(struct ky_roots *roots, hpa_t hpa)
{
	unsigned int i;

	if (!VALID_PAGE(hpa))
		return true;
	for (i = 0; i < roots->nr; i++)
		if (roots->hpa[i] == hpa)
			return true;
	if (roots->nr == KY_MAX_ROOTS)
		return false;
	roots->hpa[roots->nr++] = hpa;
	return true;
}

int ky_find_roots(struct kvm *kvm, struct ky_roots *roots)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;
	int j;

	roots->nr = 0;
	roots->level = 0;
	if (!atomic_read(&kvm->online_vcpus))
		return 0;
	kvm_for_each_vcpu(i, vcpu, kvm) {
		struct kvm_mmu *mmu = &vcpu->arch.root_mmu;
		union kvm_mmu_page_role role;
		unsigned int before = roots->nr;

		role.word = READ_ONCE(mmu->root_role.word);
		if (!ky_add_root(roots, READ_ONCE(mmu->root.hpa)))
			return -EOPNOTSUPP;
		for (j = 0; j < KVM_MMU_NUM_PREV_ROOTS; j++)
			if (!ky_add_root(roots,
					 READ_ONCE(mmu->prev_roots[j].hpa)))
				return -EOPNOTSUPP;
		if (roots->nr == before)
			continue;
		if (!role.direct || role.ad_disabled ||
		    (role.level != 4 && role.level != 5) ||
		    (roots->level && roots->level != role.level))
			return -EOPNOTSUPP;
		roots->level = role.level;
	}
	return 0;
}

u64 *ky_table(u64 entry)
{
	return __va(entry & KY_ADDRESS);
}

u64 *ky_descend(hpa_t root, int root_level, gfn_t gfn, int lowest, int *level,
		u64 *value)
{
	u64 *table = ky_table(root);
	u64 *entry;
	int l;

	for (l = root_level;; l--) {
		entry = &table[(gfn >> ((l - 1) * 9)) & 511];
		*value = READ_ONCE(*entry);
		*level = l;
		if (l == lowest || !(*value & KY_PRESENT) ||
		    (*value & KY_LARGE))
			return entry;
		table = ky_table(*value);
	}
}

bool ky_clear(u64 *entry, u64 value)
{
	u64 old = value;

	while (!try_cmpxchg64(entry, &old, old & ~ky_accessed)) {
		if ((old ^ value) & (KY_PRESENT | KY_LARGE | KY_ADDRESS))
			return false;
		if (!(old & ky_accessed))
			return false;
	}
	return true;
}

#endif
