// SPDX-License-Identifier: GPL-2.0-or-later
/* vmm inspect pid and pids: how much of a process is in RAM, and how idle. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cmd/inspect-print.h"
#include "vmm/util/size.h"

#define PAGE_BYTES 4096
#define BAR_WIDTH  40

/* Class 0 was touched in the last scan, class 1 in the one before that. */
#define IDLE_CLASS 2

void inspect_print_vma_flags(const json_t *array)
{
	static const char *const short_names[] = { "read", "write", "exec",
						   "shared" };
	static const char letters[] = "rwxs";
	char perm[] = "---p";
	const json_t *v;
	size_t i, k;

	json_array_foreach(array, i, v)
		for (k = 0; k < 4; k++)
			if (!strcmp(client_text(v), short_names[k]))
				perm[k] = letters[k];
	printf("%s", perm);
	json_array_foreach(array, i, v) {
		for (k = 0; k < 4; k++)
			if (!strcmp(client_text(v), short_names[k]))
				break;
		if (k == 4)
			printf(" %s", client_text(v));
	}
}

static const char *pages_text(long long pages, char buf[16])
{
	return size_format((uint64_t)pages * PAGE_BYTES, buf, 16);
}

static long long class_pages(const json_t *o, size_t class)
{
	return json_integer_value(json_array_get(
		json_object_get(o, "resident_by_idle_scans"), class));
}

static size_t nr_classes(const json_t *o)
{
	return json_array_size(json_object_get(o, "resident_by_idle_scans"));
}

static long long idle_pages(const json_t *o)
{
	unsigned long long idle = 0;

	for (size_t i = IDLE_CLASS; i < nr_classes(o); i++)
		idle += class_pages(o, i);
	return (long long)idle;
}

/* "3-4"; limits: the largest idle age of each class, in scans. */
static const char *class_name(const json_t *limits, size_t class, char buf[24])
{
	long long to = json_integer_value(json_array_get(limits, class));
	long long from = class ? 1 + json_integer_value(
		json_array_get(limits, class - 1)) : 0;

	if (class && class + 1 == json_array_size(limits))
		snprintf(buf, 24, "%lld+", from);
	else if (from == to)
		snprintf(buf, 24, "%lld", to);
	else
		snprintf(buf, 24, "%lld-%lld", from, to);
	return buf;
}

static size_t last_class(const json_t *process)
{
	size_t last = 0;

	for (size_t i = 0; i < nr_classes(process); i++)
		if (class_pages(process, i))
			last = i;
	return last;
}

static void print_histogram(const json_t *j)
{
	const json_t *limits = json_object_get(j, "idle_scans_up_to");
	long long resident = client_int(j, NULL, "nr_resident");
	char name[24], size[16];

	printf("%-10s %10s %6s\n", "idle scans", "resident", "share");
	for (size_t i = 0; i <= last_class(j); i++) {
		long long n = class_pages(j, i);
		double share = resident > 0 && n > 0 && n <= resident ?
				       (double)n / resident : 0;
		int bar = share * BAR_WIDTH + 0.5;

		printf("%10s %10s %4.0f %%%s", class_name(limits, i, name),
		       pages_text(n, size), share * 100, bar ? "  " : "");
		for (int k = 0; k < bar; k++)
			putchar('#');
		putchar('\n');
	}
}

static void print_head(const json_t *j)
{
	const json_t *limits = json_object_get(j, "idle_scans_up_to");
	char name[24], title[32];

	printf("%-25s %9s %9s %9s %9s", "region", "size", "mapped", "resident",
	       "swapped");
	for (size_t i = 0; limits && i <= last_class(j); i++) {
		snprintf(title, sizeof(title), "%s%s", i ? "" : "idle ",
			 class_name(limits, i, name));
		printf(" %9s", title);
	}
	printf("  flags\n");
}

static void print_region(const json_t *vma, const json_t *j)
{
	long long start = client_int(vma, NULL, "start");
	long long end = client_int(vma, NULL, "end");
	char a[16], b[16], c[16], d[16];

	printf("%012llx-%012llx %9s %9s %9s %9s", start, end,
	       size_format(end - start, a, sizeof(a)),
	       pages_text(client_int(vma, NULL, "nr_mapped"), b),
	       pages_text(client_int(vma, NULL, "nr_resident"), c),
	       pages_text(client_int(vma, NULL, "nr_swapped"), d));
	for (size_t i = 0; i < nr_classes(vma) && i <= last_class(j); i++)
		printf(" %9s", pages_text(class_pages(vma, i), a));
	printf("  ");
	inspect_print_vma_flags(json_object_get(vma, "flags"));
	putchar('\n');
}

void inspect_print_process(const json_t *j)
{
	char a[16], b[16], c[16];
	const json_t *v;
	size_t i;

	printf("process  %lld %s, %lld regions, page table root %s\n",
	       client_int(j, NULL, "pid"), client_string(j, NULL, "comm"),
	       client_int(j, NULL, "nr_vmas"),
	       json_is_true(json_object_get(j, "has_pgd")) ? "known" :
							    "not known");
	printf("memory   mapped %s, resident %s, in host swap %s\n",
	       pages_text(client_int(j, NULL, "nr_mapped"), a),
	       pages_text(client_int(j, NULL, "nr_resident"), b),
	       pages_text(client_int(j, NULL, "nr_swapped"), c));
	if (json_object_get(j, "no_ages"))
		printf("no ages: %s\n", client_string(j, NULL, "no_ages"));
	else
		print_histogram(j);
	print_head(j);
	json_array_foreach(json_object_get(j, "vmas"), i, v)
		print_region(v, j);
	if (client_int(j, NULL, "nr_vmas_left_out") > 0)
		printf("and %lld further regions\n",
		       client_int(j, NULL, "nr_vmas_left_out"));
}

static int by_resident(const void *a, const void *b)
{
	const json_t *const *x = a, *const *y = b;
	long long n = client_int(*x, NULL, "nr_resident");
	long long m = client_int(*y, NULL, "nr_resident");

	if (n != m)
		return n < m ? 1 : -1;
	n = client_int(*x, NULL, "pid");
	m = client_int(*y, NULL, "pid");
	return (n > m) - (n < m);
}

static void print_process_line(const json_t *p)
{
	long long resident = client_int(p, NULL, "nr_resident");
	char a[16], b[16], c[16], share[16] = "-";

	if (nr_classes(p) && resident)
		snprintf(share, sizeof(share), "%.0f %%",
			 100.0 * idle_pages(p) / resident);
	printf("%8lld %-16s %8lld %10s %10s %10s %6s\n",
	       client_int(p, NULL, "pid"), client_string(p, NULL, "comm"),
	       client_int(p, NULL, "nr_vmas"),
	       pages_text(client_int(p, NULL, "nr_mapped"), a),
	       pages_text(resident, b),
	       pages_text(client_int(p, NULL, "nr_swapped"), c), share);
}

void inspect_print_processes(const json_t *j)
{
	size_t nr = json_array_size(j);
	const json_t **sorted = calloc(nr + 1, sizeof(*sorted));

	printf("%8s %-16s %8s %10s %10s %10s %6s\n", "pid", "command",
	       "regions", "mapped", "resident", "swapped", "idle");
	for (size_t i = 0; sorted && i < nr; i++)
		sorted[i] = json_array_get(j, i);
	if (sorted)
		qsort(sorted, nr, sizeof(*sorted), by_resident);
	for (size_t i = 0; i < nr; i++)
		print_process_line(sorted ? sorted[i] : json_array_get(j, i));
	free(sorted);
}
