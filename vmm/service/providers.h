/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VM and its balloon as providers (control/providers.h): functions that the
 * control server calls, so that it needs neither kvm/ nor dev/.
 */
#ifndef VMM_SERVICE_PROVIDERS_H
#define VMM_SERVICE_PROVIDERS_H

#include "vmm/control/providers.h"

struct virtio_balloon;
struct vm;

/*
 * vm, balloon: NULL if there is none; not owned, and they must outlive the
 * control server.
 */
struct stat_vm_provider service_vm_provider(const struct vm *vm);
struct stat_balloon_provider
service_balloon_provider(struct virtio_balloon *balloon);

#endif
