// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/kvm/acpi.h"
#include "vmm/kvm/boot-internal.h"
#include "vmm/kvm/boot.h"
#include "vmm/kvm/layout.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/kvm/vm-internal.h"
#include "vmm/kvm/vm.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/error-text.h"

#define E820_RAM      1
#define E820_RESERVED 2
#define LOADER_OTHER  0xff

#define PTE_PRESENT 0x01
#define PTE_WRITE   0x02
#define PTE_USER    0x04
#define PTE_LARGE   0x80

struct file {
	uint8_t *data;		/* mapped; NULL when empty */
	size_t size;
};

static int map_file(const char *path, struct file *f, char *why, size_t len)
{
	__cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st)) {
		int rc = -errno;

		snprintf(why, len, "%s: %s", path, error_text(-rc));
		return rc;
	}
	if (!S_ISREG(st.st_mode) || !st.st_size) {
		snprintf(why, len, "%s: %s", path, S_ISREG(st.st_mode) ?
			 "the file is empty" : "it is not a regular file");
		return -EINVAL;
	}
	f->size = st.st_size;
	f->data = mmap(NULL, f->size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (f->data == MAP_FAILED) {
		int rc = -errno;

		f->data = NULL;
		snprintf(why, len, "%s: cannot map the file: %s", path,
			 error_text(-rc));
		return rc;
	}
	return 0;
}

static void unmap_file(struct file *f)
{
	if (f->data)
		munmap(f->data, f->size);
}

static int load_kernel(struct vm *vm, const char *path, struct boot_kernel *k,
		       char *why, size_t len)
{
	char elf[256], bz[256];
	struct file f = { 0 };
	int rc = map_file(path, &f, why, len);

	if (rc)
		return rc;
	rc = boot_load_elf(vm_mem(vm), f.data, f.size, k, elf, sizeof(elf));
	if (rc == -ENOEXEC) {
		rc = boot_load_bzimage(vm_mem(vm), f.data, f.size, k, bz,
				       sizeof(bz));
		if (rc == -ENOEXEC)
			snprintf(why, len, "%s is not a kernel: %s, and %s",
				 path,
				 bz, elf);
		else if (rc)
			snprintf(why, len, "%s: %s", path, bz);
	} else if (rc) {
		snprintf(why, len, "%s: %s", path, elf);
	}
	unmap_file(&f);
	return rc;
}

/* At the top of low memory, where the kernel will not overwrite it. */
static int load_initrd(struct vm *vm, const char *path,
		       const struct boot_kernel *k, struct boot_params *bp,
		       char *why, size_t len)
{
	const struct guest_memslot *slots;
	struct file f = { 0 };
	uint64_t top, at;
	unsigned int nr;
	int rc = map_file(path, &f, why, len);

	if (rc)
		return rc;
	slots = guest_mem_slots(vm_mem(vm), &nr);
	top = slots[0].nr_pages << VMM_PAGE_SHIFT;
	if (top > (uint64_t)k->header.initrd_addr_max + 1)
		top = (uint64_t)k->header.initrd_addr_max + 1;
	at = top > f.size ? (top - f.size) & ~(VMM_PAGE_SIZE - 1) : 0;
	if (at < k->end) {
		snprintf(why, len, "%s (%zu MiB) does not fit in memory beside "
			 "the kernel: give the guest more with --mem", path,
			 f.size >> 20);
		rc = -ENOMEM;
	} else {
		rc = guest_mem_write(vm_mem(vm), GPA(at), f.data, f.size);
		bp->hdr.ramdisk_image = at;
		bp->hdr.ramdisk_size = f.size;
	}
	unmap_file(&f);
	return rc;
}

static int load_cmdline(struct vm *vm, const char *cmdline,
			const struct boot_kernel *k, struct boot_params *bp,
			char *why, size_t len)
{
	size_t n = strlen(cmdline), max = k->header.cmdline_size;

	if (max >= LAYOUT_CMDLINE_MAX)
		max = LAYOUT_CMDLINE_MAX - 1;
	if (n > max) {
		snprintf(why, len, "the command line has %zu bytes, but the "
			 "kernel accepts at most %zu", n, max);
		return -E2BIG;
	}
	bp->hdr.cmd_line_ptr = LAYOUT_CMDLINE;
	return guest_mem_write(vm_mem(vm), GPA(LAYOUT_CMDLINE), cmdline, n + 1);
}

