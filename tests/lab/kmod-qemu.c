// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kmod-qemu ram|memfd: the module and a QEMU guest.
 *
 * QEMU runs, with KVM, a guest that writes every third page of 32 MiB, again
 * and again, and counts its rounds.  We are another process: we find its VM in
 * /proc/PID/fd, its memory in /proc/PID/maps, and ask the module which pages
 * are young: those, and no other.
 *
 *   guest physical   1 MiB   2 MiB     32 MiB        64 MiB       120 MiB
 *                    | code  | rounds  | every third | not used   | firmware's
 *                                      |<------- looked at ------>|
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/tap.h"
#include "vmm/attach/vm-fd.h"
#include "vmm/kmod/kvm-young-abi.h"
#include "vmm/util/bitmap.h"

#define PAGE	 4096UL
#define MIB	 (1UL << 20)
#define RAM	 (128 * MIB)
#define ROUNDS_AT (2 * MIB)
#define HOT	 (32 * MIB)
#define HOT_END	 (64 * MIB)
#define LOOK_END (120 * MIB)
#define NR_PAGES ((LOOK_END - HOT) / PAGE)
#define NR_HOT	 ((HOT_END - HOT) / PAGE)
#define STEP	 3
#define LIMIT_S	 300

/* A multiboot image: 32-bit code, loaded at 1 MiB, with paging off. */
extern const char image[], image_end[];
__asm__(".pushsection .rodata\n"
	"	.code32\n"
	"image:\n"
	"	.long	0x1badb002, 0x10000, -(0x1badb002 + 0x10000)\n"
	"	.long	0x100000, 0x100000, 0, 0, 0x100020\n"
	"1:	mov	$0x2000000, %esi\n"
	"2:	incl	(%esi)\n"
	"	add	$0x3000, %esi\n"
	"	cmp	$0x4000000, %esi\n"
	"	jb	2b\n"
	"	incl	0x200000\n"
	"	jmp	1b\n"
	"image_end:\n"
	"	.code64\n"
	"	.popsection\n");

static int ky_fd, vm_fd, mem_fd;
static uint64_t ram_hva;
static uint64_t young[BITMAP_WORDS(NR_PAGES)], huge[BITMAP_WORDS(NR_PAGES)];

static pid_t start_qemu(const char *backend)
{
	char file[40], object[100];
	int fd = memfd_create("image", 0);
	size_t len = image_end - image;
	pid_t pid;

	if (fd < 0 || write(fd, image, len) != (ssize_t)len)
		tap_bail("memfd_create: %s", strerror(errno));
	snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
	snprintf(object, sizeof(object), "memory-backend-%s,id=ram,size=128M%s",
		 backend, strcmp(backend, "ram") ? ",share=on" : "");
	pid = fork();
	if (pid < 0)
		tap_bail("fork: %s", strerror(errno));
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(2, 1);
		execlp("qemu-system-x86_64", "qemu-system-x86_64", "-accel",
		       "kvm", "-nodefaults", "-no-user-config", "-display",
		       "none", "-no-reboot", "-m", "128M", "-object", object,
		       "-machine", "pc,memory-backend=ram", "-kernel", file,
		       NULL);
		_exit(127);
	}
	close(fd);
	return pid;
}

/*
 * The last mapping that is as large as the guest's memory.  While QEMU starts, it
 * may be a temporary one.
 */
static uint64_t find_ram(pid_t pid)
{
	uint64_t start, end, found = 0;
	char line[512];
	FILE *f;

	snprintf(line, sizeof(line), "/proc/%d/maps", (int)pid);
	f = fopen(line, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " rw", &start, &end) ==
			    2 && end - start == RAM)
			found = start;
	fclose(f);
	return found;
}

static uint32_t rounds(void)
{
	uint32_t n = 0;

	if (pread(mem_fd, &n, sizeof(n), ram_hva + ROUNDS_AT) != sizeof(n))
		return 0;
	return n;
}

static bool wait_rounds(uint32_t nr)
{
	uint32_t want = rounds() + nr;
	time_t end = time(NULL) + LIMIT_S;

	while (time(NULL) < end) {
		if (rounds() >= want)
			return true;
		usleep(1000);
	}
	return false;
}

