// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/libvirt/domain-doc.h"

struct parse {
	xmlParserCtxtPtr ctxt;
	struct domain_doc *doc;
};

/* A node's private data is the number of its span, from 1 on. */
static struct domain_span *span_of(struct domain_doc *d, xmlNodePtr node)
{
	uintptr_t i = (uintptr_t)node->_private;

	return i ? &d->spans[i - 1] : NULL;
}

static void add_span(struct domain_doc *d, xmlNodePtr node, size_t start)
{
	struct domain_span *bigger = d->spans;
	size_t max = d->max_spans ? 2 * d->max_spans : 256;

	if (d->nr_spans == d->max_spans) {
		bigger = realloc(d->spans, max * sizeof(*bigger));
		if (!bigger) {
			d->failed = true;
			return;
		}
		d->spans = bigger;
		d->max_spans = max;
	}
	d->spans[d->nr_spans++] = (struct domain_span){ .start = start };
	node->_private = (void *)(uintptr_t)d->nr_spans;
}

/* The parser's position; the text's length if it reports none in the text. */
static size_t position(struct parse *p)
{
	long at = xmlByteConsumed(p->ctxt);

	return at < 0 || (size_t)at > p->doc->len ? p->doc->len : (size_t)at;
}

/* Start of the tag that ends at or after `at`: attributes can't contain '<'. */
static size_t tag_start(const struct domain_doc *d, size_t at)
{
	const char *p = memrchr(d->text, '<', at);

	return p ? (size_t)(p - d->text) : 0;
}

static void on_start(void *arg, const xmlChar *name, const xmlChar *prefix,
		     const xmlChar *uri, int nr_ns, const xmlChar **ns,
		     int nr_attrs, int nr_defaulted, const xmlChar **attrs)
{
	xmlParserCtxtPtr ctxt = arg;
	struct parse *p = ctxt->_private;

	xmlSAX2StartElementNs(ctxt, name, prefix, uri, nr_ns, ns, nr_attrs,
			      nr_defaulted, attrs);
	if (ctxt->node)
		add_span(p->doc, ctxt->node, tag_start(p->doc, position(p)));
}

static void on_end(void *arg, const xmlChar *name, const xmlChar *prefix,
		   const xmlChar *uri)
{
	xmlParserCtxtPtr ctxt = arg;
	struct parse *p = ctxt->_private;
	struct domain_doc *d = p->doc;
	struct domain_span *s = ctxt->node ? span_of(d, ctxt->node) : NULL;

	if (s) {
		s->end = position(p);
		s->close = tag_start(d, s->end);
		s->is_empty = s->close == s->start;
		if (s->is_empty)
			s->close = s->end - 2;
		/* Checks the parser's positions, on which all edits rely. */
		if (s->end < s->start + 4 || d->text[s->end - 1] != '>' ||
		    d->text[s->close] != (s->is_empty ? '/' : '<'))
			d->failed = true;
	}
	xmlSAX2EndElementNs(ctxt, name, prefix, uri);
}

static void ignore_error(void *arg, const xmlError *error)
{
}

static int parse(struct domain_doc *d, xmlParserCtxtPtr ctxt, char *why,
		 size_t len)
{
	struct parse p = { ctxt, d };
	const xmlError *e;

	ctxt->_private = &p;
	ctxt->sax->startElementNs = on_start;
	ctxt->sax->endElementNs = on_end;
	ctxt->sax->serror = (xmlStructuredErrorFunc)ignore_error;
	xmlCtxtUseOptions(ctxt, XML_PARSE_NONET | XML_PARSE_NOERROR |
			  XML_PARSE_NOWARNING);
	xmlParseDocument(ctxt);
	d->doc = ctxt->myDoc;
	if (!ctxt->wellFormed || !d->doc) {
		e = xmlCtxtGetLastError(ctxt);
		snprintf(why, len, "not valid XML: line %d: %s",
			 e ? e->line : 0,
			 e && e->message ? e->message : "it is empty");
		why[strcspn(why, "\n")] = 0;
		return -EINVAL;
	}
	if (ctxt->input && ctxt->input->buf && ctxt->input->buf->encoder) {
		snprintf(why, len, "the XML is not in UTF-8");
		return -EINVAL;
	}
	if (d->failed) {
		snprintf(why, len, "not enough memory for the XML, or the "
			 "parser does not report the positions of its "
			 "elements");
		return -ENOMEM;
	}
	return 0;
}

int domain_doc_open(struct domain_doc *d, const char *text, char *why,
		    size_t len)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	xmlParserCtxtPtr ctxt;
	xmlNodePtr root;
	int rc;

	pthread_once(&once, xmlInitParser);
	*d = (struct domain_doc){ .text = text, .len = strlen(text) };
	ctxt = d->len ? xmlCreateMemoryParserCtxt(text, d->len) : NULL;
	if (!ctxt) {
		snprintf(why, len,
			 d->len ? "out of memory" : "the XML is empty");
		return d->len ? -ENOMEM : -EINVAL;
	}
	rc = parse(d, ctxt, why, len);
	d->doc = ctxt->myDoc;
	xmlFreeParserCtxt(ctxt);
	root = rc ? NULL : xmlDocGetRootElement(d->doc);
	if (!rc && (!root || strcmp((const char *)root->name, "domain"))) {
		snprintf(why, len, "this is not the XML of a domain");
		rc = -EINVAL;
	}
	if (rc)
		domain_doc_close(d);
	return rc;
}

