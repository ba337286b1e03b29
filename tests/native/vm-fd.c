// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Finding the VM of another process: a child that has none, one, one with two
 * descriptors, two, and a child that has ended.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/tap.h"
#include "vmm/attach/vm-fd.h"

static char why[512];

/* A child with so many VMs, and a duplicate of the first; waits to be killed. */
static pid_t child_with(int nr_vms, bool duplicate)
{
	int ready[2];
	char c = 1;
	pid_t pid;

	if (pipe(ready))
		tap_bail("pipe");
	pid = fork();
	if (pid < 0)
		tap_bail("fork");
	if (!pid) {
		int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), first = -1;

		for (int i = 0; i < nr_vms; i++) {
			int vm = ioctl(kvm, KVM_CREATE_VM, 0);

			if (vm < 0)
				_exit(1);
			first = first < 0 ? vm : first;
		}
		if (duplicate && dup(first) < 0)
			_exit(1);
		if (write(ready[1], &c, 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		tap_bail("the child could not make its VMs");
	close(ready[0]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* KVM knows the request, and serves only the process that made the VM. */
static bool is_foreign_vm(int fd)
{
	return ioctl(fd, KVM_CHECK_EXTENSION, KVM_CAP_USER_MEMORY) < 0 &&
	       errno == EIO;
}

int main(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), fd;
	pid_t pid;

	if (kvm < 0)
		tap_skip_all("/dev/kvm cannot be opened: load KVM, run as root");
	close(kvm); /* its number is the lowest that is free */

	pid = child_with(1, false);
	fd = vm_fd_of_process(pid, why, sizeof(why));
	ok(fd >= 0, "the VM of a process is found");
	ok(is_foreign_vm(fd), "and it is a VM");
	ok(fcntl(fd, F_GETFD) & FD_CLOEXEC, "closed on exec");
	end(pid);
	ok(is_foreign_vm(fd), "it outlives its process");
	close(fd);
	is_int(vm_fd_of_process(pid, why, sizeof(why)), -ESRCH,
	       "a process that is gone");
	ok(strstr(why, "no process"), "it says so: %s", why);

	pid = child_with(1, true);
	fd = vm_fd_of_process(pid, why, sizeof(why));
	ok(fd >= 0, "one VM under two numbers is one");
	close(fd);
	end(pid);

	pid = child_with(0, false);
	is_int(vm_fd_of_process(pid, why, sizeof(why)), -ENODEV,
	       "a process without VM");
	ok(strstr(why, "no KVM VM"), "it says so: %s", why);
	end(pid);

	pid = child_with(2, false);
	is_int(vm_fd_of_process(pid, why, sizeof(why)), -EMLINK,
	       "a process with two VMs");
	ok(strstr(why, "several"), "it says so: %s", why);
	end(pid);

	is_int(vm_fd_of_process(-1, why, sizeof(why)), -ESRCH,
	       "a number that is no process'");
	fd = dup(0);
	is_int(fd, kvm, "no descriptor is left open");
	close(fd);
	return tap_done();
}
