/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A 16550A at COM1, as far as drivers use it: both FIFOs, no modem lines, any
 * baud rate.
 *
 * Output goes to a buffer, and from there to a file descriptor as fast as that
 * takes it: nobody waits for a reader.  While the buffer is nearly full the line
 * status says that the transmitter is busy, for which drivers wait; what is
 * written nevertheless is dropped and counted.
 *
 * Locking: one mutex, never held while something is waited for; vCPU threads and
 * the I/O thread meet here.
 */
#ifndef VMM_DEV_SERIAL_H
#define VMM_DEV_SERIAL_H

#include <stddef.h>
#include <stdint.h>

struct serial;
struct vm;

/*
 * out_fd is not owned, and its flags stay as they are: others may share it.
 * 0 or -errno.
 */
int serial_new(struct serial **sp, struct vm *vm, int out_fd);
void serial_free(struct serial *serial);

/*
 * Bytes for the guest to read; returns how many were taken, which is less than
 * len when the guest does not read them.
 */
size_t serial_input(struct serial *serial, const void *data, size_t len);

/*
 * After vm_wait(): what is still in the buffer, as long as somebody takes it, at
 * most limit_ms.  Says on stderr how much output was lost in all, if any.
 */
void serial_finish(struct serial *serial, unsigned int limit_ms);
/* Bytes of output lost so far; any thread. */
uint64_t serial_nr_dropped(struct serial *serial);

#endif