void domain_doc_close(struct domain_doc *d)
{
	for (size_t i = 0; i < d->nr_edits; i++)
		free(d->edits[i].text);
	xmlFreeDoc(d->doc);
	free(d->spans);
	*d = (struct domain_doc){ 0 };
}

static xmlNodePtr find(xmlNodePtr node, const char *name)
{
	while (node && (node->type != XML_ELEMENT_NODE ||
			strcmp((const char *)node->name, name)))
		node = node->next;
	return node;
}

xmlNodePtr domain_doc_child(xmlNodePtr parent, const char *name)
{
	return parent ? find(parent->children, name) : NULL;
}

xmlNodePtr domain_doc_next(xmlNodePtr node, const char *name)
{
	return find(node->next, name);
}

const char *domain_doc_attr(xmlNodePtr node, const char *name)
{
	for (xmlAttrPtr a = node ? node->properties : NULL; a; a = a->next)
		if (!strcmp((const char *)a->name, name) && a->children &&
		    a->children->content && !a->children->next)
			return (const char *)a->children->content;
	return "";
}

/* Takes ownership of text; NULL: an allocation failed. */
static void add_edit(struct domain_doc *d, size_t at, size_t len, char *text)
{
	if (!text || d->nr_edits == DOMAIN_MAX_EDITS) {
		free(text);
		d->failed = true;
		return;
	}
	d->edits[d->nr_edits++] = (struct domain_edit){ at, len, text };
}

/* The indentation of the element; 0 if it does not begin its line. */
static size_t indent_of(const struct domain_doc *d, size_t start)
{
	size_t n = 0;

	while (n < start && (d->text[start - n - 1] == ' ' ||
			     d->text[start - n - 1] == '\t'))
		n++;
	return n == start || d->text[start - n - 1] == '\n' ? n : 0;
}

static size_t skip_blanks_back(const struct domain_doc *d, size_t at)
{
	while (at && strchr(" \t\r\n", d->text[at - 1]))
		at--;
	return at;
}

/* The element with a newline before each of its lines, each indented. */
static char *indented(const char *element, size_t indent)
{
	char *text = NULL;
	size_t len, n;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	while (*element) {
		n = strcspn(element, "\n");
		fprintf(f, "\n%*s%.*s", (int)indent, "", (int)n, element);
		element += n + (element[n] == '\n');
	}
	if (!fclose(f))
		return text;
	free(text);
	return NULL;
}

void domain_doc_add_child(struct domain_doc *d, xmlNodePtr parent,
			  const char *element)
{
	const struct domain_span *s = span_of(d, parent);
	size_t indent = indent_of(d, s->start), at;
	char *text, *opened = NULL;

	text = indented(element, indent + 2);
	if (!s->is_empty) {
		at = skip_blanks_back(d, s->close);
		/* Put the closing tag on a line of its own. */
		if (text && at == s->close) {
			if (asprintf(&opened, "%s\n%*s", text, (int)indent,
				     "") < 0)
				opened = NULL;
			free(text);
			text = opened;
		}
		add_edit(d, at, 0, text);
		return;
	}
	if (text && asprintf(&opened, ">%s\n%*s</%s>", text, (int)indent, "",
			     (const char *)parent->name) < 0)
		opened = NULL;
	free(text);
	at = skip_blanks_back(d, s->close);
	add_edit(d, at, s->end - at, opened);
}

void domain_doc_add_after(struct domain_doc *d, xmlNodePtr sibling,
			  const char *element)
{
	const struct domain_span *s = span_of(d, sibling);

	add_edit(d, s->end, 0, indented(element, indent_of(d, s->start)));
}

void domain_doc_replace(struct domain_doc *d, xmlNodePtr node,
			const char *element)
{
	const struct domain_span *s = span_of(d, node);

	add_edit(d, s->start, s->end - s->start, strdup(element));
}

void domain_doc_remove(struct domain_doc *d, xmlNodePtr node)
{
	const struct domain_span *s = span_of(d, node);
	size_t indent = indent_of(d, s->start), start = s->start - indent;

	/* Including its indentation and newline, if it begins a line. */
	if (start && d->text[start - 1] == '\n')
		start--;
	else
		start = s->start;
	add_edit(d, start, s->end - start, strdup(""));
}

char *domain_doc_copy(struct domain_doc *d, xmlNodePtr node)
{
	const struct domain_span *s = span_of(d, node);

	return strndup(d->text + s->start, s->end - s->start);
}

static int by_place(const void *a, const void *b)
{
	const struct domain_edit *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

int domain_doc_apply(struct domain_doc *d, char **out)
{
	char *text = NULL;
	size_t len, at = 0;
	FILE *f = d->failed ? NULL : open_memstream(&text, &len);

	if (!f)
		return -ENOMEM;
	qsort(d->edits, d->nr_edits, sizeof(*d->edits), by_place);
	for (size_t i = 0; i < d->nr_edits; i++) {
		const struct domain_edit *e = &d->edits[i];

		fwrite(d->text + at, 1, e->at - at, f);
		fputs(e->text, f);
		at = e->at + e->len;
	}
	fwrite(d->text + at, 1, d->len - at, f);
	if (fclose(f)) {
		free(text);
		return -ENOMEM;
	}
	*out = text;
	return 0;
}
