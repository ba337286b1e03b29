/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests to a device, each with a deadline.
 *
 * Worker threads do the I/O, in buffers that belong to the request; so callers
 * can return at their deadline, and late data are never written to freed
 * memory.  A watcher thread checks the age of requests:
 *
 *	OK --a request has no answer for timeout--> STALLED
 *	 ^                                             |
 *	 +-- any answer: a late one, or of a probe ----+
 *
 * While STALLED new requests fail at once with -ETIMEDOUT, and queued ones are
 * cancelled.  Once a timeout, if a worker is idle, a probe is sent: a read,
 * each time of another offset.
 *
 * A running request cannot always be cancelled.  One that an NBD server does
 * not answer is abandoned with its connection, a read after 5 timeouts, a write
 * or discard after half a minute, or 5 timeouts if that is longer; a system
 * call on a file ends when the kernel ends it.  With several workers a discard
 * does not stall the device: no thread waits for it.
 *
 * A write whose answer was lost (abandoned, or its connection broke) could
 * still be executed later, over data written there since, so its range must not
 * be used any more.  Writes and discards are then refused for a while, as if
 * the device were STALLED: 5 timeouts, and twice as long each time, up to 5
 * minutes, until a write succeeds.  After a discard whose answer was lost, no
 * more discards are sent.
 *
 * The data of a late read are kept for a while: a retry gets them at once, so
 * that a device whose every read takes longer than the timeout still works.
 *
 * Locking: any thread; no function waits longer than it says.
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
 * Takes ownership of dev on success. timeout_ns: 0 for the default.  0, -ENOMEM
 * or -EAGAIN (no threads).
 */
int requests_new(struct requests **qp, struct store_device *dev,
		 struct health *health, uint64_t timeout_ns);
/*
 * Also closes the device.  Returns within half a second: a thread still blocked
 * in a request then frees the rest when that request ends.
 */
void requests_free(struct requests *q);

uint64_t requests_timeout_ns(const struct requests *q);
bool requests_is_stalled(struct requests *q);
/* Whether the device is stalled, or writes are postponed. */
bool requests_refuses_writes(struct requests *q);

/*
 * 0; -ETIMEDOUT: stalled, not answered before until_ns (clock_now_ns()), or not
 * sent because too many reads, or one of the same MiB, are without an answer;
 * -ENOMEM; else the device's error.  Any offset and length.
 */
int requests_read(struct requests *q, void *buf, size_t len, uint64_t offset,
		  uint64_t until_ns);

/* A buffer for requests_write(), to be freed by free().  NULL: no memory. */
void *requests_buffer(size_t len);
/*
 * Starts to write a requests_buffer(), which belongs to the request from then
 * on; len and offset are multiples of STORE_DEVICE_BLOCK.  0; on an error the
 * buffer stays the caller's: -ETIMEDOUT: writes are refused; -ENOLINK: a
 * discard whose answer was lost can still be executed, so the range must not be
 * used any more; -ENOMEM.
 */
int requests_write(struct requests *q, void *buf, size_t len, uint64_t offset,
		   struct request **rp);
/*
 * -EINPROGRESS: no answer before until_ns, or the write is late or the device
 * stalled (then at once); call this again, and write nothing else to that range
 * before the result.  Else the result, *bufp belongs to the caller again, and r
 * is freed: 0; -ETIMEDOUT: the write was never started; or the device's error.
 * After -ENOLINK, which is also the result of a write that waited for a discard
 * whose answer was lost, the range must not be used any more.
 */
int requests_write_result(struct requests *q, struct request *r,
			  uint64_t until_ns, void **bufp);

/*
 * Starts to discard; later writes to the range are executed after it.  A hint:
 * nothing is done if the device is busy, or does not support it.
 */
void requests_discard(struct requests *q, size_t len, uint64_t offset);

#endif