static void end_qemu(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* The counter was zero at first, and is so in a temporary mapping. */
static bool is_running(pid_t pid)
{
	char path[40];

	ram_hva = find_ram(pid);
	if (!ram_hva)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	mem_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (mem_fd < 0)
		return false;
	if (rounds() >= 2)
		return true;
	close(mem_fd);
	return false;
}

/* Starts a QEMU and waits until its guest runs; 0: it does not. */
static pid_t start_guest(const char *backend)
{
	pid_t pid = start_qemu(backend);
	time_t end = time(NULL) + LIMIT_S;

	while (time(NULL) < end) {
		if (is_running(pid))
			return pid;
		usleep(100000);
	}
	printf("# the guest does not run after %d s\n", LIMIT_S);
	end_qemu(pid);
	return 0;
}

/* 0 or an errno.  Takes the bits of all that is looked at. */
static int take(struct kvm_young_scan *all)
{
	*all = (struct kvm_young_scan){ 0 };
	while (all->nr_scanned < NR_PAGES) {
		uint64_t done = all->nr_scanned;
		struct kvm_young_scan req = {
			.size = sizeof(req), .vm_fd = vm_fd,
			.flags = KVM_YOUNG_CLEAR | KVM_YOUNG_FLUSH,
			.hva = ram_hva + HOT + done * PAGE,
			.nr_pages = NR_PAGES - done,
			.young = (uintptr_t)(young + done / 64),
			.huge = (uintptr_t)(huge + done / 64),
		};

		if (ioctl(ky_fd, KVM_YOUNG_SCAN, &req))
			return errno;
		all->nr_scanned += req.nr_scanned;
		all->nr_young += req.nr_young;
		all->method |= req.method;
	}
	return 0;
}

/* A huge page is as hot as any of it: all of those of the hot part are. */
static bool is_hot(uint64_t page)
{
	return page < NR_HOT &&
	       (page % STEP == 0 || bitmap_test(huge, page));
}

static void test_harvests(void)
{
	uint64_t hits = 0, missed = 0, extra = 0, nr_huge = 0;
	struct kvm_young_scan all;
	int err = take(&all), nr_times = 10;

	is_int(err, 0, "the module reads the VM of another process");
	is_int(all.method, KVM_YOUNG_BY_WALK, "by walking its tables");
	for (int time = 0; time < nr_times; time++) {
		if (!wait_rounds(2) || take(&all))
			break;
		for (uint64_t i = 0; i < NR_PAGES; i++) {
			bool is = bitmap_test(young, i);

			hits += is && is_hot(i);
			missed += !is && is_hot(i);
			extra += is && !is_hot(i);
			nr_huge += bitmap_test(huge, i);
		}
	}
	ok(hits >= nr_times * NR_HOT / STEP && !missed && !extra,
	   "%d harvests: %" PRIu64 " young found, %" PRIu64 " missed, %" PRIu64
	   " wrong", nr_times, hits, missed, extra);
	printf("# %" PRIu64 " of %lu pages in huge ones\n", nr_huge / nr_times,
	       NR_PAGES);
}

static void test_stopped_and_killed(pid_t pid)
{
	struct kvm_young_scan all;
	int status, err = 0;
	time_t end;

	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	usleep(200000);
	take(&all);
	is_int(take(&all), 0, "a stopped VM is read");
	is_int(all.nr_young, 0, "control: nothing is young in it");
	kill(pid, SIGCONT);
	ok(wait_rounds(2), "it goes on");

	end = time(NULL) + LIMIT_S;
	for (int i = 0; !err && time(NULL) < end; i++) {
		if (i == 20)
			kill(pid, SIGKILL);
		err = take(&all);
	}
	is_int(err, ESRCH, "killed while it is read, it is said to be gone");
	waitpid(pid, &status, 0);
	is_int(take(&all), ESRCH, "and goes on being so");
}

int main(int argc, char **argv)
{
	char why[512];
	pid_t pid;

	if (argc != 2)
		tap_bail("usage: kmod-qemu ram|memfd");
	setvbuf(stdout, NULL, _IOLBF, 0);
	ky_fd = open(KVM_YOUNG_PATH, O_RDWR | O_CLOEXEC);
	if (ky_fd < 0)
		tap_bail("%s: %s", KVM_YOUNG_PATH, strerror(errno));
	pid = start_guest(argv[1]);
	if (!ok(pid, "QEMU's guest runs"))
		return tap_done();
	vm_fd = vm_fd_of_process(pid, why, sizeof(why));
	if (ok(vm_fd >= 0, "its VM is found%s%s", vm_fd < 0 ? ": " : "",
	       vm_fd < 0 ? why : "")) {
		test_harvests();
		test_stopped_and_killed(pid);
	} else {
		end_qemu(pid);
	}
	return tap_done();
}
