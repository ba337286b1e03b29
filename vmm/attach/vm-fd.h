/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The KVM VM of another process, for example QEMU's: a descriptor of it, with
 * which the kvm-young module reads the accessed bits of its memory.
 */
#ifndef VMM_ATTACH_VM_FD_H
#define VMM_ATTACH_VM_FD_H

#include <stddef.h>
#include <sys/types.h>

/*
 * A descriptor (close-on-exec) of the only VM of process pid; the caller closes
 * it.  While it is open the VM exists, without its memory, even after the
 * process ends.  KVM's own ioctls on it work in process pid only (else EIO),
 * those of the module also here.  Needs the permission to ptrace (root, or
 * CAP_SYS_PTRACE).
 *
 * Or -errno, and why says what to do:
 *   ESRCH    no such process
 *   ENODEV   it has no VM
 *   EMLINK   it has several
 *   EPERM, EACCES, ENOSYS (before Linux 5.6), EMFILE, ...
 */
int vm_fd_of_process(pid_t pid, char *why, size_t len);

#endif
