/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Internals of virtio-vsock, shared by its files.
 *
 *   vsock.c       the device, and packets from the guest
 *   vsock-rx.c    packets to the guest
 *   vsock-conn.c  a connection: states, buffer, credit
 *   vsock-host.c  the host's side: unix sockets and in-process listeners
 *
 * Threads: connections belong to the I/O thread.  A vCPU thread that resets the
 * device only sets reset_pending; the I/O thread cleans up before it does
 * anything else (vsock_enter()).  All of it is done under dev.lock.
 *
 * No peer blocks another: bytes for a host program that does not read stay in
 * the connection's buffer, whose size is the guest's credit; bytes for a guest
 * that does not read stay in the host's socket; and connections with packets
 * for the guest send one each in turn.  Events of connections only schedule the
 * receive queue, which the I/O thread serves like any other, at most
 * VIRTIO_TURN_COST at a time.
 */
#ifndef VMM_DEV_VSOCK_H
#define VMM_DEV_VSOCK_H

#include <linux/virtio_vsock.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "vmm/dev/virtio.h"

#define VSOCK_HOST_CID	   2
#define VSOCK_BUF_BYTES	   (64 * 1024)	/* credit given to the guest */
#define VSOCK_MAX_CONNS	   512	/* fewer if the descriptor limit is low */
#define VSOCK_CONN_FDS	   2	/* of a connection; one may be a listener's */
#define VSOCK_COST_CONNECT 64	/* of making sockets; see VIRTIO_TURN_COST */
#define VSOCK_MAX_RESETS   64	/* packets, in resets[] */
#define VSOCK_NR_BUCKETS   256
#define VSOCK_HOST_PORT0   (1u << 30)	/* first port of host programs */
#define VSOCK_ANSWER_SECS  10	/* limit for CONNECT, and the guest's answer */

enum vsock_queue { VSOCK_RX, VSOCK_TX, VSOCK_EVENT, VSOCK_NR_QUEUES };

enum vsock_state {
	VSOCK_GREETING,		/* the host program has yet to say CONNECT */
	VSOCK_REQUESTED,	/* the guest has yet to answer */
	VSOCK_OPEN,
	VSOCK_DRAINING,		/* the guest has closed; buf is to be flushed */
};

/* Packets to be sent to the guest, most urgent first; data precede SHUTDOWN. */
enum vsock_pending {
	VSOCK_PENDING_RST = 1,	/* the connection is freed when it is sent */
	VSOCK_PENDING_REQUEST = 2,
	VSOCK_PENDING_RESPONSE = 4,
	VSOCK_PENDING_CREDIT_UPDATE = 8,
	VSOCK_PENDING_CREDIT_REQUEST = 16,
	VSOCK_PENDING_SHUTDOWN = 32,
};

struct evbuffer;
struct event;
struct virtio_vsock;

struct vsock_conn {
	struct virtio_vsock *vs;
	LIST_ENTRY(vsock_conn) all;	/* in vs->conns */
	LIST_ENTRY(vsock_conn) bucket;	/* in vs->buckets[]; while hashed */
	TAILQ_ENTRY(vsock_conn) turn;	/* in vs->turns; while waiting */
	bool hashed, waiting;

	enum vsock_state state;
	uint32_t guest_port, host_port;
	unsigned int pending;		/* flags of enum vsock_pending */

	int fd;				/* owned; -1: host's end is closed */
	struct event *readable;		/* owned; to set has_input */
	struct event *writable;		/* owned; added while buf has bytes */
	struct event *timer;		/* owned; for VSOCK_ANSWER_SECS */
	bool has_input;			/* fd may have bytes for the guest */
	bool host_no_send;		/* no more bytes come from fd */
	bool host_no_recv;		/* fd takes no more bytes */
	bool guest_no_send, guest_no_recv;	/* by its SHUTDOWN */
	bool reset_by_guest;			/* by the guest's RST: no RST back */

	/* Guest to host. */
	struct evbuffer *buf;		/* owned; at most VSOCK_BUF_BYTES */
	uint32_t fwd_cnt;		/* bytes passed to the host */
	uint32_t fwd_sent;		/* fwd_cnt in the last packet */
	/* Host to guest; the peer_* are from the guest's last packet. */
	uint32_t peer_buf_alloc, peer_fwd_cnt;
	uint32_t tx_cnt;		/* bytes passed to the guest */
	bool credit_requested;		/* since the last credit was used up */

	char line[32];		/* received so far: "CONNECT 4294967295" */
	unsigned int line_len;
};

/* A port that a part of this process listens on. */
struct vsock_listener {
	LIST_ENTRY(vsock_listener) link;
	uint32_t port;
	void (*accept)(int fd, void *arg);
	void *arg;
};

