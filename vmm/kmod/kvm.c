// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KVM functions that the module needs: to identify a VM's file, and to flush a
 * VM's TLBs.  Linux 6.18 and newer export them only to KVM's own modules
 * (EXPORT_SYMBOL_FOR_KVM_INTERNAL); there the same is implemented with the
 * definitions in KVM's headers.
 */
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/module.h>
#include <linux/smp.h>
#include <linux/string.h>

#include "kvm-young.h"

#ifndef EXPORT_SYMBOL_FOR_KVM_INTERNAL

struct kvm *ky_vm_of(struct file *file)
{
	return file_is_kvm(file) ? file->private_data : NULL;
}

void ky_flush_tlbs(struct kvm *kvm, struct cpumask *kick)
{
	kvm_flush_remote_tlbs(kvm);
}

#else

/*
 * Only the kernel names the files of the anonymous inode file system, and KVM
 * calls those of VMs, and no others, "kvm-vm".
 */
struct kvm *ky_vm_of(struct file *file)
{
	static const char name[] = "kvm-vm";
	const struct dentry *dentry = file->f_path.dentry;
	const struct module *owner = file->f_op->owner;

	if (dentry->d_sb->s_magic != ANON_INODE_FS_MAGIC ||
	    dentry->d_name.len != strlen(name) ||
	    memcmp(dentry->d_name.name, name, strlen(name)))
		return NULL;
	/*
	 * The file must belong to one of KVM's modules; no owner: KVM is built
	 * in.
	 */
	if (owner && strcmp(owner->name, "kvm_amd") &&
	    strcmp(owner->name, "kvm_intel"))
		return NULL;
	return file->private_data;
}

static void ky_kicked(void *unused)
{
}

/*
 * As kvm_flush_remote_tlbs(): each vCPU flushes before it enters the guest
 * again, and we wait for those in the guest or reading its tables.
 */
void ky_flush_tlbs(struct kvm *kvm, struct cpumask *kick)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;
	int cpu, me;

	/* The loop ends at online_vcpus - 1, which must not underflow. */
	if (!atomic_read(&kvm->online_vcpus))
		return;
	me = get_cpu();
	cpumask_clear(kick);
	kvm_for_each_vcpu(i, vcpu, kvm) {
		kvm_make_request(KVM_REQ_TLB_FLUSH, vcpu);
		/* A barrier between the request and reading the mode. */
		if (kvm_vcpu_exiting_guest_mode(vcpu) == OUTSIDE_GUEST_MODE)
			continue;
		cpu = READ_ONCE(vcpu->cpu);
		if (cpu != -1 && cpu != me)
			__cpumask_set_cpu(cpu, kick);
	}
	smp_call_function_many(kick, ky_kicked, NULL, true);
	put_cpu();
}

#endif
