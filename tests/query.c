// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * query SOCKET PATH [.KEY.KEY...]: prints a control socket's answer to GET
 * PATH, or the one value of its JSON that the keys select: a string without
 * quotes, as jq -r prints it, null if there is none.  Exit status 1 if there is
 * no answer in 20 s, or the status is not 200.
 *
 * Tests query many values every 0.1 s.  In an emulated machine starting curl
 * and jq takes two seconds of its CPU; a static program takes a twentieth.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Everything until the other end closes; NULL on an error.  The caller frees
 * it. */
static char *read_all(int fd)
{
	size_t size = 1 << 16, used = 0;
	char *text = malloc(size);

	while (text) {
		ssize_t n = read(fd, text + used, size - used - 1);

		if (n < 0)
			break;
		if (n == 0) {
			text[used] = '\0';
			return text;
		}
		used += (size_t)n;
		if (used + 1 == size) {
			char *larger = realloc(text, size *= 2);

			if (!larger)
				break;
			text = larger;
		}
	}
	free(text);
	return NULL;
}

static char *get(const char *socket_path, const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char request[1024];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int n = snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\n\r\n",
			 path);
	char *answer;

	if (fd < 0 || strlen(socket_path) >= sizeof(addr.sun_path) ||
	    (size_t)n >= sizeof(request))
		return NULL;
	strcpy(addr.sun_path, socket_path);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    write(fd, request, (size_t)n) != n)
		return NULL;
	answer = read_all(fd);
	close(fd);
	return answer;
}

/* The body of a good answer, in ANSWER; NULL of another one. */
static const char *body_of(const char *answer)
{
	const char *body = answer ? strstr(answer, "\r\n\r\n") : NULL;
	const char *status = answer ? strchr(answer, ' ') : NULL;

	if (!body || !status || strncmp(status, " 200", 4) != 0)
		return NULL;
	return body + 4;
}

static int print_value(const char *body, char *keys)
{
	json_t *root = json_loads(body, JSON_DECODE_ANY, NULL);
	json_t *value = root;

	if (!root)
		return 1;
	for (char *key = strtok(keys, "."); key; key = strtok(NULL, "."))
		value = json_object_get(value, key);
	if (json_is_string(value))
		puts(json_string_value(value));
	else if (!value)
		puts("null");
	else if (json_dumpf(value, stdout, JSON_ENCODE_ANY | JSON_COMPACT) == 0)
		putchar('\n');
	json_decref(root);
	return 0;
}

int main(int argc, char **argv)
{
	char *answer;
	const char *body;

	if (argc < 3 || argc > 4 || (argc == 4 && argv[3][0] != '.')) {
		fprintf(stderr, "usage: query SOCKET PATH [.KEY.KEY...]\n");
		return 2;
	}
	alarm(20);
	answer = get(argv[1], argv[2]);
	body = body_of(answer);
	if (!body)
		return 1;
	if (argc == 4)
		return print_value(body, argv[3]);
	fputs(body, stdout);
	return 0;
}
