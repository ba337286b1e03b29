// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/libvirt/domain-parts.h"
#include "vmm/libvirt/domain-xml.h"

#define ELEMENT "reclaim"

static bool is_ours(xmlNodePtr node)
{
	return node->ns && node->ns->href &&
	       !strcmp((const char *)node->ns->href, DOMAIN_XML_NS);
}

static xmlNodePtr find_channel(xmlNodePtr devices)
{
	xmlNodePtr c, target;

	for (c = domain_doc_child(devices, "channel"); c;
	     c = domain_doc_next(c, "channel")) {
		target = domain_doc_child(c, "target");
		if (!strcmp(domain_doc_attr(target, "name"),
			    DOMAIN_XML_CHANNEL) &&
		    !strcmp(domain_doc_attr(target, "type"), "virtio"))
			break;
	}
	return c;
}

xmlNodePtr domain_parts_controller(xmlNodePtr devices, const char *type,
				  const char *index)
{
	xmlNodePtr c = domain_doc_child(devices, "controller");

	while (c && (strcmp(domain_doc_attr(c, "type"), type) ||
		     (*index && strcmp(domain_doc_attr(c, "index"), index))))
		c = domain_doc_next(c, "controller");
	return c;
}

int domain_parts_open(struct domain_doc *d, struct domain_parts *p, const char *xml,
		      char *why, size_t len)
{
	int rc = domain_doc_open(d, xml, why, len);

	if (rc)
		return rc;
	*p = (struct domain_parts){ .root = xmlDocGetRootElement(d->doc) };
	p->devices = domain_doc_child(p->root, "devices");
	p->metadata = domain_doc_child(p->root, "metadata");
	p->ours = domain_doc_child(p->metadata, ELEMENT);
	while (p->ours && !is_ours(p->ours))
		p->ours = domain_doc_next(p->ours, ELEMENT);
	p->channel = find_channel(p->devices);
	p->vsock = domain_doc_child(p->devices, "vsock");
	p->controller = domain_parts_controller(p->devices, "virtio-serial", "");
	if (p->devices)
		return 0;
	domain_doc_close(d);
	snprintf(why, len, "the domain has no <devices>");
	return -EINVAL;
}

static void put_attr(FILE *f, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	fprintf(f, " %s=\"", name);
	for (; *value; value++) {
		if (*value == '<')
			fputs("&lt;", f);
		else if (*value == '>')
			fputs("&gt;", f);
		else if (*value == '&')
			fputs("&amp;", f);
		else if (*value == '"')
			fputs("&quot;", f);
		else
			putc(*value, f);
	}
	putc('"', f);
}

char *domain_parts_element(const char *policy, const char *abits,
			  const char *added, bool bare)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fprintf(f, bare ? "<" ELEMENT : "<" DOMAIN_XML_PREFIX ":" ELEMENT
		" xmlns:" DOMAIN_XML_PREFIX "=\"" DOMAIN_XML_NS "\"");
	put_attr(f, "policy", policy);
	put_attr(f, "abits", abits);
	put_attr(f, "added", added);
	fputs("/>", f);
	if (!fclose(f))
		return text;
	free(text);
	return NULL;
}

bool domain_has_word(const char *words, const char *word)
{
	size_t n = strlen(word);

	while (*words) {
		words += strspn(words, " ");
		if (strcspn(words, " ") == n && !strncmp(words, word, n))
			return true;
		words += strcspn(words, " ");
	}
	return false;
}

bool domain_add_word(char **words, const char *word)
{
	char *longer;

	if (!*words)
		return false;
	if (domain_has_word(*words, word))
		return true;
	if (asprintf(&longer, "%s%s%s", *words, **words ? " " : "", word) < 0)
		longer = NULL;
	free(*words);
	*words = longer;
	return longer;
}

bool domain_same_text(const char *a, const char *b)
{
	return !strcmp(a ? a : "", b ? b : "");
}
