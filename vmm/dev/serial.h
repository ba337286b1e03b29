/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A 16550A at COM1, with the parts that drivers use: both FIFOs, no modem
 * lines, any baud rate.
 *
 * Output goes to a buffer, and from there to a file descriptor as fast as that
 * accepts it: no thread waits for a reader.  While the buffer is nearly full,
 * the line status reports a busy transmitter, for which drivers wait; bytes
 * written nevertheless are dropped and counted when it is full.
 *
 * Locking: one mutex, used by vCPU threads and the I/O thread, and never held
 * while blocking.
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
 * Bytes for the guest to read; returns how many were taken, fewer than len when
 * the buffer is full because the guest does not read.  Any thread.
 */
size_t serial_input(struct serial *serial, const void *data, size_t len);

/*
 * After vm_wait(): writes the rest of the buffer while the reader accepts it,
 * for at most limit_ms.  Logs how much output was lost in all, if any.
 */
void serial_finish(struct serial *serial, unsigned int limit_ms);
/* Bytes of output lost so far; any thread. */
uint64_t serial_nr_dropped(struct serial *serial);

#endif
