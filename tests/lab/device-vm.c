// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * device-vm KERNEL INITRD CMDLINE DISK RO-DISK TAP VSOCK: a VM of 384 MiB with
 * every virtio device, for tests.  The console is on stdout.  Commands come on
 * stdin, one a line:
 *
 *   balloon BYTES   sets the balloon's target
 *   stats           writes "stats TARGET ACTUAL REPORTED-PAGES" to stderr
 *
 * Exit status: enum vm_end, or 99 when the VM did not start.
 */
#include "config.h"

#include <err.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/dev/device.h"
#include "vmm/dev/legacy.h"
#include "vmm/dev/serial.h"
#include "vmm/kvm/boot.h"
#include "vmm/kvm/vm.h"

static void *commands(void *arg)
{
	struct virtio_balloon *balloon = arg;
	struct virtio_balloon_stats s;
	uint64_t bytes;
	char line[128];

	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "balloon %" SCNu64, &bytes) == 1)
			virtio_balloon_set_target(balloon, bytes);
		virtio_balloon_get_stats(balloon, &s);
		fprintf(stderr, "stats %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
			s.target_bytes, s.actual_bytes, s.nr_reported);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	const struct vm_config vc = { .name = "device-vm", .nr_cpus = 1,
				      .mem_bytes = 384 << 20 };
	struct boot_config bc;
	struct vm *vm;
	struct legacy *legacy;
	struct serial *serial;
	struct virtio_blk *disk, *ro_disk;
	struct virtio_net *net;
	struct virtio_rng *rng;
	struct virtio_balloon *balloon;
	struct virtio_vsock *vsock;
	pthread_t thread;
	char why[1024] = "out of memory";
	enum vm_end end;

	if (argc != 8)
		errx(99, "KERNEL INITRD CMDLINE DISK RO-DISK TAP VSOCK");
	bc = (struct boot_config){ .kernel = argv[1], .initrd = argv[2],
				   .cmdline = argv[3] };
	if (vm_new(&vm, &vc, why, sizeof(why)) ||
	    legacy_new(&legacy, vm) ||
	    serial_new(&serial, vm, STDOUT_FILENO) ||
	    virtio_blk_new(&disk, vm, argv[4], false, why, sizeof(why)) ||
	    virtio_blk_new(&ro_disk, vm, argv[5], true, why, sizeof(why)) ||
	    virtio_net_new(&net, vm, argv[6], why, sizeof(why)) ||
	    virtio_rng_new(&rng, vm, why, sizeof(why)) ||
	    virtio_balloon_new(&balloon, vm, why, sizeof(why)) ||
	    virtio_vsock_new(&vsock, vm, argv[7], 3, why, sizeof(why)) ||
	    boot_load(vm, &bc, why, sizeof(why)))
		errx(99, "%s", why);
	if (vm_start(vm) || pthread_create(&thread, NULL, commands, balloon))
		errx(99, "cannot start");
	pthread_detach(thread);
	end = vm_wait(vm);
	serial_finish(serial, 10000);
	fprintf(stderr, "end %d\n", end);
	/* The command thread may still hold the balloon: process exit frees. */
	_exit(end);
}
