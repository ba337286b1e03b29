/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A VM and its balloon, as providers for the control server. */
#ifndef VMM_SERVICE_PROVIDERS_H
#define VMM_SERVICE_PROVIDERS_H

#include "vmm/control/providers.h"

struct virtio_balloon;
struct vm;

/* NULL: there is none.  The VM and the balloon outlive the server. */
struct stat_vm_provider service_vm_provider(const struct vm *vm);
struct stat_balloon_provider
service_balloon_provider(struct virtio_balloon *balloon);

#endif
