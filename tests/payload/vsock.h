/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One stream connection to the host; polled, from vCPU 0 only. */
#ifndef TESTS_PAYLOAD_VSOCK_H
#define TESTS_PAYLOAD_VSOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* NULL, or why there is no connection. */
const char *vsock_connect(uint32_t port);
/* Waits for credit; false: the connection is gone or stuck. */
bool vsock_send(const void *data, size_t len);
/* What there is, at most len bytes; 0 when there is nothing. */
size_t vsock_recv(void *buf, size_t len);
bool vsock_is_open(void);

#endif
