// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/libvirt/domain-memory.h"
#include "vmm/libvirt/domain-parts.h"

/* Bytes; 0: unknown.  libvirt itself writes KiB only. */
static uint64_t read_size(xmlNodePtr target)
{
	xmlNodePtr size = domain_doc_child(target, "size");
	const char *unit = domain_doc_attr(size, "unit");
	char *text = size ? (char *)xmlNodeGetContent(size) : NULL;
	uint64_t kib = 0;

	if (text && (!*unit || !strcmp(unit, "KiB")))
		kib = strtoull(text, NULL, 10);
	xmlFree(text);
	return kib >> 44 ? 0 : kib << 10;
}

/* Memory of NVDIMMs and SGX devices can't be reclaimed. */
static bool is_ram(const char *model)
{
	return !strcmp(model, "dimm") || !strcmp(model, "virtio-mem");
}

int domain_memory_read(const char *xml, struct qemu_part *parts,
		       uint64_t *unknown_bytes, char *why, size_t len)
{
	struct domain_doc d;
	struct domain_parts p;
	xmlNodePtr m;
	int nr = 0, rc = domain_parts_open(&d, &p, xml, why, len);

	*unknown_bytes = 0;
	if (rc)
		return rc;
	for (m = domain_doc_child(p.devices, "memory"); m;
	     m = domain_doc_next(m, "memory")) {
		const char *model = domain_doc_attr(m, "model");
		xmlNodePtr address = domain_doc_child(m, "address");
		const char *base = domain_doc_attr(address, "base");
		struct qemu_part part = {
			.gpa = strtoull(base, NULL, 16),
			.bytes = read_size(domain_doc_child(m, "target")),
		};

		if (!is_ram(model))
			continue;
		if (strcmp(model, "dimm") || !part.gpa || !part.bytes) {
			*unknown_bytes += part.bytes;
			continue;
		}
		if (nr == QEMU_MAX_PARTS) {
			snprintf(why, len, "the domain has more than %d DIMMs",
				 QEMU_MAX_PARTS);
			nr = -E2BIG;
			break;
		}
		parts[nr++] = part;
	}
	domain_doc_close(&d);
	return nr;
}
