// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vmm run: builds a VM from its parts, runs it, and frees them.
 *
 * The main thread waits for two events: a signal that ends the VM, reported by
 * the stop guard, and the VM's end, reported by vm_ended_fd().  From the signal
 * on all that follows has a time limit (vmm/util/stop-guard.h), including the
 * freeing of the parts here.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/cmd/cmd.h"
#include "vmm/cmd/run-options.h"
#include "vmm/dev/console.h"
#include "vmm/dev/device.h"
#include "vmm/dev/legacy.h"
#include "vmm/dev/serial.h"
#include "vmm/dev/virtqueue.h"
#include "vmm/kvm/boot.h"
#include "vmm/kvm/vm.h"
#include "vmm/service/service.h"
#include "vmm/util/error-text.h"
#include "vmm/util/fd-limit.h"
#include "vmm/util/log.h"
#include "vmm/util/stop-guard.h"

/*
 * A disk pins the buffers of one request; the other half of the pins that a
 * page can have is for rings and for walks of page tables, a few for each queue
 * and thread.
 */
_Static_assert(RUN_MAX_DISKS * VIRTQUEUE_MAX_SEGS <= GUEST_MEM_MAX_PINS / 2,
	       "disks may hold a page more often than can be counted");

/* All owned; NULL where there is no such part (yet). */
struct machine {
	struct vm *vm;
	struct legacy *legacy;
	struct serial *serial;
	struct console *console;
	struct virtio_blk *disks[RUN_MAX_DISKS];
	struct virtio_net *net;
	struct virtio_rng *rng;
	struct virtio_balloon *balloon;
	struct virtio_vsock *vsock;
	struct service service;
};

static int add_devices(struct machine *m, const struct run_options *o,
		       char *why, size_t len)
{
	int rc = legacy_new(&m->legacy, m->vm);

	if (!rc)
		rc = serial_new(&m->serial, m->vm, STDOUT_FILENO);
	if (rc) {
		snprintf(why, len, "cannot add the legacy devices: %s",
			 error_text(-rc));
		return rc;
	}
	for (unsigned int i = 0; !rc && i < o->nr_disks; i++)
		rc = virtio_blk_new(&m->disks[i], m->vm, o->disks[i].path,
				    o->disks[i].read_only, why, len);
	if (!rc && o->tap)
		rc = virtio_net_new(&m->net, m->vm, o->tap, why, len);
	if (!rc)
		rc = virtio_rng_new(&m->rng, m->vm, why, len);
	if (!rc)
		rc = virtio_balloon_new(&m->balloon, m->vm, why, len);
	if (!rc)
		rc = virtio_vsock_new(&m->vsock, m->vm, o->vsock, o->cid, why,
				      len);
	return rc;
}

static int assemble(struct machine *m, const struct run_options *o, char *why,
		    size_t len)
{
	struct vm_config vc = {
		.name = o->service.name, .mem_bytes = o->mem_bytes,
		.nr_cpus = o->nr_cpus, .numa = &o->numa,
	};
	const struct boot_config bc = {
		.kernel = o->kernel, .initrd = o->initrd,
		.cmdline = o->cmdline,
	};
	struct service_parts parts;
	int rc = service_choose_source(&m->service, &o->service, &vc.backing,
				       why, len);

	if (!rc)
		rc = vm_new(&m->vm, &vc, why, len);
	if (!rc)
		rc = add_devices(m, o, why, len);
	if (!rc)
		rc = boot_load(m->vm, &bc, why, len);
	if (rc)
		return rc;
	parts = (struct service_parts){
		.mem = vm_mem(m->vm), .vm_fd = vm_fd(m->vm), .vm = m->vm,
		.vsock = m->vsock, .balloon = m->balloon,
	};
	return service_start(&m->service, &o->service, &parts, why, len);
}

/* Timeout for a slow reader of the guest's last output. */
#define OUTPUT_LIMIT_MS 1000

static void take_apart(struct machine *m)
{
	if (m->serial)
		serial_finish(m->serial, OUTPUT_LIMIT_MS);
	console_free(m->console);
	service_stop(&m->service);
	virtio_vsock_free(m->vsock);
	virtio_balloon_free(m->balloon);
	virtio_rng_free(m->rng);
	virtio_net_free(m->net);
	for (unsigned int i = 0; i < RUN_MAX_DISKS; i++)
		virtio_blk_free(m->disks[i]);
	serial_free(m->serial);
	legacy_free(m->legacy);
	service_close_sink(&m->service);
	vm_free(m->vm);
}

/* Returns when the VM has ended; a signal makes it end. */
static void watch(struct vm *vm, int stop_fd)
{
	struct pollfd fds[] = {
		{ .fd = vm_ended_fd(vm), .events = POLLIN },
		{ .fd = stop_fd, .events = POLLIN },
	};

	while (!fds[0].revents) {
		if (poll(fds, 2, -1) <= 0 || !fds[1].revents)
			continue;
		vm_stop(vm, VM_END_STOPPED);
		fds[1].fd = -1;
		fds[1].revents = 0;
	}
}

static int exit_status(enum vm_end end)
{
	static const struct {
		int status;
		const char *text;
	} ends[] = {
		[VM_END_POWEROFF] = { VMM_EXIT_OK, "powered off" },
		[VM_END_RESET] = { VMM_EXIT_RESET, "requested a reset" },
		[VM_END_PANIC] = { VMM_EXIT_PANIC, "panicked" },
		[VM_END_CRASH] = { VMM_EXIT_CRASH, "crashed" },
		[VM_END_STOPPED] = { VMM_EXIT_SIGNAL, "was stopped" },
	};

	log_debug("the guest %s", ends[end].text);
	return ends[end].status;
}

/* The exit status.  Negative: the VM could not be started. */
static int run(struct machine *m, int stop_fd)
{
	int rc = vm_start(m->vm);

	if (rc)
		return rc;
	watch(m->vm, stop_fd);
	rc = exit_status(vm_wait_end(m->vm));
	/* Threads may wait for pages in a store whose device never answers. */
	stop_guard_ending(rc);
	vm_wait(m->vm);
	return rc;
}

int cmd_run(int argc, char **argv)
{
	struct run_options o;
	struct machine m = { 0 };
	char why[1024] = "";
	int stop_fd, rc = run_options_parse(&o, argc, argv);

	if (rc)
		goto out_options;
	if (o.verbose)
		log_set_level(LOG_LEVEL_DEBUG);
	stop_fd = stop_guard_start_server();
	if (stop_fd < 0) {
		log_error("cannot set up signal handling: %s",
			  error_text(-stop_fd));
		rc = VMM_EXIT_FAILURE;
		goto out_options;
	}
	fd_limit_raise();
	rc = assemble(&m, &o, why, sizeof(why));
	if (rc) {
		log_error("%s", why);
		rc = VMM_EXIT_FAILURE;
		goto out;
	}
	rc = console_new(&m.console, m.vm, m.serial);
	if (!rc)
		rc = run(&m, stop_fd);
	if (rc < 0) {
		log_error("cannot start the guest: %s", error_text(-rc));
		rc = VMM_EXIT_FAILURE;
	}
out:
	take_apart(&m);
out_options:
	run_options_free(&o);
	return rc;
}
