// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vmm inspect map: requests the state of each page of a region, with as many
 * requests as that takes, and draws it.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/cmd/inspect-picture.h"
#include "vmm/cmd/inspect-print.h"
#include "vmm/util/exit-status.h"
#include "vmm/util/log.h"
#include "vmm/util/size.h"

#define PAGE_BYTES    4096ull
#define MAX_ADDRESS   (1ull << 57)
#define DEFAULT_WIDTH 80
#define DEFAULT_ROWS  24
#define ROWS_OF_MANY  4		/* per region, if all are shown */
#define LEGEND_ROWS   10	/* that should stay on the screen */

/* A guest can make a region for which there is no end of answers. */
#define MAX_ANSWERS 256

struct screen {
	unsigned int width, rows;
	bool colour;
};

static void read_screen_size(struct screen *s)
{
	struct winsize size;

	*s = (struct screen){ DEFAULT_WIDTH, DEFAULT_ROWS, false };
	if (!isatty(STDOUT_FILENO))
		return;
	s->colour = !getenv("NO_COLOR");
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
		return;
	if (size.ws_col)
		s->width = size.ws_col;
	if (size.ws_row > 2 * LEGEND_ROWS)
		s->rows = size.ws_row - LEGEND_ROWS;
}

/* The runs of one answer begin at `address`. */
static void draw_runs(struct picture *p, const json_t *answer,
		      uint64_t address)
{
	const json_t *run, *age;
	size_t i;

	json_array_foreach(json_object_get(answer, "runs"), i, run) {
		json_int_t n = json_integer_value(json_array_get(run, 0));

		age = json_array_get(run, 2);
		picture_add(p, address, n,
			    json_integer_value(json_array_get(run, 1)),
			    age ? (int)json_integer_value(age) : -1);
		address += n * PAGE_BYTES;
	}
}

static json_t *ask(struct client *c, long long pid, uint64_t start,
		   uint64_t end)
{
	char path[160];

	snprintf(path, sizeof(path), "/map?pid=%lld&start=0x%llx&end=0x%llx",
		 pid, (unsigned long long)start, (unsigned long long)end);
	return client_request(c, path, NULL);
}

/* Draws, or prints as received.  *no_ages is malloc'ed, or stays NULL. */
static int show_range(struct client *c, long long pid, uint64_t start,
		      uint64_t end, struct picture *p, char **no_ages)
{
	uint64_t at = start, next;

	for (unsigned int i = 0; at < end && i < MAX_ANSWERS; i++, at = next) {
		json_t *answer = ask(c, pid, at, end);
		const char *why;

		if (!answer)
			return VMM_EXIT_FAILURE;
		next = client_int(answer, NULL, "next");
		if (c->json) {
			json_dumpf(answer, stdout, JSON_COMPACT);
			putchar('\n');
		} else {
			draw_runs(p, answer, at);
		}
		why = client_string(answer, NULL, "no_ages");
		if (*why && !*no_ages)
			*no_ages = strdup(why);
		json_decref(answer);
		if (next <= at) {
			log_error("unexpected answer: no page for 0x%llx",
				  (unsigned long long)at);
			return VMM_EXIT_FAILURE;
		}
	}
	if (at < end)
		log_warn("the map ends at 0x%llx: the rest is too fragmented "
			 "for one request", (unsigned long long)at);
	return VMM_EXIT_OK;
}

struct request {
	struct client *client;
	struct screen screen;
	long long pid;
	struct picture_sums sums;
	char *no_ages;
};

static int show(struct request *r, uint64_t start, uint64_t end,
		const json_t *flags, unsigned int rows)
{
	struct picture *p = picture_new(start, end, r->screen.width, rows);
	uint64_t block;
	char size[16];
	int rc;

	if (!p) {
		log_error("not enough memory for the map");
		return VMM_EXIT_FAILURE;
	}
	rc = show_range(r->client, r->pid, start, end, p, &r->no_ages);
	if (!rc && !r->client->json) {
		printf("region   0x%llx-0x%llx, %s",
		       (unsigned long long)start, (unsigned long long)end,
		       size_format(end - start, size, sizeof(size)));
		if (flags) {
			printf(", ");
			inspect_print_vma_flags(flags);
		}
		block = picture_block_pages(p);
		printf("; a character is %llu page%s (%s)\n",
		       (unsigned long long)block, block == 1 ? "" : "s",
		       size_format(block * PAGE_BYTES, size, sizeof(size)));
		picture_print(p, r->screen.colour, &r->sums);
	}
	picture_free(p);
	return rc;
}

