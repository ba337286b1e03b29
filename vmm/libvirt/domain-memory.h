/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory that is plugged into a running domain, by its XML:
 *
 *   <memory model='dimm'>
 *     <target><size unit='KiB'>524288</size><node>0</node></target>
 *     <address type='dimm' slot='0' base='0x100000000'/>
 *   </memory>
 *
 * No I/O.
 */
#ifndef VMM_LIBVIRT_DOMAIN_MEMORY_H
#define VMM_LIBVIRT_DOMAIN_MEMORY_H

#include <stddef.h>

#include "vmm/qemu/qemu-place.h"

/*
 * parts has room for QEMU_MAX_PARTS.  *unknown_bytes is memory whose address
 * the XML does not have: virtio-mem, and a DIMM that is just being plugged in.
 * The number of parts, -ENOMEM, -E2BIG or -EINVAL with why.
 */
int domain_memory_read(const char *xml, struct qemu_part *parts,
		       uint64_t *unknown_bytes, char *why, size_t len);

#endif
