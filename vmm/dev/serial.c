// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/dev/serial.h"
#include "vmm/kvm/layout.h"
#include "vmm/kvm/vm.h"
#include "vmm/util/clock.h"
#include "vmm/util/error-text.h"
#include "vmm/util/log.h"
#include "vmm/util/tx-out.h"

enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR,
       REG_SCR };

#define IER_RX	     0x01
#define IER_TX	     0x02
#define IER_MASK     0x0f
#define IIR_NONE     0x01
#define IIR_TX	     0x02
#define IIR_RX	     0x04
#define IIR_FIFO     0xc0
#define FCR_ENABLE   0x01
#define FCR_CLEAR_RX 0x02
#define LCR_DLAB     0x80
#define MCR_LOOP     0x10
#define LSR_RX	     0x01
#define LSR_TX_IDLE  0x60
#define MSR_READY    0xb0	/* carrier, data set ready, clear to send */

#define RX_MAX	      4096
/*
 * Output waiting for its reader.  The transmitter reports busy while less than
 * TX_ROOM is free: drivers check it before they fill a FIFO of 16 bytes, or
 * write a whole line.
 */
#define TX_MAX	      (64 * 1024)
#define TX_ROOM	      4096
#define TX_PIECE      4096	/* size of one write() */

struct serial {
	struct tx_out out;		/* owned */
	struct event *writable;		/* owned; activated by transmit() */
	int irq_fd;			/* owned */
	struct log_limit limit;
	pthread_mutex_t lock;		/* of all below */
	uint8_t ier, lcr, mcr, scr, fcr;
	uint16_t divisor;
	bool tx_pending;		/* the "transmitter empty" interrupt */
	uint8_t tx[TX_MAX];		/* a ring: output not yet written */
	size_t tx_start, tx_len;
	uint64_t nr_dropped;
	int out_error;			/* the first -errno of a write; 0: none */
	bool error_to_log, dropped_to_log;	/* log lines that are due */
	uint8_t rx[RX_MAX];		/* a ring: input not yet read */
	size_t rx_start, rx_len;
};

static uint8_t pending(const struct serial *s)
{
	if ((s->ier & IER_RX) && s->rx_len)
		return IIR_RX;
	if ((s->ier & IER_TX) && s->tx_pending)
		return IIR_TX;
	return IIR_NONE;
}

/*
 * The interrupt is edge-triggered: each change that leaves something pending
 * pulses the line, and the driver reads IIR until nothing is pending.
 */
