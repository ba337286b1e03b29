/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing to a descriptor whose open file other processes share, such as
 * standard output and error, without ever waiting for its reader and without
 * changing its flags, which are shared as well: O_NONBLOCK would make the
 * shell's own writes fail.
 *
 * Locking: the owner's.
 */
#ifndef VMM_UTIL_TX_OUT_H
#define VMM_UTIL_TX_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct tx_out {
	int fd;			/* as given, not owned */
	int own_fd;		/* owned: the same, opened again; or -1 */
	int poll_fd;		/* for poll(): fd or own_fd; -1 for a file */
	bool is_socket, is_pipe;
};

void tx_out_open(struct tx_out *out, int fd);
void tx_out_close(struct tx_out *out);
/*
 * Bytes written, more than 0; -EAGAIN: wait for poll_fd; another -errno:
 * permanent.
 */
ssize_t tx_out_write(const struct tx_out *out, const void *data, size_t len);
/* False: no room within limit_ms. */
bool tx_out_wait(const struct tx_out *out, int limit_ms);

#endif
