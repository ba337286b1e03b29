// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads the ACPI tables as a guest does: from the RSDP, table by table, and the
 * DSDT's nested terms.  The tables depend only on memory, CPUs and windows, so
 * this program acts as the VM: it needs no KVM.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "tests/tap.h"
#include "vmm/kvm/acpi.h"
#include "vmm/kvm/layout.h"
#include "vmm/kvm/vm-internal.h"
#include "vmm/kvm/vm.h"
#include "vmm/mem/numa.h"

struct vm {
	struct guest_mem *mem;
	struct guest_numa numa;
	unsigned int nr_cpus, nr_windows;
};

struct guest_mem *vm_mem(struct vm *vm) { return vm->mem; }
unsigned int vm_nr_cpus(const struct vm *vm) { return vm->nr_cpus; }
unsigned int vm_nr_windows(const struct vm *vm) { return vm->nr_windows; }

const struct guest_numa *vm_numa(const struct vm *vm)
{
	return vm->numa.nr ? &vm->numa : NULL;
}

uint64_t vm_window_gpa(const struct vm *vm, unsigned int i)
{
	return LAYOUT_VIRTIO + i * VM_VIRTIO_WINDOW_BYTES;
}

unsigned int vm_window_gsi(const struct vm *vm, unsigned int i)
{
	return i < 8 ? 16 + i : i - 3;
}

static uint64_t get(const uint8_t *p, unsigned int nr_bytes)
{
	uint64_t v = 0;

	memcpy(&v, p, nr_bytes);
	return v;
}

static bool sums_to_zero(const uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	while (len--)
		sum += *p++;
	return !sum;
}

/* A table with a sound header inside the ACPI area, or NULL. */
static const uint8_t *table(struct vm *vm, uint64_t gpa, const char *signature,
			    uint32_t *len)
{
	const uint8_t *t;

	if (gpa < LAYOUT_ACPI || gpa > LAYOUT_ACPI_END - 36)
		return NULL;
	t = guest_mem_ptr(vm->mem, GPA(gpa), LAYOUT_ACPI_END - gpa);
	if (!t)
		return NULL;
	*len = get(t + 4, 4);
	if (memcmp(t, signature, 4) || *len < 36 ||
	    *len > LAYOUT_ACPI_END - gpa || !sums_to_zero(t, *len))
		return NULL;
	return t;
}

/* What the walk of a DSDT finds. */
struct found {
	struct vm *vm;
	unsigned int nr_virtio, nr_uart, nr_pvpanic, nr_windows, nr_irqs;
	bool sleep, broken;
};

static size_t pkg_length(const uint8_t *p, unsigned int *nr_bytes)
{
	unsigned int more = p[0] >> 6;
	size_t len = more ? p[0] & 0xf : p[0] & 0x3f;

	for (unsigned int i = 0; i < more; i++)
		len |= (size_t)p[1 + i] << (4 + 8 * i);
	*nr_bytes = 1 + more;
	return len;
}

/* Large and small items up to the end tag, which must be the last. */
static void walk_resources(struct found *f, const uint8_t *p,
			   const uint8_t *end)
{
	unsigned int i = f->nr_virtio ? f->nr_virtio - 1 : 0;

	while (p < end && *p != 0x79) {
		if (*p == 0x86 && get(p + 4, 4) == vm_window_gpa(f->vm, i) &&
		    get(p + 8, 4) == VM_VIRTIO_WINDOW_BYTES)
			f->nr_windows++;
		/* Edge-triggered, active high, one line. */
		if (*p == 0x89 && p[3] == 3 && p[4] == 1 &&
		    get(p + 5, 4) == vm_window_gsi(f->vm, i))
			f->nr_irqs++;
		p += *p & 0x80 ? 3 + (int)get(p + 1, 2) : 1 + (*p & 7);
	}
	if (p + 2 != end)
		f->broken = true;
}

static void walk(struct found *f, const uint8_t *p, const uint8_t *end);

/* A term with a PkgLength at p; returns what follows it. */
static const uint8_t *walk_package(struct found *f, const uint8_t *p,
				   const uint8_t *end, unsigned int skip)
{
	unsigned int n;
	size_t len = pkg_length(p, &n);

	if (len > (size_t)(end - p) || len < n + skip) {
		f->broken = true;
		return end;
	}
	walk(f, p + n + skip, p + len);
	return p + len;
}

static void note_string(struct found *f, const char *s)
{
	f->nr_virtio += !strcmp(s, "LNRO0005");
	f->nr_pvpanic += !strcmp(s, "QEMU0001");
}

