/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory-mapped registers of a virtio device (virtio 1.2, section 4.2.2,
 * version 2); on the bus, `dev` is the struct virtio_device.
 */
#ifndef VMM_DEV_VIRTIO_MMIO_H
#define VMM_DEV_VIRTIO_MMIO_H

#include "vmm/kvm/bus.h"

extern const struct bus_ops virtio_mmio_ops;

#endif
