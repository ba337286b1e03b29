// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hmp SOCKET COMMAND...: has QEMU's human monitor execute the commands, one after
 * the other, and prints what it writes.  Ends with the prompt after the last one, or
 * when QEMU does.  Exit status 1 if there is no monitor, or no prompt in 2 min.
 *
 * The monitor never closes the connection, so that socat waits for seconds whether
 * there is more to come.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PROMPT "(qemu) "

/* Copies what comes until a prompt: 0; 1 at the end of the connection. */
static int copy_answer(int fd)
{
	const char *prompt = PROMPT;
	size_t matched = 0;
	char c;

	while (read(fd, &c, 1) == 1) {
		putchar(c);
		matched = c == prompt[matched] ? matched + 1 : c == prompt[0];
		if (matched == strlen(prompt))
			return 0;
	}
	return 1;
}

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (argc < 3 || fd < 0 || strlen(argv[1]) >= sizeof(addr.sun_path)) {
		fprintf(stderr, "usage: hmp SOCKET COMMAND...\n");
		return 2;
	}
	alarm(120);
	strcpy(addr.sun_path, argv[1]);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    copy_answer(fd))
		return 1;
	for (int i = 2; i < argc; i++) {
		/* QEMU may end by one: then there is no answer. */
		if (dprintf(fd, "%s\n", argv[i]) < 0 || copy_answer(fd))
			break;
	}
	putchar('\n');
	return 0;
}
