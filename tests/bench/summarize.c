// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The same summary for benchmarks that are shell scripts.  Reads lines on
 * stdin, in any order:
 *
 *	value CASE UNIT NUMBER
 *	note KEY TEXT...
 *
 * and prints the table, and the JSON to the file named by the second argument.
 * usage: summarize NAME [JSON-FILE]
 */
#include "config.h"

#include "tests/bench/bench.h"

static int read_line(struct bench *b, char *line)
{
	char name[96], unit[32];
	double value;
	int end = 0;

	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "value %95s %31s %lf %n", name, unit, &value,
		   &end) == 3 && end && !line[end]) {
		bench_add(b, name, unit, value);
		return 0;
	}
	if (sscanf(line, "note %95s %n", name, &end) == 1 && end) {
		bench_note(b, name, "%s", line + end);
		return 0;
	}
	return -EINVAL;
}

int main(int argc, char **argv)
{
	unsigned int nr_lines = 0;
	struct bench *b;
	char line[512];

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: summarize NAME [JSON-FILE]\n");
		return 2;
	}
	b = bench_new(argv[1]);
	while (fgets(line, sizeof(line), stdin)) {
		nr_lines++;
		if (line[0] == '\n' || line[0] == '#' || !read_line(b, line))
			continue;
		fprintf(stderr, "summarize: line %u is neither 'value CASE "
			"UNIT NUMBER' nor 'note KEY TEXT': %s\n", nr_lines,
			line);
		bench_free(b);
		return 2;
	}
	if (!b->nr_series) {
		fprintf(stderr, "summarize: no value was measured\n");
		bench_free(b);
		return 1;
	}
	return bench_finish(b, argv[2]);
}
