/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A domain's XML as a tree that knows the position of each element in the text,
 * and edits of that text.  For domain-xml.c.
 */
#ifndef VMM_LIBVIRT_DOMAIN_DOC_H
#define VMM_LIBVIRT_DOMAIN_DOC_H

#include <stdbool.h>
#include <stddef.h>

#include <libxml/tree.h>

/* Byte offsets in the text: of "<a ...>...</a>" or "<a ... />". */
struct domain_span {
	size_t start, end;
	size_t close;	/* where "</a>" begins; of "<a ... />": end - 2 */
	bool is_empty;	/* "<a/>" */
};

struct domain_edit {
	size_t at, len;		/* removed */
	char *text;		/* inserted; owned */
};

#define DOMAIN_MAX_EDITS 32

struct domain_doc {
	const char *text;	/* not owned */
	size_t len;
	xmlDocPtr doc;		/* owned, as all below */
	struct domain_span *spans;
	size_t nr_spans, max_spans;
	struct domain_edit edits[DOMAIN_MAX_EDITS];
	size_t nr_edits;
	bool failed;		/* out of memory, or too many edits */
};

/* 0, -ENOMEM, or -EINVAL with why.  text must live as long as doc. */
int domain_doc_open(struct domain_doc *doc, const char *text, char *why,
		    size_t len);
void domain_doc_close(struct domain_doc *doc);

/* The first child, or the next sibling, with this name; NULL: none. */
xmlNodePtr domain_doc_child(xmlNodePtr parent, const char *name);
xmlNodePtr domain_doc_next(xmlNodePtr node, const char *name);
/* An attribute's value, valid as long as the doc; "": missing. */
const char *domain_doc_attr(xmlNodePtr node, const char *name);

/*
 * Edits, which must not overlap.  The lines of an added element are indented to
 * fit its place: in `element` the outermost have no indentation.
 */
void domain_doc_add_child(struct domain_doc *doc, xmlNodePtr parent,
			  const char *element);
void domain_doc_add_after(struct domain_doc *doc, xmlNodePtr sibling,
			  const char *element);
void domain_doc_replace(struct domain_doc *doc, xmlNodePtr node,
			const char *element);
void domain_doc_remove(struct domain_doc *doc, xmlNodePtr node);

/* The text of an element, malloc'ed; NULL: no memory. */
char *domain_doc_copy(struct domain_doc *doc, xmlNodePtr node);

/* The text with all edits, malloc'ed.  -ENOMEM. */
int domain_doc_apply(struct domain_doc *doc, char **out);

#endif
