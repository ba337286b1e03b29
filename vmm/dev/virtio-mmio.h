/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registers of a virtio device in memory (virtio 1.2, section 4.2.2,
 * version 2), on the bus with a struct virtio_device as its dev.
 */
#ifndef VMM_DEV_VIRTIO_MMIO_H
#define VMM_DEV_VIRTIO_MMIO_H

#include "vmm/kvm/bus.h"

extern const struct bus_ops virtio_mmio_ops;

#endif
