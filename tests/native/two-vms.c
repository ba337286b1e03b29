// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * VMs side by side in one process, each with two CPUs, its own memory, console
 * and end.  The guest, in ring 0: CPU 1 sets a flag in memory and stays; CPU 0
 * waits for the flag, copies its command line to COM1 up to a '|', stores the
 * first letter in memory, and the letter after the '|' says how it ends.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tests/tap.h"
#include "tests/unit/tiny-elf.h"
#include "vmm/dev/legacy.h"
#include "vmm/dev/serial.h"
#include "vmm/kvm/boot.h"
#include "vmm/kvm/vm.h"

#define FLAG   0x108000		/* in the guest's segment, after the code */
#define LETTER 0x108008
#define LIMIT_S 60

__asm__(".pushsection .rodata\n"
	"guest_start:\n"
	"	mov	$0x108000, %r8d\n"
	"	test	%edi, %edi\n"
	"	jz	first\n"
	"	movb	$1, (%r8)\n"
	"stay:	pause\n"
	"	jmp	stay\n"
	"first:	cmpb	$0, (%r8)\n"
	"	je	first\n"
	"	mov	0x228(%rsi), %ebx\n" /* hdr.cmd_line_ptr */
	"	mov	(%rbx), %al\n"
	"	mov	%al, 8(%r8)\n"
	"	mov	$0x3f8, %edx\n"
	"next:	mov	(%rbx), %al\n"
	"	inc	%rbx\n"
	"	cmp	$'|', %al\n"
	"	je	end\n"
	"	out	%al, %dx\n"
	"	jmp	next\n"
	"end:	mov	(%rbx), %cl\n"
	"	cmp	$'o', %cl\n"
	"	jne	1f\n"
	"	mov	$0x604, %edx\n"	/* power off: SLP_TYP 5, SLP_EN */
	"	mov	$0x3400, %eax\n"
	"	out	%ax, %dx\n"
	"	jmp	stay\n"
	"1:	cmp	$'r', %cl\n"
	"	jne	1f\n"
	"	mov	$0xcf9, %edx\n"	/* reset register */
	"	mov	$6, %al\n"
	"	out	%al, %dx\n"
	"	jmp	stay\n"
	"1:	cmp	$'k', %cl\n"
	"	jne	1f\n"
	"	mov	$0xfe, %al\n"	/* reset line of the i8042 */
	"	out	%al, $0x64\n"
	"	jmp	stay\n"
	"1:	cmp	$'p', %cl\n"
	"	jne	1f\n"
	"	mov	$0x505, %edx\n"	/* pvpanic */
	"	in	%dx, %al\n"
	"	and	$1, %al\n"
	"	out	%al, %dx\n"
	"	jmp	stay\n"
	/* Nobody's port and address read all ones and take any write. */
	"1:	cmp	$'n', %cl\n"
	"	jne	1f\n"
	"	mov	$0x1234, %edx\n"
	"	in	%dx, %eax\n"
	"	out	%eax, %dx\n"
	"	mov	$0xcff00000, %r9d\n"
	"	and	(%r9), %eax\n"
	"	mov	%eax, (%r9)\n"
	"	inc	%eax\n"
	"	jnz	stay\n"
	"	mov	$'o', %al\n"
	"	mov	%al, (%rbx)\n"
	"	jmp	end\n"
	"1:	jmp	stay\n"
	"guest_end:\n"
	".popsection\n");

extern const uint8_t guest_start[], guest_end[];

struct guest {
	const char *cmdline;
	enum vm_end want;
	struct vm *vm;
	struct legacy *legacy;
	struct serial *serial;
	int out[2];
	enum vm_end end;
	bool timed_out;
	pthread_t waiter, watch;
	pthread_mutex_t lock;
	pthread_cond_t done_cond;
	bool done;
};