static void add_e820(struct boot_params *bp, uint64_t start, uint64_t end,
		     unsigned int type)
{
	bp->e820_table[bp->e820_entries++] = (struct boot_e820_entry){
		.addr = start, .size = end - start, .type = type,
	};
}

static void describe_memory(struct vm *vm, struct boot_params *bp)
{
	const struct guest_memslot *s;
	unsigned int nr;

	s = guest_mem_slots(vm_mem(vm), &nr);
	add_e820(bp, 0, LAYOUT_LOW_RAM_END, E820_RAM);
	add_e820(bp, LAYOUT_LOW_RAM_END, LAYOUT_HIGH_RAM, E820_RESERVED);
	add_e820(bp, LAYOUT_HIGH_RAM, s[0].nr_pages << VMM_PAGE_SHIFT, E820_RAM);
	for (unsigned int i = 1; i < nr; i++)
		add_e820(bp, gfn_to_gpa(s[i].base).v,
			 gfn_to_gpa(s[i].base).v +
				 (s[i].nr_pages << VMM_PAGE_SHIFT), E820_RAM);
}

/* GDT and identity page tables of the first 4 GiB. */
static int write_cpu_tables(struct guest_mem *mem, bool user)
{
	static const uint64_t gdt[] = {
		0, 0,
		0x00af9b000000ffff,	/* LAYOUT_SEL_CODE0 */
		0x00cf93000000ffff,	/* LAYOUT_SEL_DATA0 */
		0x00affb000000ffff,	/* LAYOUT_SEL_CODE3 */
		0x00cff3000000ffff,	/* LAYOUT_SEL_DATA3 */
	};
	uint64_t flags = PTE_PRESENT | PTE_WRITE | (user ? PTE_USER : 0);
	uint64_t *t = guest_mem_ptr(mem, GPA(LAYOUT_PAGE_TABLES),
				    6 * VMM_PAGE_SIZE);
	uint64_t *pdpt = t + 512, *pd = t + 2 * 512;

	if (!t)
		return -EFAULT;
	memset(t, 0, 6 * VMM_PAGE_SIZE);
	t[0] = (LAYOUT_PAGE_TABLES + VMM_PAGE_SIZE) | flags;
	for (uint64_t i = 0; i < 4; i++)
		pdpt[i] = (LAYOUT_PAGE_TABLES + (2 + i) * VMM_PAGE_SIZE) | flags;
	for (uint64_t i = 0; i < 4 * 512; i++)
		pd[i] = i << 21 | flags | PTE_LARGE;
	return guest_mem_write(mem, GPA(LAYOUT_GDT), gdt, sizeof(gdt));
}

int boot_load(struct vm *vm, const struct boot_config *config, char *why,
	      size_t len)
{
	struct boot_kernel k = { 0 };
	struct boot_params bp;
	int rc;

	memset(&bp, 0, sizeof(bp));
	rc = load_kernel(vm, config->kernel, &k, why, len);
	if (rc)
		return rc;
	bp.hdr = k.header;
	bp.hdr.type_of_loader = LOADER_OTHER;
	rc = load_cmdline(vm, config->cmdline, &k, &bp, why, len);
	if (!rc && config->initrd)
		rc = load_initrd(vm, config->initrd, &k, &bp, why, len);
	if (rc)
		return rc;
	describe_memory(vm, &bp);
	bp.acpi_rsdp_addr = LAYOUT_ACPI;
	rc = acpi_write(vm);
	if (!rc)
		rc = write_cpu_tables(vm_mem(vm), k.start_all);
	if (!rc)
		rc = guest_mem_write(vm_mem(vm), GPA(LAYOUT_BOOT_PARAMS), &bp,
				     sizeof(bp));
	for (unsigned int i = 0; !rc && i < vm_nr_cpus(vm); i++)
		if (!i || k.start_all)
			rc = vcpu_set_start(vm_vcpu(vm, i), k.entry,
					    LAYOUT_BOOT_PARAMS);
	if (rc)
		snprintf(why, len, "cannot set up the guest's initial state: "
			 "%s",
			 error_text(-rc));
	return rc;
}
