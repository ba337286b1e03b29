/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GET /events: a JSON line after each scan, to each of several readers.
 *
 *   engine thread --publish--> backlog of each reader --MHD thread--> socket
 *
 * A reader that does not keep up loses lines, and then gets {"dropped":
 * NUMBER}; it never blocks the engine or other readers.
 *
 * Locking: one mutex inside; any thread.
 */
#ifndef VMM_CONTROL_EVENTS_H
#define VMM_CONTROL_EVENTS_H

#include <microhttpd.h>
#include <stdbool.h>

struct event_hub;

struct event_hub *event_hub_new(void);
/* After event_hub_close() and MHD_stop_daemon(). */
void event_hub_free(struct event_hub *hub);
/* Ends every stream, so that the daemon can stop. */
void event_hub_close(struct event_hub *hub);
bool event_hub_has_readers(struct event_hub *hub);
/* line ends with '\n' and is copied. */
void event_hub_publish(struct event_hub *hub, const char *line);
/*
 * Adds a reader: the response streams until the reader closes the connection or
 * event_hub_close() is called.  -EBUSY: there are EVENT_MAX_READERS already;
 * -ENOMEM.
 */
#define EVENT_MAX_READERS 16
int event_hub_subscribe(struct event_hub *hub,
			struct MHD_Connection *connection,
			struct MHD_Response **response);

#endif
