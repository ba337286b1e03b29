// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guest's CPUID.  KVM's answer is the real one; what this host may lack,
 * nested virtualization, is added by our own function, which wraps ioctl()
 * (-Wl,--wrap) and inspects what is set.
 */
#include "config.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tests/tap.h"
#include "vmm/kvm/cpuid.h"

#define VMX (1u << 5)	/* leaf 1, ECX */
#define SVM (1u << 2)	/* leaf 0x80000001, ECX */

static uint32_t supported[2], set[2];	/* ECX of the two leaves */

static struct kvm_cpuid_entry2 *find(struct kvm_cpuid2 *c, uint32_t leaf)
{
	for (unsigned int i = 0; i < c->nent; i++)
		if (c->entries[i].function == leaf)
			return &c->entries[i];
	tap_bail("KVM knows no leaf 0x%x", leaf);
}

int __real_ioctl(int fd, unsigned long request, void *arg);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;
	int rc;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (request == KVM_SET_CPUID2) {
		set[0] = find(arg, 1)->ecx;
		set[1] = find(arg, 0x80000001)->ecx;
	}
	rc = __real_ioctl(fd, request, arg);
	if (!rc && request == KVM_GET_SUPPORTED_CPUID) {
		supported[0] = find(arg, 1)->ecx |= VMX;
		supported[1] = find(arg, 0x80000001)->ecx |= SVM;
	}
	return rc;
}

int main(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm, vcpu;

	if (kvm < 0)
		tap_skip_all("no /dev/kvm: load kvm_intel or kvm_amd");
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	vcpu = vm < 0 ? -1 : ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0)
		tap_bail("no vCPU");
	is_int(cpuid_set(kvm, vcpu, 0, 1), 0, "KVM takes what is set");
	ok(!(set[0] & VMX), "the guest has no VMX");
	ok(!(set[1] & SVM), "nor SVM");
	is_int(supported[0] & ~VMX & ~set[0], 0, "it has all else of leaf 1");
	is_int(supported[1] & ~SVM & ~set[1], 0, "and of 0x80000001");
	close(vcpu);
	close(vm);
	close(kvm);
	return tap_done();
}
