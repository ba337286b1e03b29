// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/host/domain_doc.h"
#include "vmm/host/domain_xml.h"
#include "vmm/util/cleanup.h"

#define ELEMENT "reclaim"

/* What of a domain matters to us; NULL: it is not there. */
struct parts {
	xmlNodePtr root, devices, metadata, ours, channel, vsock, controller;
};

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

/* index "": any. */
static xmlNodePtr find_controller(xmlNodePtr devices, const char *type,
				  const char *index)
{
	xmlNodePtr c = domain_doc_child(devices, "controller");

	while (c && (strcmp(domain_doc_attr(c, "type"), type) ||
		     (*index && strcmp(domain_doc_attr(c, "index"), index))))
		c = domain_doc_next(c, "controller");
	return c;
}

static int open_parts(struct domain_doc *d, struct parts *p, const char *xml,
		      char *why, size_t len)
{
	int rc = domain_doc_open(d, xml, why, len);

	if (rc)
		return rc;
	*p = (struct parts){ .root = xmlDocGetRootElement(d->doc) };
	p->devices = domain_doc_child(p->root, "devices");
	p->metadata = domain_doc_child(p->root, "metadata");
	p->ours = domain_doc_child(p->metadata, ELEMENT);
	while (p->ours && !is_ours(p->ours))
		p->ours = domain_doc_next(p->ours, ELEMENT);
	p->channel = find_channel(p->devices);
	p->vsock = domain_doc_child(p->devices, "vsock");
	p->controller = find_controller(p->devices, "virtio-serial", "");
	if (p->devices)
		return 0;
	domain_doc_close(d);
	snprintf(why, len, "the domain has no <devices>");
	return -EINVAL;
}

static char *dup_or_null(const char *s)
{
	return *s ? strdup(s) : NULL;
}

int domain_xml_read(const char *xml, struct domain_settings *s, char *why,
		    size_t len)
{
	struct domain_doc d;
	struct parts p;
	int rc = open_parts(&d, &p, xml, why, len);

	if (rc)
		return rc;
	*s = (struct domain_settings){
		.is_enabled = p.ours,
		.policy = dup_or_null(domain_doc_attr(p.ours, "policy")),
		.abits = dup_or_null(domain_doc_attr(p.ours, "abits")),
		.added = dup_or_null(domain_doc_attr(p.ours, "added")),
		.has_channel = p.channel,
		.has_vsock = p.vsock,
		.has_virtio_serial = p.controller,
		.channel_path = dup_or_null(domain_doc_attr(
			domain_doc_child(p.channel, "source"), "path")),
	};
	domain_doc_close(&d);
	return 0;
}

void domain_settings_free(struct domain_settings *s)
{
	free(s->policy);
	free(s->abits);
	free(s->added);
	free(s->channel_path);
	*s = (struct domain_settings){ 0 };
}

const char *domain_xml_device(enum domain_agent agent)
{
	if (agent == DOMAIN_AGENT_CHANNEL)
		return "<channel type='unix'>\n"
		       "  <source mode='bind'/>\n"
		       "  <target type='virtio' name='" DOMAIN_XML_CHANNEL "'/>\n"
		       "</channel>";
	return "<vsock model='virtio'>\n"
	       "  <cid auto='yes'/>\n"
	       "</vsock>";
}

