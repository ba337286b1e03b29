/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The elements that domain-xml.c and domain-remove.c need in a domain's XML. */
#ifndef VMM_LIBVIRT_DOMAIN_PARTS_H
#define VMM_LIBVIRT_DOMAIN_PARTS_H

#include "vmm/libvirt/domain-doc.h"

/* The elements that matter to us; NULL: absent. */
struct domain_parts {
	xmlNodePtr root, devices, metadata, ours, channel, vsock, controller;
};

/* As domain_doc_open(); also -EINVAL if there is no <devices>. */
int domain_parts_open(struct domain_doc *d, struct domain_parts *p,
		      const char *xml, char *why, size_t len);

/* The first controller of this type and index; index "": any. */
xmlNodePtr domain_parts_controller(xmlNodePtr devices, const char *type,
				   const char *index);

/*
 * The element vmm:reclaim, malloc'ed; each attribute may be NULL or empty, and
 * is then left out.  bare: without the namespace, which libvirt adds itself.
 */
char *domain_parts_element(const char *policy, const char *abits,
			   const char *added, bool bare);

/* Lists of words, separated by spaces. */
bool domain_has_word(const char *words, const char *word);
/*
 * Adds a word to *words, which is malloc'ed.  False: out of memory, now or
 * before; *words is then NULL.
 */
bool domain_add_word(char **words, const char *word);

/* Whether the texts are the same; NULL counts as "". */
bool domain_same_text(const char *a, const char *b);

#endif