static void walk(struct found *f, const uint8_t *p, const uint8_t *end)
{
	while (p < end && !f->broken) {
		switch (*p) {
		case 0x10:	/* Scope(\_SB_) */
			p = walk_package(f, p + 1, end, 5);
			break;
		case 0x5b:	/* Device(seg) */
			f->broken |= p[1] != 0x82;
			p = walk_package(f, p + 2, end, 4);
			break;
		case 0x12:	/* Package: count */
			p = walk_package(f, p + 1, end, 1);
			break;
		case 0x11: {	/* Buffer: its size, as a byte constant */
			unsigned int n;
			size_t len = pkg_length(p + 1, &n);

			f->broken |= p[1 + n] != 0x0a ||
				     p[2 + n] != len - n - 2;
			walk_resources(f, p + 3 + n, p + 1 + len);
			p += 1 + len;
			break;
		}
		case 0x08:	/* Name(seg, ...): the value comes next */
			f->sleep |= !memcmp(p + 1, "_S5_", 4);
			p += 5;
			break;
		case 0x0a:
			p += 2;
			break;
		case 0x0c:
			f->nr_uart += get(p + 1, 4) == 0x0105d041;
			p += 5;
			break;
		case 0x0d:
			note_string(f, (const char *)p + 1);
			p += 2 + strlen((const char *)p + 1);
			break;
		default:
			f->broken = true;
		}
	}
	f->broken |= p != end;
}

static void check_dsdt(struct vm *vm, uint64_t gpa)
{
	struct found f = { .vm = vm };
	uint32_t len;
	const uint8_t *t = table(vm, gpa, "DSDT", &len);

	if (!ok(t, "DSDT: header and checksum"))
		return;
	walk(&f, t + 36, t + len);
	ok(!f.broken, "DSDT: every term ends where it says");
	is_int(f.nr_virtio, vm->nr_windows, "DSDT: a LNRO0005 a window");
	is_int(f.nr_windows, vm->nr_windows, "DSDT: each with its memory");
	/* COM1's line is the first window's in no layout. */
	is_int(f.nr_irqs, vm->nr_windows, "DSDT: each with its interrupt");
	ok(f.nr_uart == 1 && f.nr_pvpanic == 1, "DSDT: COM1 and pvpanic");
	ok(f.sleep, "DSDT: S5");
}

static void check_fadt(struct vm *vm, uint64_t gpa)
{
	uint32_t len;
	const uint8_t *t = table(vm, gpa, "FACP", &len), *facs;

	if (!ok(t, "FADT: header and checksum"))
		return;
	is_int(len, 276, "FADT: length of revision 6");
	is_int(get(t + 46, 2), GSI_SCI, "FADT: SCI");
	is_int(get(t + 64, 4), PORT_PM1_CONTROL, "FADT: PM1a control");
	is_int(get(t + 176, 8), PORT_PM1_CONTROL, "FADT: X PM1a control");
	is_int(get(t + 152, 8), PORT_PM1_EVENT, "FADT: X PM1a event");
	ok(get(t + 112, 4) & 1 << 10, "FADT: the reset register counts");
	is_int(get(t + 120, 8), PORT_RESET, "FADT: reset register");
	is_int(t[128], 6, "FADT: reset value");
	is_int(get(t + 140, 8), get(t + 40, 4), "FADT: both DSDT addresses");
	facs = guest_mem_ptr(vm->mem, GPA(get(t + 36, 4)), 64);
	ok(facs && !memcmp(facs, "FACS", 4) && get(t + 36, 4) % 64 == 0,
	   "FACS: there and aligned");
	check_dsdt(vm, get(t + 140, 8));
}

static void check_madt(struct vm *vm, uint64_t gpa)
{
	unsigned int nr_cpus = 0, nr_ioapics = 0;
	bool in_order = true;
	uint32_t len, at = 44;
	const uint8_t *t = table(vm, gpa, "APIC", &len);

	if (!ok(t, "MADT: header and checksum"))
		return;
	while (at + 2 <= len && t[at + 1] >= 2) {
		if (t[at] == 0) {
			in_order &= t[at + 3] == nr_cpus && t[at + 4] == 1;
			nr_cpus++;
		}
		nr_ioapics += t[at] == 1 && get(t + at + 4, 4) ==
						    LAYOUT_IOAPIC;
		at += t[at + 1];
	}
	ok(at == len, "MADT: entries end at its end");
	is_int(nr_cpus, vm->nr_cpus, "MADT: a local APIC a CPU");
	ok(in_order, "MADT: numbered from 0 and enabled");
	is_int(nr_ioapics, 1, "MADT: one I/O APIC");
}