static int show_region(struct request *r, const json_t *vma, unsigned int rows)
{
	uint64_t start = client_int(vma, NULL, "start");
	uint64_t end = client_int(vma, NULL, "end");

	if (start >= end || end > MAX_ADDRESS) {
		log_error("%s: unexpected answer: a region from 0x%llx to "
			  "0x%llx", r->client->path,
			  (unsigned long long)start, (unsigned long long)end);
		return VMM_EXIT_FAILURE;
	}
	return show(r, start, end, json_object_get(vma, "flags"), rows);
}

/* Hexadecimal, with or without 0x, as addresses are printed everywhere. */
static bool parse_address(const char *text, char end, uint64_t *address,
			  const char **rest)
{
	char *stop;

	errno = 0;
	*address = strtoull(text, &stop, 16);
	*rest = stop;
	return !errno && stop > text && *text != '-' && *text != '+' &&
	       *text != ' ' && *stop == end;
}

static int usage(const char *where)
{
	log_error("inspect map: '%s' is not a place: give an address "
		  "(0x7f0000), a range (7f0000-7f8000), or a region's name "
		  "(heap, stack)",
		  where);
	return VMM_EXIT_USAGE;
}

static bool is_in(const json_t *vma, uint64_t address)
{
	return address >= (uint64_t)client_int(vma, NULL, "start") &&
	       address < (uint64_t)client_int(vma, NULL, "end");
}

static bool has_flag(const json_t *vma, const char *name)
{
	const json_t *v;
	size_t i;

	json_array_foreach(json_object_get(vma, "flags"), i, v)
		if (!strcmp(client_text(v), name))
			return true;
	return false;
}

/* One region: the one with an address, or the first with a name. */
static int show_one(struct request *r, const json_t *process,
		    const char *where, uint64_t address, bool by_name)
{
	const json_t *vma;
	size_t i;

	json_array_foreach(json_object_get(process, "vmas"), i, vma)
		if (by_name ? has_flag(vma, where) : is_in(vma, address))
			return show_region(r, vma, r->screen.rows);
	log_error("no region of process %lld is %s %s; `vmm inspect pid %lld` "
		  "lists them", r->pid, by_name ? "called" : "at", where,
		  r->pid);
	return VMM_EXIT_FAILURE;
}

static int show_all(struct request *r, const json_t *process)
{
	const json_t *vma;
	int rc = VMM_EXIT_OK;
	size_t i;

	json_array_foreach(json_object_get(process, "vmas"), i, vma) {
		rc = show_region(r, vma, ROWS_OF_MANY);
		if (rc)
			break;
	}
	return rc;
}

static int show_place(struct request *r, const json_t *process,
		      const char *where)
{
	bool by_name = where && (!strcmp(where, "heap") ||
				 !strcmp(where, "stack"));
	uint64_t start, end;
	const char *rest;

	if (!where)
		return show_all(r, process);
	if (by_name || parse_address(where, 0, &start, &rest))
		return show_one(r, process, where, by_name ? 0 : start,
				by_name);
	if (!parse_address(where, '-', &start, &rest) ||
	    !parse_address(rest + 1, 0, &end, &rest))
		return usage(where);
	start &= -PAGE_BYTES;
	if (end <= MAX_ADDRESS)
		end = (end + PAGE_BYTES - 1) & -PAGE_BYTES;
	if (start >= end || end > MAX_ADDRESS) {
		log_error("inspect map: %s is empty or too high: the end must "
			  "be above the start, and no higher than 0x%llx",
			  where,
			  MAX_ADDRESS);
		return VMM_EXIT_USAGE;
	}
	return show(r, start, end, NULL, r->screen.rows);
}

int inspect_map(struct client *c, const char *pid, const char *where)
{
	struct request r = { .client = c };
	char path[64];
	json_t *process;
	int rc;

	snprintf(path, sizeof(path), "/process/%.40s", pid);
	process = client_expect(c, client_request(c, path, NULL), "vmas");
	if (!process)
		return VMM_EXIT_FAILURE;
	read_screen_size(&r.screen);
	r.pid = client_int(process, NULL, "pid");
	if (!c->json)
		printf("process  %lld %s, page table root %s\n", r.pid,
		       client_string(process, NULL, "comm"),
		       json_is_true(json_object_get(process, "has_pgd")) ?
		       "known" : "not known");
	rc = show_place(&r, process, where);
	if (!rc && !c->json) {
		picture_print_legend(&r.sums, r.screen.colour);
		if (r.no_ages)
			printf("no ages: %s\n", r.no_ages);
	}
	free(r.no_ages);
	json_decref(process);
	return rc;
}
