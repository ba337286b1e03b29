// SPDX-License-Identifier: GPL-2.0-or-later
/* Which mapping of QEMU is which part of its guest's memory. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "tests/tap.h"
#include "vmm/libvirt/domain-memory.h"

#define MIB UINT64_C(0x100000)
#define GIB (UINT64_C(1) << 30)

static struct proc_vma vma(uint64_t start, uint64_t bytes)
{
	return (struct proc_vma){ .start = start, .end = start + bytes,
				  .writable = true };
}

static void test_place(void)
{
	struct proc_vma v[] = {
		vma(GIB, 8 * MIB), vma(2 * GIB, 130 * MIB),
		vma(3 * GIB, 64 * MIB), vma(4 * GIB, 512 * MIB),
	};
	struct qemu_part p[] = { { .bytes = 512 * MIB },
				 { .gpa = 5 * GIB, .bytes = 64 * MIB },
				 { .gpa = 6 * GIB, .bytes = 128 * MIB } };

	qemu_place(p, 3, v, 4);
	ok(p[0].hva == 4 * GIB, "what it was started with");
	ok(p[1].hva == 3 * GIB, "a DIMM");
	ok(p[2].hva == 2 * GIB + 2 * MIB,
	   "one that another mapping has joined: where it ends");
	v[2].writable = false;
	qemu_place(p, 3, v, 4);
	ok(p[0].hva == 4 * GIB && !p[1].hva && !p[1].several,
	   "one that is no more is not taken for another's");
	v[2].writable = v[2].is_file = true;
	qemu_place(p, 3, v, 4);
	ok(p[1].hva == 3 * GIB, "a private file of that size");
	v[2].end += MIB;
	p[1].hva = 0;
	qemu_place(p, 3, v, 4);
	ok(!p[1].hva, "but none that is larger");
}

static void test_same_size(void)
{
	struct proc_vma v[] = { vma(GIB, 64 * MIB), vma(2 * GIB, 64 * MIB),
				vma(3 * GIB, 64 * MIB) };
	struct qemu_part p[] = { { .bytes = 64 * MIB },
				 { .gpa = 4 * GIB, .bytes = 64 * MIB },
				 { .gpa = 5 * GIB, .bytes = 64 * MIB } };

	qemu_place(p, 1, v, 1);
	ok(p[0].hva == GIB, "one of a size, one mapping");
	qemu_place(p, 2, v, 2);
	ok(p[0].hva == GIB && p[1].hva == 2 * GIB,
	   "another comes: the first is known");
	qemu_place(p, 3, v, 3);
	ok(p[2].hva == 3 * GIB, "and a third");
	memset(&p[1].hva, 0, sizeof(p[1].hva));
	memset(&p[2].hva, 0, sizeof(p[2].hva));
	qemu_place(p, 3, v, 3);
	ok(p[0].hva == GIB && !p[1].hva && p[1].several && p[2].several,
	   "two new ones at once: nothing tells which is which");
	p[0].hva = 0;
	qemu_place(p, 1, v, 3);
	ok(!p[0].hva && p[0].several, "one, and three places");
	p[0].hva = 7 * MIB;
	qemu_place(p, 1, v, 1);
	ok(p[0].hva == GIB, "a place that is wrong is not kept");
}

static const char xml[] =
	"<domain type='kvm'>\n"
	"  <memory unit='KiB'>1048576</memory>\n"
	"  <devices>\n"
	"    <memory model='dimm'>\n"
	"      <target>\n"
	"        <size unit='KiB'>65536</size>\n"
	"        <node>0</node>\n"
	"      </target>\n"
	"      <alias name='dimm0'/>\n"
	"      <address type='dimm' slot='0' base='0x100000000'/>\n"
	"    </memory>\n"
	"    <memory model='dimm'>\n"
	"      <target><size unit='KiB'>131072</size></target>\n"
	"      <address type='dimm' slot='1'/>\n"
	"    </memory>\n"
	"    <memory model='nvdimm'>\n"
	"      <target><size unit='KiB'>262144</size></target>\n"
	"      <address type='dimm' slot='2' base='0x110000000'/>\n"
	"    </memory>\n"
	"    <memory model='virtio-mem'>\n"
	"      <target><size unit='KiB'>524288</size></target>\n"
	"      <address type='pci' bus='0x01'/>\n"
	"    </memory>\n"
	"  </devices>\n"
	"</domain>\n";

static void test_xml(void)
{
	struct qemu_part p[QEMU_MAX_PARTS];
	uint64_t unknown = 1;
	char why[256] = "";

	is_int(domain_memory_read(xml, p, &unknown, why, sizeof(why)), 1,
	       "one DIMM that the guest has");
	ok(p[0].gpa == 4 * GIB && p[0].bytes == 64 * MIB && !p[0].hva,
	   "where, and how large");
	ok(unknown == 640 * MIB, "of others the place is not told");
	is_int(domain_memory_read("<domain><devices/></domain>", p, &unknown,
				  why, sizeof(why)), 0, "none");
	ok(!unknown, "nothing unknown");
	is_int(domain_memory_read("<domain/>", p, &unknown, why, sizeof(why)),
	       -EINVAL, "no domain");
	is_int(domain_memory_read("<domain><devices><memory model='dimm'>"
				  "<target><size unit='ZiB'>9</size></target>"
				  "<address base='x'/></memory><memory/>"
				  "</devices></domain>", p, &unknown, why,
				  sizeof(why)), 0, "nonsense is no DIMM");
}

int main(void)
{
	test_place();
	test_same_size();
	test_xml();
	return tap_done();
}