/* Entries of type and length as ACPI has them; fills in what they say. */
static void check_srat(struct vm *vm, uint64_t gpa)
{
	uint64_t cpus[GUEST_NUMA_NODES] = { 0 }, bytes[GUEST_NUMA_NODES] = { 0 };
	uint64_t pages = 0;
	uint32_t len, at = 48;
	const uint8_t *t = table(vm, gpa, "SRAT", &len);
	bool good = true, ram = true;

	if (!ok(t, "SRAT: header and checksum"))
		return;
	while (at + 2 <= len && t[at + 1] >= 2) {
		const uint8_t *e = t + at;
		unsigned int node = *e ? get(e + 2, 4) : e[2];

		good &= (*e == 0 && e[1] == 16 && get(e + 4, 4) == 1) ||
			(*e == 1 && e[1] == 40 && get(e + 28, 4) == 1);
		if (!good || node >= vm->numa.nr)
			break;
		if (*e == 0) {
			cpus[node] |= UINT64_C(1) << e[3];
		} else {
			bytes[node] += get(e + 16, 8);
			pages += get(e + 16, 8) >> VMM_PAGE_SHIFT;
			ram &= !!guest_mem_ptr(vm->mem, GPA(get(e + 8, 8)),
					       get(e + 16, 8));
		}
		at += e[1];
	}
	ok(good && at == len, "SRAT: entries end at its end");
	for (unsigned int i = 0; i < vm->numa.nr; i++)
		ok(cpus[i] == vm->numa.nodes[i].cpus &&
		   bytes[i] == vm->numa.nodes[i].nr_bytes,
		   "SRAT: CPUs and memory of node %u", i);
	ok(ram && pages == guest_mem_nr_pages(vm->mem),
	   "SRAT: all that is RAM, and nothing else");
}

static void check_slit(struct vm *vm, uint64_t gpa)
{
	uint32_t len, n = vm->numa.nr;
	const uint8_t *t = table(vm, gpa, "SLIT", &len);
	bool good = true;

	if (!ok(t && len == 44 + n * n && get(t + 36, 8) == n,
		"SLIT: header, checksum, and a square"))
		return;
	for (uint32_t i = 0; i < n * n; i++)
		good &= i / n == i % n ? t[44 + i] == 10 : t[44 + i] > 10;
	ok(good, "SLIT: a node is near itself and no other");
	is_int(t[44 + 1], vm->numa.distance[0][1], "SLIT: as it was told");
}

static void check_nodes(const char *const *nodes, unsigned int nr_cpus)
{
	struct vm vm = { .nr_cpus = nr_cpus };
	uint64_t bytes;
	const uint8_t *rsdp, *xsdt;
	char why[256];
	uint32_t len;

	for (; *nodes; nodes++)
		if (guest_numa_parse(&vm.numa, *nodes, why, sizeof(why)))
			tap_bail("%s: %s", *nodes, why);
	bytes = guest_numa_bytes(&vm.numa);
	printf("# %u nodes, %llu MiB\n", vm.numa.nr,
	       (unsigned long long)bytes >> 20);
	is_int(guest_numa_check(&vm.numa, bytes, nr_cpus, why, sizeof(why)), 0,
	       "the nodes are sound");
	if (guest_mem_new(&vm.mem, bytes, GUEST_MEM_ANON))
		tap_bail("no memory");
	is_int(acpi_write(&vm), 0, "tables are written");
	rsdp = guest_mem_ptr(vm.mem, GPA(LAYOUT_ACPI), 36);
	xsdt = table(&vm, get(rsdp + 24, 8), "XSDT", &len);
	if (ok(xsdt && len == 36 + 4 * 8, "XSDT: four tables")) {
		check_madt(&vm, get(xsdt + 44, 8));
		check_srat(&vm, get(xsdt + 52, 8));
		check_slit(&vm, get(xsdt + 60, 8));
	}
	guest_mem_free(vm.mem);
}

static void check(unsigned int nr_cpus, unsigned int nr_windows)
{
	struct vm vm = { .nr_cpus = nr_cpus, .nr_windows = nr_windows };
	const uint8_t *rsdp, *xsdt;
	uint32_t len;

	printf("# %u CPUs, %u windows\n", nr_cpus, nr_windows);
	if (guest_mem_new(&vm.mem, 2 << 20, GUEST_MEM_ANON))
		tap_bail("no memory");
	is_int(acpi_write(&vm), 0, "tables are written");
	rsdp = guest_mem_ptr(vm.mem, GPA(LAYOUT_ACPI), 36);
	ok(!memcmp(rsdp, "RSD PTR ", 8) && rsdp[15] == 2 &&
	   sums_to_zero(rsdp, 20) && sums_to_zero(rsdp, 36), "RSDP");
	xsdt = table(&vm, get(rsdp + 24, 8), "XSDT", &len);
	if (ok(xsdt && len == 36 + 2 * 8, "XSDT: two tables")) {
		check_fadt(&vm, get(xsdt + 36, 8));
		check_madt(&vm, get(xsdt + 44, 8));
	}
	guest_mem_free(vm.mem);
}

int main(void)
{
	check(1, 0);
	check(2, 5);
	check(VM_MAX_CPUS, VM_MAX_WINDOWS);
	check_nodes((const char *const []){ "node=0,cpus=0-1,mem=64M",
		    "node=1,cpus=2+3,mem=32M", NULL }, 4);
	/* The second node is on both sides of the hole; the third has no CPU. */
	check_nodes((const char *const []){ "node=1,cpus=1-63,mem=2G",
		    "node=0,cpus=0,mem=2G", "node=2,mem=512M", NULL }, 64);
	return tap_done();
}
