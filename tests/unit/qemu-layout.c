// SPDX-License-Identifier: GPL-2.0-or-later
/* Parsing QEMU's output about its memory, and its command line. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "tests/tap.h"
#include "vmm/qemu/qemu-layout.h"

#define GIB (UINT64_C(1) << 30)

static bool is_ram(const char *name, void *arg)
{
	return !strcmp(name, "pc.ram") || !strcmp(name, "/objects/d0");
}

static const char mtree[] =
	"FlatView #0\r\n"
	" AS \"I/O\", root: io\r\n"
	"  0000000000000000-0000000000000fff (prio 0, ram): pc.ram\r\n"
	"\r\n"
	"FlatView #1\r\n"
	" AS \"memory\", root: system\r\n"
	" AS \"cpu-memory-0\", root: system\r\n"
	" Root memory region: system\r\n"
	"  0000000000000000-000000000009ffff (prio 0, ram): pc.ram KVM\r\n"
	"  00000000000a0000-00000000000bffff (prio 1, i/o): vga-lowmem\r\n"
	"  00000000000c0000-00000000000fffff (prio 0, rom): pc.ram "
	"@00000000000c0000 KVM\r\n"
	"  0000000000100000-00000000bfffffff (prio 0, ram): pc.ram "
	"@0000000000100000 KVM\r\n"
	"  00000000fd000000-00000000fdffffff (prio 1, ram): vga.vram KVM\r\n"
	"  00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios KVM\r\n"
	"  0000000100000000-000000013fffffff (prio 0, ram): pc.ram "
	"@00000000c0000000 KVM\r\n"
	"  0000000140000000-0000000147ffffff (prio 0, ram): /objects/d0\r\n"
	"\r\n"
	"FlatView #2\r\n"
	" AS \"memory\", root: system\r\n"
	"  0000000000000000-000000000009ffff (prio 0, ram): pc.ram KVM\r\n";

static void test_mtree(void)
{
	struct qemu_region r[QEMU_MAX_REGIONS];
	uint64_t hva = 0;

	is_int(qemu_layout_mtree(mtree, is_ram, NULL, r), 4, "four regions");
	ok(r[0].gpa == 0 && r[0].bytes == 0xa0000, "up to the display");
	ok(r[1].gpa == 0xc0000 && r[1].bytes == 3 * GIB - 0xc0000 &&
	   r[1].offset == 0xc0000, "closed by the firmware: part of the next");
	ok(r[2].gpa == 4 * GIB && r[2].bytes == GIB &&
	   r[2].offset == 3 * GIB, "above 4 GiB");
	ok(r[3].gpa == 5 * GIB && r[3].bytes == 128 << 20 &&
	   !strcmp(r[3].backend, "/objects/d0"), "a DIMM, apart");
	is_int(qemu_layout_mtree("", is_ram, NULL, r), -EPROTO, "nothing");
	is_int(qemu_layout_mtree("FlatView #0\n AS \"memory\", r\n"
				 "  0000-0fff (prio 0, ram): pc.ram\n"
				 "  1000-0fff (prio 0, ram): pc.ram\n"
				 "  2010-2fff (prio 0, ram): pc.ram\n"
				 "  x (prio\n  3000-3fff (prio 0, ram):\n",
				 is_ram, NULL, r), 1, "lines that are none");
	ok(qemu_layout_hva("Host virtual address for 0x0 (pc.ram) is "
			   "0x7fe37fe00000\r\n", &hva) &&
	   hva == 0x7fe37fe00000, "a host address");
	ok(!qemu_layout_hva("No memory is mapped at address 0x0", &hva),
	   "there is none");
}

#define WORDS(text, ram, low, why) \
	qemu_layout_cmdline(text, sizeof(text) - 1, ram, low, why, sizeof(why))

static void test_cmdline(void)
{
	uint64_t ram, low;
	char why[256];

	ok(!WORDS("qemu-system-x86_64\0-m\0" "512\0", &ram, &low, why) &&
	   ram == 512 << 20 && low == ram, "512 MiB");
	ok(!WORDS("/usr/bin/qemu-system-x86_64\0-machine\0pc-q35-7.2,"
		  "memory-backend=pc.ram\0-m\0size=4194304k,slots=4\0",
		  &ram, &low, why) && ram == 4 * GIB && low == 2 * GIB,
	   "libvirt's q35: 2 GiB below");
	ok(!WORDS("qemu-kvm\0-M\0pc\0-m\0" "4G\0", &ram, &low, why) &&
	   ram == 4 * GIB && low == 3 * GIB, "pc: 3 GiB below");
	ok(!WORDS("qemu-kvm\0-M\0q35\0-m\0" "2560M\0", &ram, &low, why) &&
	   low == ram, "q35: all of 2.5 GiB below");
	ok(!WORDS("qemu-kvm\0-M\0pc,max-ram-below-4g=1G\0-m\0" "2G\0", &ram,
		  &low, why) && low == GIB, "as the machine is told");
	ok(!WORDS("qemu-kvm\0", &ram, &low, why) && ram == 128 << 20,
	   "QEMU's default");
	is_int(WORDS("sleep\0" "5\0", &ram, &low, why), -EINVAL, "not QEMU");
	is_int(WORDS("qemu-kvm\0-m", &ram, &low, why), -EINVAL,
	       "a word without end");
	is_int(WORDS("qemu-kvm\0-m\0x\0", &ram, &low, why), -EINVAL,
	       "no number");
	ok(strstr(why, "--qmp"), "says how to go on: %s", why);
	is_int(WORDS("qemu-kvm\0-m\0" "2G\0-numa\0node,nodeid=0,memdev=a\0"
		     "-numa\0node,nodeid=1,memdev=b\0", &ram, &low, why),
	       -EINVAL, "two nodes");
	ok(!qemu_layout_option("a\0-uuid\0", 8, "-uuid"), "option at the end");
}

int main(void)
{
	test_mtree();
	test_cmdline();
	return tap_done();
}