static int kernel_file(void)
{
	struct tiny_elf e;
	size_t size = tiny_elf_make(&e, guest_start, guest_end - guest_start,
				    true);
	int fd = memfd_create("guest", MFD_CLOEXEC);

	if (fd < 0 || write(fd, &e, size) != (ssize_t)size)
		tap_bail("no kernel file: %s", strerror(errno));
	return fd;
}

static void guest_new(struct guest *g, int kernel_fd)
{
	const struct vm_config vc = { .name = g->cmdline, .nr_cpus = 2,
				      .mem_bytes = 16 << 20 };
	char path[64], why[512] = "out of memory";
	const struct boot_config bc = { .kernel = path, .cmdline = g->cmdline };

	snprintf(path, sizeof(path), "/proc/self/fd/%d", kernel_fd);
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->done_cond, NULL);
	if (pipe(g->out) || vm_new(&g->vm, &vc, why, sizeof(why)) ||
	    legacy_new(&g->legacy, g->vm) || serial_new(&g->serial, g->vm, g->out[1]) ||
	    boot_load(g->vm, &bc, why, sizeof(why)))
		tap_bail("%s", why);
}

/* A guest that does not end is ended, and reported. */
static void *watch(void *arg)
{
	struct guest *g = arg;
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += LIMIT_S;
	pthread_mutex_lock(&g->lock);
	while (!g->done && !g->timed_out)
		g->timed_out = pthread_cond_timedwait(&g->done_cond, &g->lock,
						      &until) == ETIMEDOUT;
	pthread_mutex_unlock(&g->lock);
	if (g->timed_out)
		vm_stop(g->vm, VM_END_STOPPED);
	return NULL;
}

static void *wait_for_end(void *arg)
{
	struct guest *g = arg;

	g->end = vm_wait(g->vm);
	pthread_mutex_lock(&g->lock);
	g->done = true;
	pthread_cond_signal(&g->done_cond);
	pthread_mutex_unlock(&g->lock);
	return NULL;
}

static void guest_start_threads(struct guest *g)
{
	if (vm_start(g->vm) ||
	    pthread_create(&g->waiter, NULL, wait_for_end, g) ||
	    pthread_create(&g->watch, NULL, watch, g))
		tap_bail("the VM does not start");
}

/* -1: it is not in the guest's RAM. */
static int byte_at(const struct guest *g, uint64_t gpa)
{
	const uint8_t *byte = guest_mem_ptr(vm_mem(g->vm), GPA(gpa), 1);

	return byte ? *byte : -1;
}

static void guest_finish(struct guest *g)
{
	size_t want_len = strcspn(g->cmdline, "|");
	char text[128] = "";
	struct vm_stats stats;
	ssize_t n = 0;

	pthread_join(g->waiter, NULL);
	pthread_join(g->watch, NULL);
	if (!ok(g->end == g->want && !g->timed_out, "%s: ended as it asked",
		g->cmdline))
		printf("# got end %d, want %d%s\n", g->end, g->want,
		       g->timed_out ? ", by the time limit" : "");
	serial_finish(g->serial, LIMIT_S * 1000);
	close(g->out[1]);
	n = read(g->out[0], text, sizeof(text));
	ok(n == (ssize_t)want_len && !memcmp(text, g->cmdline, want_len),
	   "%s: its console has its text alone", g->cmdline);
	is_int(byte_at(g, LETTER), g->cmdline[0],
	       "its memory has its own letter");
	is_int(byte_at(g, FLAG), 1, "its second CPU ran");
	vm_get_stats(g->vm, &stats);
	ok(stats.nr_io_exits >= want_len, "%s: its exits are counted",
	   g->cmdline);
	close(g->out[0]);
	serial_free(g->serial);
	legacy_free(g->legacy);
	vm_free(g->vm);
	pthread_cond_destroy(&g->done_cond);
	pthread_mutex_destroy(&g->lock);
}

