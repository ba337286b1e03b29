// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/client/client-internal.h"
#include "vmm/client/metrics-all.h"
#include "vmm/util/printable.h"

/* A VM has about 100 families in 20 KiB; what sends more is no VM. */
#define MAX_TEXT     (1u << 20)
#define MAX_FAMILIES 1000

/* --- merging ------------------------------------------------------------ */

struct part {			/* a text that grows */
	char *text;		/* owned; NULL while empty */
	size_t len;
};

struct family {
	char *name;		/* owned */
	struct part about, samples;	/* about: "# TYPE", "# HELP" */
};

struct merge {
	struct family *families;	/* owned, in order of appearance */
	size_t nr;
	bool failed;		/* out of memory */
};

/* Appends a line, given without its end. */
static void append(struct merge *m, struct part *p, const char *line, size_t len)
{
	char *bigger = realloc(p->text, p->len + len + 2);

	if (!bigger) {
		m->failed = true;
		return;
	}
	memcpy(bigger + p->len, line, len);
	p->text = bigger;
	p->len += len;
	p->text[p->len++] = '\n';
	p->text[p->len] = '\0';
}

/* Finds or creates the family name[0..len); NULL: no memory. */
static struct family *family_of(struct merge *m, const char *name, size_t len)
{
	struct family *f;

	for (size_t i = 0; i < m->nr; i++) {
		f = &m->families[i];
		if (!strncmp(f->name, name, len) && !f->name[len])
			return f;
	}
	f = realloc(m->families, (m->nr + 1) * sizeof(*f));
	if (!f) {
		m->failed = true;
		return NULL;
	}
	m->families = f;
	f = &m->families[m->nr];
	*f = (struct family){ .name = strndup(name, len) };
	if (!f->name) {
		m->failed = true;
		return NULL;
	}
	m->nr++;
	return f;
}

/* "# TYPE NAME ...", "# HELP NAME ...", and samples of that family. */
static void add_text(struct merge *m, const char *text)
{
	struct family *now = NULL;
	bool first = false;	/* this VM is the first with the family */

	for (const char *line = text, *end; *line; line = end) {
		size_t len = strcspn(line, "\n"), name_len;
		const char *name = line + 7;

		end = line + len + (line[len] == '\n');
		if (!strncmp(line, "# TYPE ", 7)) {
			name_len = strcspn(name, " \n");
			now = family_of(m, name, name_len);
			first = now && !now->about.len;
		}
		if (!now || !strncmp(line, "# EOF", 5))
			continue;
		if (*line != '#')
			append(m, &now->samples, line, len);
		else if (first)
			append(m, &now->about, line, len);
	}
}

static void add_up(struct merge *m, const char *name, bool up)
{
	struct family *f = family_of(m, "vmm_up", strlen("vmm_up"));
	char *sample = NULL;
	size_t len;
	FILE *out;

	if (!f)
		return;
	if (!f->about.len) {
		static const char about[] = "# TYPE vmm_up gauge\n# HELP vmm_up "
					    "Whether the VM answered.";

		append(m, &f->about, about, strlen(about));
	}
	out = open_memstream(&sample, &len);
	if (out) {
		fputs("vmm_up{vm=\"", out);
		printable_put_label(out, name);
		fprintf(out, "\"} %d", up);
	}
	if (!out || fclose(out))
		m->failed = true;
	else
		append(m, &f->samples, sample, len);
	free(sample);
}

char *metrics_merge(const struct metrics_vm *vms, const char *const *texts,
		    size_t nr)
{
	struct merge m = { 0 };
	char *text = NULL;
	size_t len;
	FILE *out;

	for (size_t i = 0; i < nr; i++) {
		add_up(&m, vms[i].name, texts[i]);
		if (texts[i])
			add_text(&m, texts[i]);
	}
	out = open_memstream(&text, &len);
	for (size_t i = 0; out && i < m.nr; i++)
		fprintf(out, "%s%s",
			m.families[i].about.text ? m.families[i].about.text : "",
			m.families[i].samples.text ?
				m.families[i].samples.text : "");
	if (out)
		fputs("# EOF\n", out);
	if (!out || fclose(out) || m.failed) {
		free(text);
		text = NULL;
	}
	for (size_t i = 0; i < m.nr; i++) {
		free(m.families[i].name);
		free(m.families[i].about.text);
		free(m.families[i].samples.text);
	}
	free(m.families);
	return text;
}

/* --- requests ------------------------------------------------------------- */

/* Returns when all have answered or failed; each has its own timeout. */
static void perform(CURLM *multi)
{
	int running = 1;

	while (running && !curl_multi_perform(multi, &running))
		if (running && curl_multi_poll(multi, NULL, 0, 1000, NULL))
			break;
}

/* Each new family is compared with all others, so they are limited. */
static bool has_few_families(const char *text)
{
	unsigned int nr = 0;

	while (nr <= MAX_FAMILIES && (text = strstr(text, "# TYPE "))) {
		text++;
		nr++;
	}
	return nr <= MAX_FAMILIES;
}

static bool is_answer(const struct stat_transfer *t)
{
	long status = 0;

	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	/* A partial answer lacks the end marker. */
	return status == 200 && !t->wrong && t->data && t->len >= 6 &&
	       !strcmp(t->data + t->len - 6, "# EOF\n") &&
	       strlen(t->data) == t->len && has_few_families(t->data);
}

char *metrics_all(const struct metrics_vm *vms, size_t nr, long timeout_ms)
{
	struct stat_transfer *t = calloc(nr + 1, sizeof(*t));
	const char **texts = calloc(nr + 1, sizeof(*texts));
	CURLM *multi = curl_multi_init();
	char *text = NULL;

	if (!t || !texts || !multi)
		goto out;
	for (size_t i = 0; i < nr; i++) {
		if (stat_transfer_begin(&t[i], vms[i].socket, "GET",
					"/metrics", NULL, timeout_ms))
			continue;
		t[i].max_len = MAX_TEXT;
		curl_multi_add_handle(multi, t[i].curl);
	}
	perform(multi);
	for (size_t i = 0; i < nr; i++) {
		if (!t[i].curl)
			continue;
		if (is_answer(&t[i]))
			texts[i] = t[i].data;
		curl_multi_remove_handle(multi, t[i].curl);
	}
	text = metrics_merge(vms, texts, nr);
	for (size_t i = 0; i < nr; i++)
		stat_transfer_end(&t[i]);
out:
	curl_multi_cleanup(multi);
	free(texts);
	free(t);
	return text;
}