/* A connection to be passed to its listener's accept(), without the lock. */
struct vsock_accepted {
	STAILQ_ENTRY(vsock_accepted) link;
	int fd;				/* owned */
	void (*accept)(int fd, void *arg);
	void *arg;
};

struct virtio_vsock {
	struct virtio_device dev;	/* must come first */
	struct virtio_vsock_config config;
	struct log_limit limit;		/* of messages that a guest can cause */

	char *path;			/* owned; NULL: no unix sockets */
	int listen_fd;			/* owned */
	struct event *listen_event;	/* owned */
	struct event *listen_retry;	/* owned; after descriptors ran out */
	struct event *accept_event;	/* owned; calls accept() of listeners */
	struct event *reset_event;	/* owned; to handle reset_pending */

	/* Locked by dev.lock: */
	bool reset_pending;
	LIST_HEAD(, vsock_conn) conns;	/* owned; all */
	LIST_HEAD(, vsock_conn) buckets[VSOCK_NR_BUCKETS];	/* by ports */
	TAILQ_HEAD(, vsock_conn) turns;	/* in the order of sending */
	unsigned int nr_conns;
	unsigned int max_conns;		/* constant */
	uint32_t next_host_port;
	LIST_HEAD(, vsock_listener) listeners;	/* owned */
	STAILQ_HEAD(, vsock_accepted) accepted;	/* owned */

	/* A ring of RSTs to be sent for connections that do not exist. */
	struct vsock_reset { uint32_t guest_port, host_port; }
		resets[VSOCK_MAX_RESETS];
	unsigned int resets_head, nr_resets;
	bool tx_waits;			/* the TX queue, for room in resets[] */
};

/* vsock.c */

/*
 * To be called before and after the I/O thread works on connections: they take
 * and release dev.lock.  vsock_enter() returns false, with the lock taken as
 * well, if the guest has reset the device: all connections have been freed.
 */
bool vsock_enter(struct virtio_vsock *vs);
void vsock_leave(struct virtio_vsock *vs);

/* vsock-rx.c */

/*
 * Fills the guest's receive buffers for the rest of the I/O thread's turn; true
 * if that was used up, so there may be more to send.
 */
bool vsock_send_to_guest(struct virtio_vsock *vs);

/* vsock-conn.c */

/* A new connection that owns fd from now on, or NULL (fd closed). */
struct vsock_conn *vsock_conn_new(struct virtio_vsock *vs, int fd);
void vsock_conn_free(struct vsock_conn *conn);
void vsock_conn_free_all(struct virtio_vsock *vs);
void vsock_conn_hash(struct vsock_conn *conn, uint32_t guest_port,
		     uint32_t host_port);
struct vsock_conn *vsock_conn_find(struct virtio_vsock *vs,
				   uint32_t guest_port, uint32_t host_port);
/*
 * Puts the connection in vs->turns, to send the packets `pending` (flags of
 * enum vsock_pending) and data, if there are any.
 */
void vsock_conn_wait_turn(struct vsock_conn *conn, unsigned int pending);
/*
 * Ends the connection, with a RST to the guest if it knows of it.  Frees it, at
 * once or when the RST is sent.
 */
void vsock_conn_reset(struct vsock_conn *conn);
/* The connection is up: bytes may flow. */
void vsock_conn_open(struct vsock_conn *conn);
/* Bytes we may send to the guest now. */
uint32_t vsock_conn_credit(const struct vsock_conn *conn);
/*
 * Reads at most `max` bytes for the guest into iov.  Returns how many; 0 if
 * there are none now, or never again (then a SHUTDOWN is pending).
 */
size_t vsock_conn_recv(struct vsock_conn *conn, const struct iovec *iov,
		       unsigned int nr, size_t max);
/* Handles bytes from the guest; may end the connection (vsock_conn_reset()). */
void vsock_conn_send(struct vsock_conn *conn, const struct iovec *iov,
		     unsigned int nr, size_t bytes);
/* Handle a SHUTDOWN of the guest, with its flags, and a RST; may free conn. */
void vsock_conn_guest_shutdown(struct vsock_conn *conn, uint32_t flags);
void vsock_conn_guest_reset(struct vsock_conn *conn);
/* The flags of our SHUTDOWN packet. */
uint32_t vsock_conn_shutdown_flags(const struct vsock_conn *conn);

/* vsock-host.c */

/* Creates vs->path and listens on it.  0 or -errno with why. */
int vsock_host_listen(struct virtio_vsock *vs, char *why, size_t len);
void vsock_host_close(struct virtio_vsock *vs);
/* Makes the host's end of a guest connection to `port`: a socket, or -errno. */
int vsock_host_connect(struct virtio_vsock *vs, uint32_t port);
/* Reads more of the CONNECT line from fd; may free conn. */
void vsock_host_greet(struct vsock_conn *conn);
/* Tells the host program that the guest accepted; false: it cannot be told. */
bool vsock_host_welcome(struct vsock_conn *conn);

#endif
