// SPDX-License-Identifier: GPL-2.0-or-later
/* What we added to a domain's XML: recorded, and removed again. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/libvirt/domain-parts.h"
#include "vmm/libvirt/domain-xml.h"
#include "vmm/util/cleanup.h"

/* Is a device other than `but` attached to this controller? */
static bool is_used(xmlNodePtr devices, const char *type, const char *index,
		    xmlNodePtr but)
{
	const char *attr = !strcmp(type, "pci") ? "bus" : "controller";
	unsigned long at = strtoul(index, NULL, 0);
	xmlNodePtr a;

	for (xmlNodePtr n = devices->children; n; n = n->next) {
		if (n->type != XML_ELEMENT_NODE || n == but)
			continue;
		a = domain_doc_child(n, "address");
		if (a && !strcmp(domain_doc_attr(a, "type"), type) &&
		    strtoul(domain_doc_attr(a, attr), NULL, 0) == at)
			return true;
	}
	return false;
}

/*
 * word: controller:TYPE:INDEX.  `on_it` is being removed and does not count as
 * a user of it.
 */
static xmlNodePtr remove_controller(struct domain_doc *d, const struct domain_parts *p,
				    char *word, xmlNodePtr on_it)
{
	char *type = strchr(word, ':') + 1, *index = strchr(type, ':');
	xmlNodePtr c;

	if (!index)
		return NULL;
	*index++ = 0;
	c = domain_parts_controller(p->devices, type, index);
	if (!c || is_used(p->devices, type, index, on_it))
		return NULL;
	domain_doc_remove(d, c);
	return c;
}

static void remove_added(struct domain_doc *d, const struct domain_parts *p)
{
	__cleanup_free char *words = strdup(domain_doc_attr(p->ours, "added"));
	char *word, *rest = words;
	xmlNodePtr on_it = NULL;

	if (!words) {
		d->failed = true;
		return;
	}
	if (domain_has_word(words, "channel") && p->channel) {
		domain_doc_remove(d, p->channel);
		on_it = p->channel;
	}
	if (domain_has_word(words, "vsock") && p->vsock) {
		domain_doc_remove(d, p->vsock);
		on_it = p->vsock;
	}
	/* In this order: a bus after the controller that is attached to it. */
	while ((word = strsep(&rest, " ")))
		if (!strncmp(word, "controller:", strlen("controller:")))
			on_it = remove_controller(d, p, word, on_it);
}

/* Its parent contains nothing else but blanks. */
static bool is_alone(xmlNodePtr node)
{
	for (xmlNodePtr n = node->parent->children; n; n = n->next)
		if (n != node && !xmlIsBlankNode(n))
			return false;
	return true;
}

int domain_xml_disable(const char *xml, char **out, char *why, size_t len)
{
	struct domain_doc d;
	struct domain_parts p;
	int rc = domain_parts_open(&d, &p, xml, why, len);

	if (rc)
		return rc;
	if (p.ours) {
		remove_added(&d, &p);
		if (domain_has_word(domain_doc_attr(p.ours, "added"), "metadata") &&
		    is_alone(p.ours))
			domain_doc_remove(&d, p.metadata);
		else
			domain_doc_remove(&d, p.ours);
	}
	rc = domain_doc_apply(&d, out);
	if (rc)
		snprintf(why, len, "out of memory");
	domain_doc_close(&d);
	return rc;
}

int domain_xml_note_controllers(const char *given, const char *now, char **out,
				char *why, size_t len)
{
	__cleanup_free char *element = NULL, *added = NULL;
	struct domain_doc a, b;
	struct domain_parts p, q;
	int rc = domain_parts_open(&a, &p, given, why, len);

	if (rc)
		return rc;
	rc = domain_parts_open(&b, &q, now, why, len);
	if (rc) {
		domain_doc_close(&a);
		return rc;
	}
	added = strdup(domain_doc_attr(q.ours, "added"));
	for (xmlNodePtr c = domain_doc_child(q.devices, "controller"); c;
	     c = domain_doc_next(c, "controller")) {
		const char *type = domain_doc_attr(c, "type");
		const char *index = domain_doc_attr(c, "index");
		char *word;

		if (!*index || domain_parts_controller(p.devices, type, index))
			continue;
		if (asprintf(&word, "controller:%s:%s", type, index) < 0)
			word = NULL;
		b.failed |= !word || !domain_add_word(&added, word);
		free(word);
	}
	*out = NULL;
	b.failed |= !added;
	if (b.failed) {
		rc = -ENOMEM;
		snprintf(why, len, "out of memory");
	} else if (q.ours && !domain_same_text(added, domain_doc_attr(q.ours, "added"))) {
		element = domain_parts_element(domain_doc_attr(q.ours, "policy"),
				       domain_doc_attr(q.ours, "abits"),
				       added, false);
		b.failed |= !element;
		if (element)
			domain_doc_replace(&b, q.ours, element);
		rc = domain_doc_apply(&b, out);
		if (rc)
			snprintf(why, len, "out of memory");
	}
	domain_doc_close(&a);
	domain_doc_close(&b);
	return rc;
}
