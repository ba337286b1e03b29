/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A 16550A at COM1, as far as drivers use it: both FIFOs, no modem lines, any
 * baud rate.  Output goes to a file descriptor at once.
 *
 * Locking: one mutex; vCPU threads and the I/O thread meet here.
 */
#ifndef VMM_DEV_SERIAL_H
#define VMM_DEV_SERIAL_H

#include <stddef.h>

struct serial;
struct vm;

/* out_fd is not owned. 0 or -errno. */
int serial_new(struct serial **sp, struct vm *vm, int out_fd);
void serial_free(struct serial *serial);

/*
 * Bytes for the guest to read; returns how many were taken, which is less than
 * len when the guest does not read them.
 */
size_t serial_input(struct serial *serial, const void *data, size_t len);

#endif
