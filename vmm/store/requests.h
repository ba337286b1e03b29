/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests to a device, each with a deadline.
 *
 * Worker threads do the I/O, in buffers that belong to the request; so whoever
 * asked can go when time is up, and what comes late is written into nothing
 * that has been freed.  A watcher thread looks how old requests are:
 *
 *	OK --a request has no answer for timeout--> STALLED
 *	 ^                                             |
 *	 +------ any answer: a late one, or of a ------+
 *	         probe (a read, each time of another
 *	         place, while a worker is idle; each
 *	         timeout)
 *
 * While STALLED new requests fail at once with -ETIMEDOUT.  Those that had not
 * begun are cancelled.  One that runs can't always be: what an NBD server does
 * not answer is given up with its connection, a read after 5 timeouts, a write or
 * discard after half a minute, or 5 timeouts when that is longer; a system call on
 * a file ends when the kernel ends it.  With several workers a discard stalls
 * nothing: it is not waited for.
 *
 * A write without an answer (given up, or its connection broke) could still be
 * done later, over what has been written there since, so that its range is not to
 * be used any more.  Writes and discards are then refused for a while, as if the
 * device were STALLED: 5 timeouts, and twice as long each time, up to 5 minutes,
 * until a write is done.  After a discard without an answer there are no others.
 *
 * A read that comes late is kept for a while: who asks again has it at once, so
 * that a device whose every read takes longer than the timeout serves, too.
 *
 * Locking: any thread, and none of its functions waits longer than it says.
 */
#ifndef VMM_STORE_REQUESTS_H
#define VMM_STORE_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/store/health.h"
#include "vmm/store/store-device.h"

#define REQUESTS_TIMEOUT_NS UINT64_C(1000000000)	/* the default */

struct requests;
struct request;

/*
 * Takes dev over when it succeeds.  timeout_ns: 0 for the default.  0, -ENOMEM
 * or -EAGAIN (no threads).
 */
int requests_new(struct requests **qp, struct store_device *dev,
		 struct health *health, uint64_t timeout_ns);
/*
 * Closes the device, too.  Within half a second: a thread that hangs in a
 * request then is left to end, and free what is left, when the request does.
 */
void requests_free(struct requests *q);

uint64_t requests_timeout_ns(const struct requests *q);
bool requests_is_stalled(struct requests *q);
/* Stalled, or writes are put off. */
bool requests_refuses_writes(struct requests *q);

/*
 * 0; -ETIMEDOUT: stalled, or nothing came until then (clock_now_ns()); else as
 * the device says.  Any offset and length.
 */
int requests_read(struct requests *q, void *buf, size_t len, uint64_t offset,
		  uint64_t until_ns);

/* Of len bytes, as the device wants them aligned.  NULL: no memory. */
void *requests_buffer(size_t len);
/*
 * Begins to write the buffer, which is the request's from then on.  0; or else
 * it stays the caller's: -ETIMEDOUT: writes are refused; -ENOLINK: a discard
 * whose answer was lost can still be done, the range is not to be used any more;
 * -ENOMEM.
 */
int requests_write(struct requests *q, void *buf, size_t len, uint64_t offset,
		   struct request **rp);
/*
 * -EINPROGRESS: nothing until then; it may be asked again, and nothing else is
 * to be written to that range before.  Else the result, and *bufp is the
 * caller's again, and r gone: 0; -ETIMEDOUT: it was never begun; or as the
 * device says.  After -ENOLINK, which is also the result of a write that waited for
 * a discard whose answer was lost, the range is not to be used any more.
 */
int requests_write_result(struct requests *q, struct request *r,
			  uint64_t until_ns, void **bufp);

/*
 * Begins to discard; what is written there from now on is written afterwards.
 * A hint: nothing is done when the device is busy, or can't.
 */
void requests_discard(struct requests *q, size_t len, uint64_t offset);

#endif