static void pulse_if_pending(struct serial *s)
{
	uint64_t one = 1;

	if (pending(s) != IIR_NONE && write(s->irq_fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: the interrupt is raised anyway */
}

static bool tx_is_ready(const struct serial *s)
{
	return TX_MAX - s->tx_len >= TX_ROOM;
}

/* The I/O thread writes the output; only the first byte wakes it. */
static void transmit(struct serial *s, uint8_t c)
{
	if (s->tx_len == TX_MAX) {
		s->nr_dropped++;
		s->dropped_to_log = true;
		return;
	}
	s->tx[(s->tx_start + s->tx_len) % TX_MAX] = c;
	if (!s->tx_len++)
		event_active(s->writable, EV_TIMEOUT, 0);
}

/* Keeps the first error only: later writes will hardly succeed. */
static void note_error(struct serial *s, int rc)
{
	if (s->out_error)
		return;
	s->out_error = rc;
	s->error_to_log = true;
}

/* Logging can block on the reader of standard error: not under the lock. */
static void unlock_and_log(struct serial *s)
{
	int error = s->error_to_log ? s->out_error : 0;
	bool dropped = s->dropped_to_log;

	s->error_to_log = s->dropped_to_log = false;
	pthread_mutex_unlock(&s->lock);
	if (error)
		log_warn("cannot write console output to standard output: %s; "
			 "such output is lost, the guest keeps running",
			 error_text(-error));
	if (dropped)
		log_limited(&s->limit, LOG_LEVEL_WARN,
			    "console output is dropped: the reader of standard "
			    "output does not keep up");
}

/* Writes one piece, as much as possible.  False: retry later. */
static bool write_piece(struct serial *s)
{
	bool was_ready = tx_is_ready(s);
	size_t n = TX_MAX - s->tx_start;
	ssize_t rc;

	if (n > s->tx_len)
		n = s->tx_len;
	if (n > TX_PIECE)
		n = TX_PIECE;
	rc = tx_out_write(&s->out, s->tx + s->tx_start, n);
	if (rc == -EAGAIN)
		return false;
	if (rc < 0) {
		/* Permanent error: a pipe without a reader, a full disk. */
		note_error(s, rc);
		s->nr_dropped += n;
		rc = n;
	}
	s->tx_start = (s->tx_start + rc) % TX_MAX;
	s->tx_len -= rc;
	if (!was_ready && tx_is_ready(s)) {
		s->tx_pending = true;
		pulse_if_pending(s);
	}
	return true;
}

/*
 * In the I/O thread, one piece per turn.  A descriptor that can't be polled,
 * such as a file, takes all output at once.
 */
static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct serial *s = arg;

	pthread_mutex_lock(&s->lock);
	if (s->tx_len && write_piece(s) && s->tx_len)
		event_active(s->writable, EV_TIMEOUT, 0);
	else if (s->tx_len)
		event_add(s->writable, NULL);
	unlock_and_log(s);
}

static uint8_t receive(struct serial *s)
{
	uint8_t c;

	if (!s->rx_len)
		return 0;
	c = s->rx[s->rx_start];
	s->rx_start = (s->rx_start + 1) % RX_MAX;
	s->rx_len--;
	return c;
}

static uint8_t read_register(struct serial *s, uint64_t reg)
{
	uint8_t v;

	switch (reg) {
	case REG_DATA:
		if (s->lcr & LCR_DLAB)
			return s->divisor;
		v = receive(s);
		pulse_if_pending(s);
		return v;
	case REG_IER:
		return s->lcr & LCR_DLAB ? s->divisor >> 8 : s->ier;
	case REG_IIR_FCR:
		v = pending(s);
		if (v == IIR_TX)
			s->tx_pending = false;
		return v | (s->fcr & FCR_ENABLE ? IIR_FIFO : 0);
	case REG_LCR:
		return s->lcr;
	case REG_MCR:
		return s->mcr;
	case REG_LSR:
		return (tx_is_ready(s) ? LSR_TX_IDLE : 0) |
		       (s->rx_len ? LSR_RX : 0);
	case REG_MSR:
		/*
		 * In loop mode the outputs are read back as inputs: drivers
		 * probe with it.
		 */
		if (s->mcr & MCR_LOOP)
			return (s->mcr & 0x0c) << 4 | (s->mcr & 0x02) << 3 |
			       (s->mcr & 0x01) << 5;
		return MSR_READY;
	case REG_SCR:
		return s->scr;
	}
	return 0xff;
}

static void put_input(struct serial *s, uint8_t c)
{
	s->rx[(s->rx_start + s->rx_len) % RX_MAX] = c;
	s->rx_len++;
}

static void write_register(struct serial *s, uint64_t reg, uint8_t v)
{
	switch (reg) {
	case REG_DATA:
		if (s->lcr & LCR_DLAB) {
			s->divisor = (s->divisor & 0xff00) | v;
			return;
		}
		if (s->mcr & MCR_LOOP) {
			if (s->rx_len < RX_MAX)
				put_input(s, v);
		} else {
			transmit(s, v);
		}
		s->tx_pending = tx_is_ready(s);
		break;
	case REG_IER:
		if (s->lcr & LCR_DLAB) {
			s->divisor = v << 8 | (s->divisor & 0xff);
			return;
		}
		if ((v & IER_TX) && !(s->ier & IER_TX))
			s->tx_pending = tx_is_ready(s);
		s->ier = v & IER_MASK;
		break;
	case REG_IIR_FCR:
		s->fcr = v;
		if (v & FCR_CLEAR_RX)
			s->rx_len = 0;
		break;
	case REG_LCR:
		s->lcr = v;
		return;
	case REG_MCR:
		s->mcr = v;
		return;
	case REG_SCR:
		s->scr = v;
		return;
	}
	pulse_if_pending(s);
}

static void serial_read(void *dev, uint64_t off, void *data, unsigned int len)
{
	struct serial *s = dev;
	uint8_t *bytes = data;

	pthread_mutex_lock(&s->lock);
	for (unsigned int i = 0; i < len; i++)
		bytes[i] = read_register(s, off + i);
	pthread_mutex_unlock(&s->lock);
}

static void serial_write(void *dev, uint64_t off, const void *data,
			 unsigned int len)
{
	struct serial *s = dev;
	const uint8_t *bytes = data;

	pthread_mutex_lock(&s->lock);
	for (unsigned int i = 0; i < len; i++)
		write_register(s, off + i, bytes[i]);
	unlock_and_log(s);
}

static const struct bus_ops serial_ops = { serial_read, serial_write };

int serial_new(struct serial **sp, struct vm *vm, int out_fd)
{
	struct serial *s = calloc(1, sizeof(*s));
	int rc = -ENOMEM;

	if (!s)
		return rc;
	pthread_mutex_init(&s->lock, NULL);
	s->divisor = 12;		/* 9600 baud */
	tx_out_open(&s->out, out_fd);
	s->writable = event_new(vm_event_base(vm), s->out.poll_fd, EV_WRITE,
				on_writable, s);
	s->irq_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->irq_fd < 0)
		rc = -errno;
	else if (s->writable)
		rc = vm_irqfd(vm, GSI_COM1, s->irq_fd);
	if (!rc)
		rc = bus_add(vm_pio(vm), PORT_COM1, 8, "COM1", &serial_ops, s);
	if (rc) {
		serial_free(s);
		return rc;
	}
	*sp = s;
	return 0;
}