static void test_pair(int fd, const char *a, enum vm_end end_a, const char *b,
		      enum vm_end end_b)
{
	struct guest g[2] = { { .cmdline = a, .want = end_a },
			      { .cmdline = b, .want = end_b } };

	for (int i = 0; i < 2; i++)
		guest_new(&g[i], fd);
	for (int i = 0; i < 2; i++)
		guest_start_threads(&g[i]);
	for (int i = 0; i < 2; i++)
		guest_finish(&g[i]);
}

/* One is stopped from outside; the other does not notice. */
static void test_stop(int fd)
{
	struct guest g[2] = {
		{ .cmdline = "stays|-", .want = VM_END_STOPPED },
		{ .cmdline = "leaves|o", .want = VM_END_POWEROFF },
	};
	struct pollfd p;
	int nr = 0;

	for (int i = 0; i < 2; i++)
		guest_new(&g[i], fd);
	guest_start_threads(&g[0]);
	p = (struct pollfd){ .fd = g[0].out[0], .events = POLLIN };
	ok(poll(&p, 1, LIMIT_S * 1000) == 1, "the one that stays has begun");
	guest_start_threads(&g[1]);
	guest_finish(&g[1]);
	ok(!g[0].done, "the other still runs");
	/* Its text may be on its way: a letter at a time. */
	for (time_t end = time(NULL) + LIMIT_S; time(NULL) < end;) {
		if (!ioctl(g[0].out[0], FIONREAD, &nr) &&
		    nr >= (int)strcspn(g[0].cmdline, "|"))
			break;
		usleep(10000);
	}
	vm_stop(g[0].vm, VM_END_STOPPED);
	guest_finish(&g[0]);
}

static void fill_pipe(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	char fill[4096] = "";

	while (poll(&p, 1, 0) == 1 && write(fd, fill, sizeof(fill)) > 0)
		;
}

/*
 * An unread console does not block its guest: the output can be read later, and
 * is counted as lost if it never is.
 */
static void test_full_console(int fd, bool read_later)
{
	struct guest g = { .cmdline = "waits|o", .want = VM_END_POWEROFF };
	char text[4096];
	ssize_t n = 0;

	guest_new(&g, fd);
	fill_pipe(g.out[1]);
	guest_start_threads(&g);
	pthread_join(g.waiter, NULL);
	pthread_join(g.watch, NULL);
	ok(!g.timed_out && g.end == VM_END_POWEROFF,
	   "a guest whose console nobody reads goes on");
	while (read_later && poll(&(struct pollfd){ g.out[0], POLLIN, 0 }, 1,
				  0) == 1)
		n = read(g.out[0], text, sizeof(text));
	serial_finish(g.serial, 100);
	is_int(serial_nr_dropped(g.serial), read_later ? 0 : 5,
	       "what was lost of it is counted");
	if (read_later) {
		n = read(g.out[0], text, sizeof(text));
		ok(n == 5 && !memcmp(text, "waits", 5),
		   "its text is there for who reads late");
	}
	close(g.out[0]);
	close(g.out[1]);
	serial_free(g.serial);
	legacy_free(g.legacy);
	vm_free(g.vm);
}

int main(void)
{
	int fd;

	if (access("/dev/kvm", R_OK | W_OK))
		tap_skip_all("/dev/kvm cannot be used: load kvm_intel or "
			     "kvm_amd, and join the group kvm");
	fd = kernel_file();
	test_pair(fd, "first VM|o", VM_END_POWEROFF, "second VM|r",
		  VM_END_RESET);
	test_pair(fd, "panics|p", VM_END_PANIC, "keyboard reset|k",
		  VM_END_RESET);
	test_pair(fd, "nobody's ports|n", VM_END_POWEROFF, "another|o",
		  VM_END_POWEROFF);
	test_stop(fd);
	test_full_console(fd, false);
	test_full_console(fd, true);
	close(fd);
	return tap_done();
}
