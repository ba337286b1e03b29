// SPDX-License-Identifier: GPL-2.0-or-later
/* The serial port's output, with a reader that is slow, late or gone. */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/tap.h"
#include "tests/unit/virtio-driver.h"
#include "vmm/dev/serial.h"
#include "vmm/kvm/layout.h"
#include "vmm/util/log.h"

#define IER	   1
#define IIR	   2
#define IIR_TX	   2	/* in its lower four bits; 1: nothing */
#define LSR	   5
#define LSR_READY  0x60
#define BUFFER	   (64 * 1024)	/* as vmm/dev/serial.c has it */
#define ROOM	   4096

static struct vm *vm;
static struct serial *serial;

static void put(uint8_t c)
{
	bus_write(vm_pio(vm), PORT_COM1, &c, 1);
}

static bool is_ready(void)
{
	uint8_t v = 0;

	bus_read(vm_pio(vm), PORT_COM1 + LSR, &v, 1);
	return (v & LSR_READY) == LSR_READY;
}

static void set_interrupts(uint8_t v)
{
	bus_write(vm_pio(vm), PORT_COM1 + IER, &v, 1);
}

/* Reading takes it away. */
static bool tx_interrupt(void)
{
	uint8_t v = 0;

	bus_read(vm_pio(vm), PORT_COM1 + IIR, &v, 1);
	return (v & 0xf) == IIR_TX;
}

static uint8_t letter(size_t i)
{
	return 'a' + i % 23;
}

static void turn(void)
{
	event_base_loop(vm_event_base(vm), EVLOOP_NONBLOCK);
}

/* Each needs a VM of its own: a port can't be taken off the bus. */
static void begin(int fd)
{
	vm = driver_vm();
	if (serial_new(&serial, vm, fd))
		tap_bail("no serial port");
}

static void end(void)
{
	serial_free(serial);
	vm_free(vm);
}

/* Reads what is there; whether it follows what was read before. */
static bool read_on(int fd, size_t *nr)
{
	uint8_t buf[4096];
	bool good = true;
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0 ||
	       (n < 0 && errno == ENOTSOCK &&
		(n = read(fd, buf, sizeof(buf))) > 0))
		for (ssize_t i = 0; i < n; i++)
			good &= buf[i] == letter((*nr)++);
	return good;
}

static void test_no_reader(const char *name, const int fds[2])
{
	size_t sent = 0, got = 0, held;
	bool good = true;
	int flags = fcntl(fds[1], F_GETFL);

	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	begin(fds[1]);
	set_interrupts(2);
	ok(tx_interrupt() && !tx_interrupt(),
	   "the transmitter is ready, which is told once");
	put(letter(sent++));
	ok(tx_interrupt(), "and again after a byte");
	is_int(fcntl(fds[1], F_GETFL), flags,
	       "the flags of a descriptor that others share stay");
	/* The reader's own buffer first, then ours, until it says busy. */
	for (; is_ready(); sent++) {
		put(letter(sent));
		if (sent % 512 == 0)
			turn();
	}
	held = sent;
	ok(!serial_nr_dropped(serial), "%s: nothing is lost", name);
	for (int i = 0; i < ROOM - 2; i++)
		put(letter(sent++));
	is_int(serial_nr_dropped(serial), 0,
	       "who writes though it is busy has some room still");
	ok(held > BUFFER - ROOM && !is_ready(), "%s: it says busy", name);
	tx_interrupt();
	put(letter(sent++));
	ok(!tx_interrupt(), "no interrupt asks for more");
	set_interrupts(0);
	set_interrupts(2);
	ok(!tx_interrupt(), "nor does one when they are turned on");
	for (int i = 0; i < 1000; i++)
		put('!');
	is_int(serial_nr_dropped(serial), 1000, "beyond that bytes are counted");

	good = read_on(fds[0], &got);
	for (int i = 0; i < 100 && got < sent; i++) {
		turn();
		good &= read_on(fds[0], &got);
	}
	ok(good && got == sent && is_ready(),
	   "%s: a late reader has all others, in order", name);
	ok(tx_interrupt(), "and the driver is told that there is room");
	put('z');
	serial_finish(serial, 0);
	is_int(serial_nr_dropped(serial), 1000, "and all of them at the end");
	end();
	close(fds[0]);
	close(fds[1]);
}

static void test_gone_reader(void)
{
	int fds[2];

	if (pipe(fds))
		tap_bail("no pipe");
	begin(fds[1]);
	close(fds[0]);
	for (int i = 0; i < 3 * BUFFER; i++) {
		put('x');
		if (i % 512 == 0)
			turn();
	}
	serial_finish(serial, 0);
	is_int(serial_nr_dropped(serial), 3 * BUFFER,
	       "a pipe without a reader: all is counted");
	end();
	close(fds[1]);
}

static void test_file(void)
{
	char path[] = "/tmp/vmm-serial-XXXXXX", text[64];
	int fd = mkstemp(path);

	if (fd < 0 || write(fd, "before ", 7) != 7)
		tap_bail("no file");
	begin(fd);
	put('x');
	turn();
	put('y');
	serial_finish(serial, 0);
	ok(write(fd, " after", 6) == 6 && pread(fd, text, 64, 0) == 15 &&
	   !memcmp(text, "before xy after", 15),
	   "a file is written at the position that others see");
	end();
	unlink(path);
	close(fd);
}

int main(void)
{
	int fds[2];

	log_set_level(LOG_LEVEL_ERROR);
	signal(SIGPIPE, SIG_IGN);
	if (pipe(fds))
		tap_bail("no pipe");
	test_no_reader("a full pipe", fds);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
		tap_bail("no sockets");
	test_no_reader("a full socket", fds);
	test_gone_reader();
	test_file();
	return tap_done();
}