void serial_free(struct serial *s)
{
	if (!s)
		return;
	if (s->writable)
		event_free(s->writable);
	if (s->irq_fd >= 0)
		close(s->irq_fd);
	tx_out_close(&s->out);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void serial_finish(struct serial *s, unsigned int limit_ms)
{
	uint64_t end = clock_now_ns() + limit_ms * UINT64_C(1000000), now;
	uint64_t nr_dropped;
	int error;

	pthread_mutex_lock(&s->lock);
	while (s->tx_len) {
		if (write_piece(s))
			continue;
		now = clock_now_ns();
		if (now >= end || !tx_out_wait(&s->out, (end - now) / 1000000))
			break;
	}
	s->nr_dropped += s->tx_len;
	s->tx_len = 0;
	nr_dropped = s->nr_dropped;
	error = s->out_error;
	unlock_and_log(s);
	if (nr_dropped)
		log_warn("%llu bytes of console output were lost: %s",
			 (unsigned long long)nr_dropped, error ?
			 error_text(-error) :
			 "the reader of standard output did not keep up");
}

uint64_t serial_nr_dropped(struct serial *s)
{
	uint64_t nr;

	pthread_mutex_lock(&s->lock);
	nr = s->nr_dropped;
	pthread_mutex_unlock(&s->lock);
	return nr;
}

size_t serial_input(struct serial *s, const void *data, size_t len)
{
	const uint8_t *bytes = data;
	size_t n = 0;

	pthread_mutex_lock(&s->lock);
	while (n < len && s->rx_len < RX_MAX)
		put_input(s, bytes[n++]);
	pulse_if_pending(s);
	pthread_mutex_unlock(&s->lock);
	return n;
}
