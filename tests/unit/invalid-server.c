// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * invalid-server SOCKET WHAT [SEED]: listens like a VM, and answers in invalid
 * ways:
 *
 *   rubbish   bytes that are no HTTP        text     HTTP, but no JSON
 *   half      less than it announces        big      an answer without end
 *   mute      nothing                       header   a header without end
 *   drip      a byte now and then           refuse   503 and a sentence
 *   line      a line without end            lines    lines that are no JSON
 *   broken    a line, and half of another one
 *   shapes    JSON with the names that a VM's has, of any shape; by SEED
 *
 * Until it is ended; one client at a time.
 */
#include "config.h"

#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/util/listen.h"

#define HEAD "HTTP/1.1 200 OK\r\n"

static unsigned long long seed = 1;

static unsigned int rnd(unsigned int n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned int)(seed >> 33) % n;
}

/* False when the client is gone. */
static bool say(int fd, const char *text, size_t len)
{
	return send(fd, text, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static void say_all(int fd, const char *text)
{
	say(fd, text, strlen(text));
}

static void repeat(int fd, const char *piece)
{
	while (say(fd, piece, strlen(piece)))
		;
}

static void wait_for_end(int fd, int every_ms, const char *text)
{
	struct pollfd p = { fd, 0, 0 };

	while (!poll(&p, 1, every_ms) && say(fd, text, strlen(text)))
		;
}

/* All that vmm's commands look for, and where they expect objects. */
static const char *const names[] = {
	"name", "pid", "memory", "engine", "agent", "policy", "store", "rmap",
	"guest", "reclaimed", "nodes", "bytes", "resident_bytes", "swapped_bytes",
	"discarded_bytes", "nr_active", "nr_young", "nr_evicted", "nr_refaults",
	"nr_scans", "last_scan_ns", "scan_cpu_ns", "source", "last_error",
	"pages_by_idle_scans", "nr_faults", "fault_read_ns", "mem_bytes",
	"target_bytes", "enabled", "scan_period_ms", "connected", "mem_total",
	"gfn", "gpa", "resident", "idle_scans", "no_ages", "nr_mappings",
	"nr_mappings_is_exact", "mapcount", "mappings", "vma", "flags",
	"accessed", "level", "start", "end", "comm", "address", "referenced_by",
	"nr_referenced", "vm_flags", "vmas", "nr_vmas", "nr_mapped",
	"nr_resident", "nr_swapped", "resident_by_idle_scans",
	"idle_scans_up_to", "runs", "bits", "next", "wss_bytes", "low_bytes",
	"high_bytes", "basis", "processes", "window_s", "nr_vmas_left_out",
	"granule_bytes", "may_miss", "period_ns", "wss", "pages", "has_pgd",
};

#define NR_NAMES (sizeof(names) / sizeof(names[0]))

static json_t *shape(unsigned int depth)
{
	static const json_int_t numbers[] = {
		0, 1, -1, 2, 511, 4096, 1 << 30, 1ll << 52, INT64_MAX,
		INT64_MIN, 0x400000, 0x500000,
	};
	unsigned int kind = rnd(depth ? 12 : 6), n = rnd(depth > 2 ? 80 : 6);
	json_t *j;

	switch (kind) {
	case 0:
		return json_null();
	case 1:
		return json_boolean(rnd(2));
	case 2:
	case 3:
		return json_integer(numbers[rnd(sizeof(numbers) /
						sizeof(numbers[0]))]);
	case 4:
		return json_real(rnd(2) ? -1e300 : 0.5);
	case 5:
		return json_string(rnd(2) ? "" : "\033[2Jx");
	case 6:
	case 7:
	case 8:
		j = json_array();
		for (unsigned int i = 0; i < n; i++)
			json_array_append_new(j, shape(depth - 1));
		return j;
	}
	j = json_object();
	for (unsigned int i = 0; i < n; i++)
		json_object_set_new(j, names[rnd(NR_NAMES)], shape(depth - 1));
	return j;
}

static void say_shape(int fd)
{
	json_t *j = shape(4);
	char *text = json_dumps(j, JSON_COMPACT), head[128];

	snprintf(head, sizeof(head), HEAD "Content-Length: %zu\r\n\r\n",
		 strlen(text) + 1);
	say_all(fd, head);
	say_all(fd, text);
	say_all(fd, "\n");
	free(text);
	json_decref(j);
}

static void answer(int fd, const char *what)
{
	static char piece[65536];

	if (!strcmp(what, "rubbish")) {
		for (size_t i = 0; i < sizeof(piece); i++)
			piece[i] = (char)rnd(256);
		say(fd, piece, sizeof(piece));
	} else if (!strcmp(what, "text")) {
		say_all(fd, HEAD "Content-Length: 6\r\n\r\nhello\n");
	} else if (!strcmp(what, "half")) {
		say_all(fd, HEAD "Content-Length: 1000\r\n\r\n{\"memory\":");
	} else if (!strcmp(what, "refuse")) {
		say_all(fd, "HTTP/1.1 503 Busy\r\nContent-Length: 25\r\n\r\n"
			    "{\"error\":\"busy as a bee\"}");
	} else if (!strcmp(what, "big") || !strcmp(what, "line")) {
		memset(piece, ' ', sizeof(piece) - 1);
		say_all(fd, HEAD "\r\n");
		repeat(fd, piece);
	} else if (!strcmp(what, "broken")) {
		say_all(fd, HEAD "\r\n{\"engine\":{}}\n{\"engine\":{");
	} else if (!strcmp(what, "lines")) {
		say_all(fd, HEAD "\r\n");
		repeat(fd, "hello\n");
	} else if (!strcmp(what, "header")) {
		say_all(fd, HEAD);
		repeat(fd, "X-Header: and another one, and another one\r\n");
	} else if (!strcmp(what, "mute")) {
		wait_for_end(fd, 1000, "");
	} else if (!strcmp(what, "drip")) {
		say_all(fd, HEAD "\r\n");
		wait_for_end(fd, 100, " ");
	} else if (!strcmp(what, "shapes")) {
		say_shape(fd);
	} else {
		exit(2);
	}
}

/* To the end of the header; what follows, a PUT's body, is not looked at. */
static bool take_request(int fd)
{
	char text[8192];
	size_t len = 0;
	ssize_t n;

	do {
		n = read(fd, text + len, sizeof(text) - 1 - len);
		if (n <= 0)
			return false;
		len += (size_t)n;
		text[len] = 0;
	} while (!strstr(text, "\r\n\r\n"));
	return true;
}

int main(int argc, char **argv)
{
	struct pollfd p = { .events = POLLIN };
	char why[512];

	if (argc < 3)
		return 2;
	if (argc > 3)
		seed = strtoull(argv[3], NULL, 0);
	p.fd = unix_listen(argv[1], "SOCKET", why, sizeof(why));
	if (p.fd < 0) {
		fprintf(stderr, "%s\n", why);
		return 1;
	}
	for (;;) {
		int fd;

		if (poll(&p, 1, -1) < 0)
			return 1;
		fd = accept(p.fd, NULL, NULL);
		if (fd >= 0 && take_request(fd))
			answer(fd, argv[2]);
		close(fd);
	}
}