static void put_attr(FILE *f, const char *name, const char *value)
{
	if (!value)
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

/* bare: without the namespace, which libvirt puts there itself. */
static char *make_element(const char *policy, const char *abits,
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

char *domain_xml_metadata(const struct domain_settings *s)
{
	return make_element(s->policy, s->abits, s->added, true);
}

static bool has_word(const char *words, const char *word)
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

static void add_word(char *words, size_t len, const char *word)
{
	size_t n = strlen(words);

	if (!has_word(words, word))
		snprintf(words + n, len - n, "%s%s", n ? " " : "", word);
}

/* The element where there is none yet, or instead of the one there is. */
static void put_element(struct domain_doc *d, const struct parts *p,
			const char *element)
{
	static const char *const before[] = { "description", "title", "genid",
					      "uuid", "name" };
	__cleanup_free char *text = NULL;
	xmlNodePtr after = NULL;

	if (p->ours) {
		domain_doc_replace(d, p->ours, element);
		return;
	}
	if (p->metadata) {
		domain_doc_add_child(d, p->metadata, element);
		return;
	}
	for (size_t i = 0; !after && i < sizeof(before) / sizeof(before[0]); i++)
		after = domain_doc_child(p->root, before[i]);
	if (asprintf(&text, "<metadata>\n  %s\n</metadata>", element) < 0) {
		text = NULL;
		d->failed = true;
	} else if (after) {
		domain_doc_add_after(d, after, text);
	} else {
		d->failed = true;
	}
}

static bool same_text(const char *a, const char *b)
{
	return !strcmp(a ? a : "", b ? b : "");
}

static const char *or_null(const char *s)
{
	return *s ? s : NULL;
}

/* With a device of agent as well as with what is there. */
static int enable(const char *xml, const char *policy, const char *abits,
		  enum domain_agent agent, char **out, char *why, size_t len)
{
	char added[256];
	__cleanup_free char *element = NULL, *devices = NULL;
	struct domain_doc d;
	struct parts p;
	int rc = open_parts(&d, &p, xml, why, len);

	if (rc)
		return rc;
	if (!domain_doc_child(p.root, "name")) {
		domain_doc_close(&d);
		snprintf(why, len, "the domain has no <name>");
		return -EINVAL;
	}
	snprintf(added, sizeof(added), "%s", domain_doc_attr(p.ours, "added"));
	if (!p.metadata)
		add_word(added, sizeof(added), "metadata");
	if (agent == DOMAIN_AGENT_CHANNEL && !p.channel) {
		add_word(added, sizeof(added), "channel");
		if (!p.controller)
			add_word(added, sizeof(added),
				 "controller:virtio-serial:0");
		if (asprintf(&devices, "%s%s", p.controller ? "" :
			     "<controller type='virtio-serial' index='0'/>\n",
			     domain_xml_device(agent)) < 0)
			devices = NULL;
		d.failed |= !devices;
	} else if (agent == DOMAIN_AGENT_VSOCK && !p.vsock) {
		add_word(added, sizeof(added), "vsock");
		devices = strdup(domain_xml_device(agent));
		d.failed |= !devices;
	}
	if (devices)
		domain_doc_add_child(&d, p.devices, devices);
	element = make_element(policy, abits, or_null(added), false);
	if (!element)
		d.failed = true;
	else if (!p.ours ||
		 !same_text(policy, domain_doc_attr(p.ours, "policy")) ||
		 !same_text(abits, domain_doc_attr(p.ours, "abits")) ||
		 !same_text(added, domain_doc_attr(p.ours, "added")))
		put_element(&d, &p, element);
	rc = domain_doc_apply(&d, out);
	if (rc)
		snprintf(why, len, "no memory");
	domain_doc_close(&d);
	return rc;
}

/* The device that was added is another one than is wished now. */
static bool changes_agent(const struct domain_settings *s,
			  enum domain_agent agent)
{
	const char *added = s->added ? s->added : "";

	return agent != DOMAIN_AGENT_KEEP &&
	       ((has_word(added, "channel") && agent != DOMAIN_AGENT_CHANNEL) ||
		(has_word(added, "vsock") && agent != DOMAIN_AGENT_VSOCK));
}

int domain_xml_enable(const char *xml, const struct domain_wish *wish,
		      char **out, char *why, size_t len)
{
	enum domain_agent agent = wish->agent;
	__cleanup_free char *without = NULL;
	struct domain_settings s;
	int rc = domain_xml_read(xml, &s, why, len);

	if (rc)
		return rc;
	if (changes_agent(&s, agent))
		rc = domain_xml_disable(xml, &without, why, len);
	if (agent == DOMAIN_AGENT_KEEP)
		agent = s.is_enabled ? DOMAIN_AGENT_NONE : DOMAIN_AGENT_CHANNEL;
	if (agent == DOMAIN_AGENT_NONE && s.added && !without) {
		/* One that was added, and was taken away by hand, comes back. */
		if (has_word(s.added, "channel"))
			agent = DOMAIN_AGENT_CHANNEL;
		else if (has_word(s.added, "vsock"))
			agent = DOMAIN_AGENT_VSOCK;
	}
	if (!rc)
		rc = enable(without ? without : xml,
			    wish->policy ? wish->policy : s.policy,
			    wish->abits ? wish->abits : s.abits, agent, out,
			    why, len);
	domain_settings_free(&s);
	return rc;
}

/* Does a device other than `but` sit on this controller? */
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

/* word: controller:TYPE:INDEX.  Of serial ones `on_it` goes as well. */
static xmlNodePtr remove_controller(struct domain_doc *d, const struct parts *p,
				    char *word, xmlNodePtr on_it)
{
	char *type = strchr(word, ':') + 1, *index = strchr(type, ':');
	xmlNodePtr c;

	if (!index)
		return NULL;
	*index++ = 0;
	c = find_controller(p->devices, type, index);
	if (!c || is_used(p->devices, type, index, on_it))
		return NULL;
	domain_doc_remove(d, c);
	return c;
}

static void remove_added(struct domain_doc *d, const struct parts *p)
{
	char words[256], *word, *rest = words;
	xmlNodePtr on_it = NULL;

	snprintf(words, sizeof(words), "%s", domain_doc_attr(p->ours, "added"));
	if (has_word(words, "channel") && p->channel) {
		domain_doc_remove(d, p->channel);
		on_it = p->channel;
	}
	if (has_word(words, "vsock") && p->vsock) {
		domain_doc_remove(d, p->vsock);
		on_it = p->vsock;
	}
	/* In order: the bus after the controller that is on it. */
	while ((word = strsep(&rest, " ")))
		if (!strncmp(word, "controller:", strlen("controller:")))
			on_it = remove_controller(d, p, word, on_it);
}

/* Only us, and blanks. */
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
	struct parts p;
	int rc = open_parts(&d, &p, xml, why, len);

	if (rc)
		return rc;
	if (p.ours) {
		remove_added(&d, &p);
		if (has_word(domain_doc_attr(p.ours, "added"), "metadata") &&
		    is_alone(p.ours))
			domain_doc_remove(&d, p.metadata);
		else
			domain_doc_remove(&d, p.ours);
	}
	rc = domain_doc_apply(&d, out);
	if (rc)
		snprintf(why, len, "no memory");
	domain_doc_close(&d);
	return rc;
}

int domain_xml_note_controllers(const char *before, const char *now, char **out,
				char *why, size_t len)
{
	__cleanup_free char *element = NULL;
	char added[256], word[64];
	struct domain_doc a, b;
	struct parts p, q;
	int rc = open_parts(&a, &p, before, why, len);

	if (rc)
		return rc;
	rc = open_parts(&b, &q, now, why, len);
	if (rc) {
		domain_doc_close(&a);
		return rc;
	}
	snprintf(added, sizeof(added), "%s", domain_doc_attr(q.ours, "added"));
	for (xmlNodePtr c = domain_doc_child(q.devices, "controller"); c;
	     c = domain_doc_next(c, "controller")) {
		const char *type = domain_doc_attr(c, "type");
		const char *index = domain_doc_attr(c, "index");

		if (!*index || find_controller(p.devices, type, index))
			continue;
		snprintf(word, sizeof(word), "controller:%s:%s", type, index);
		add_word(added, sizeof(added), word);
	}
	*out = NULL;
	if (q.ours && !same_text(added, domain_doc_attr(q.ours, "added"))) {
		element = make_element(or_null(domain_doc_attr(q.ours, "policy")),
				       or_null(domain_doc_attr(q.ours, "abits")),
				       or_null(added), false);
		b.failed |= !element;
		if (element)
			domain_doc_replace(&b, q.ours, element);
		rc = domain_doc_apply(&b, out);
		if (rc)
			snprintf(why, len, "no memory");
	}
	domain_doc_close(&a);
	domain_doc_close(&b);
	return rc;
}
