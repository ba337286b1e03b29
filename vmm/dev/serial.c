// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/dev/serial.h"
#include "vmm/kvm/layout.h"
#include "vmm/kvm/vm.h"

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
#define STOP_CHECK_MS 100

struct serial {
	struct vm *vm;
	int out_fd;
	int irq_fd;			/* owned */
	pthread_mutex_t lock;		/* of all below */
	uint8_t ier, lcr, mcr, scr, fcr;
	uint16_t divisor;
	bool tx_pending;		/* the "transmitter empty" interrupt */
	uint8_t rx[RX_MAX];
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
 * The line is an edge: each change that leaves something pending pulses it,
 * and the driver reads IIR until nothing is.
 */
static void pulse_if_pending(struct serial *s)
{
	uint64_t one = 1;

	if (pending(s) != IIR_NONE && write(s->irq_fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: the interrupt is raised anyway */
}

/*
 * A terminal that can't take it at once is waited for, so that output is not
 * lost, until the VM is to stop: a reader that never comes must not keep it.
 * poll() first, since a write() that blocks would not see the stop.
 */
static void transmit(struct serial *s, uint8_t c)
{
	struct pollfd p = { .fd = s->out_fd, .events = POLLOUT };
	ssize_t n = -1;

	while (n < 0 && !vm_stopping(s->vm)) {
		if (poll(&p, 1, STOP_CHECK_MS) <= 0)
			continue;
		n = write(s->out_fd, &c, 1);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return;	/* nobody will ever read it */
	}
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
		return LSR_TX_IDLE | (s->rx_len ? LSR_RX : 0);
	case REG_MSR:
		/* In loop mode the outputs come back: drivers probe for it. */
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
		s->tx_pending = true;
		break;
	case REG_IER:
		if (s->lcr & LCR_DLAB) {
			s->divisor = v << 8 | (s->divisor & 0xff);
			return;
		}
		if ((v & IER_TX) && !(s->ier & IER_TX))
			s->tx_pending = true;
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
	pthread_mutex_unlock(&s->lock);
}

static const struct bus_ops serial_ops = { serial_read, serial_write };

int serial_new(struct serial **sp, struct vm *vm, int out_fd)
{
	struct serial *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	s->vm = vm;
	s->out_fd = out_fd;
	s->divisor = 12;		/* 9600 baud */
	s->irq_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->irq_fd < 0) {
		rc = -errno;
		goto err;
	}
	rc = vm_irqfd(vm, GSI_COM1, s->irq_fd);
	if (!rc)
		rc = bus_add(vm_pio(vm), PORT_COM1, 8, "COM1", &serial_ops, s);
	if (rc)
		goto err_close;
	*sp = s;
	return 0;

err_close:
	close(s->irq_fd);
err:
	pthread_mutex_destroy(&s->lock);
	free(s);
	return rc;
}

void serial_free(struct serial *s)
{
	if (!s)
		return;
	close(s->irq_fd);
	pthread_mutex_destroy(&s->lock);
	free(s);
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
