// SPDX-License-Identifier: GPL-2.0-or-later
/* Kernel files: valid ones, other files, damaged ones. */
#include "config.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tap.h"
#include "tests/unit/tiny-elf.h"
#include "vmm/kvm/boot-internal.h"
#include "vmm/kvm/layout.h"

#define MIB (UINT64_C(1) << 20)

#define BZ_SETUP_SECTS 1
#define BZ_BYTES       ((BZ_SETUP_SECTS + 1) * 512 + 2048)

typedef int load_fn(struct guest_mem *mem, const uint8_t *file, size_t size,
		    struct boot_kernel *kernel, char *why, size_t len);

static struct guest_mem *mem;
static char why[256];

/* A copy of exactly this size, so that a sanitizer sees any read beyond. */
static int load(load_fn *fn, const void *file, size_t size,
		struct boot_kernel *k)
{
	uint8_t *copy = malloc(size ? size : 1);
	int rc;

	if (!copy)
		tap_bail("no memory");
	memcpy(copy, file, size);
	memset(k, 0, sizeof(*k));
	why[0] = 0;
	rc = fn(mem, copy, size, k, why, sizeof(why));
	free(copy);
	return rc;
}

static void make_bzimage(uint8_t *file)
{
	struct setup_header h = {
		.setup_sects = BZ_SETUP_SECTS, .boot_flag = 0xaa55,
		.header = 0x53726448, .version = 0x020f, .loadflags = 1,
		.xloadflags = 1, .pref_address = 16 * MIB, .init_size = 4 * MIB,
		.kernel_alignment = 2 * MIB, .cmdline_size = 2047,
		.initrd_addr_max = 0x7fffffff,
	};

	/* A two-byte jump whose offset tells where the header ends. */
	h.jump = 0xeb | (0x1f1 + sizeof(h) - 0x202) << 8;
	for (unsigned int i = 0; i < BZ_BYTES; i++)
		file[i] = i * 7;
	memcpy(file + 0x1f1, &h, sizeof(h));
}

static void test_elf(void)
{
	static const uint8_t code[] = { 0xf4, 0xeb, 0xfd, 1, 2, 3, 4, 5 };
	struct tiny_elf e;
	struct boot_kernel k;
	const void *got;
	size_t size = tiny_elf_make(&e, code, sizeof(code), true);

	is_int(load(boot_load_elf, &e, size, &k), 0, "ELF: loads");
	ok(k.entry == TINY_ELF_LOAD && k.start_all &&
	   k.end == TINY_ELF_LOAD + TINY_ELF_MEMSZ,
	   "ELF: entry, end and the note");
	got = guest_mem_ptr(mem, GPA(TINY_ELF_LOAD), sizeof(code));
	ok(got && !memcmp(got, code, sizeof(code)),
	   "ELF: its bytes are in memory");

	size = tiny_elf_make(&e, code, sizeof(code), false);
	ok(!load(boot_load_elf, &e, size, &k) && !k.start_all,
	   "ELF: without the note one CPU starts");
	tiny_elf_make(&e, code, sizeof(code), true);
	e.note.n.n_type++;
	ok(!load(boot_load_elf, &e, size, &k) && !k.start_all,
	   "ELF: a note of another type is not ours");
	e.note.n.n_type--;
	e.note.name[0] = 'V';
	ok(!load(boot_load_elf, &e, size, &k) && !k.start_all,
	   "ELF: nor is one of another name");
	e.note.n.n_namesz = 0xffffffff;
	e.note.n.n_descsz = 0xffffffff;
	ok(!load(boot_load_elf, &e, size, &k) && !k.start_all,
	   "ELF: a note longer than its segment is not read");
}

/* Each breaks one thing of a sound file. */
static void test_bad_elf(void)
{
	static const uint8_t code[64] = { 0xf4 };
	enum { NOT_ELF, CLASS, MACHINE, DYN, PHENT, PHOFF, OFFSET, FILESZ, LOW,
	       HOLE, FAR, WRAP, HUGE, ENTRY, NR };
	static const struct {
		int rc;
		const char *says;
	} want[NR] = {
		[NOT_ELF] = { -ENOEXEC, "not an ELF" },
		[CLASS] = { -EINVAL, "x86-64" },
		[MACHINE] = { -EINVAL, "x86-64" },
		[DYN] = { -EINVAL, "fixed addresses" },
		[PHENT] = { -EINVAL, "damaged" },
		[PHOFF] = { -EINVAL, "damaged" },
		[OFFSET] = { -EINVAL, "damaged" },
		[FILESZ] = { -EINVAL, "damaged" },
		[LOW] = { -EINVAL, "below 1 MiB" },
		[HOLE] = { -ENOMEM, "--mem" },
		[FAR] = { -ENOMEM, "--mem" },
		[WRAP] = { -ENOMEM, "--mem" },
		[HUGE] = { -ENOMEM, "--mem" },
		[ENTRY] = { -EINVAL, "entry" },
	};

	for (int i = 0; i < NR; i++) {
		struct tiny_elf e;
		struct boot_kernel k;
		size_t size = tiny_elf_make(&e, code, sizeof(code), true);
		int rc;

		switch (i) {
		case NOT_ELF: e.eh.e_ident[1] = 'F'; break;
		case CLASS: e.eh.e_ident[EI_CLASS] = ELFCLASS32; break;
		case MACHINE: e.eh.e_machine = EM_AARCH64; break;
		case DYN: e.eh.e_type = ET_DYN; break;
		case PHENT: e.eh.e_phentsize = 8; break;
		case PHOFF: e.eh.e_phoff = UINT64_MAX - 8; break;
		case OFFSET: e.load.p_offset = UINT64_MAX; break;
		case FILESZ: e.load.p_filesz = size; break;
		case LOW: e.load.p_paddr = 0x7000; break;
		case HOLE: e.load.p_paddr = 3072 * MIB; break;
		case FAR: e.load.p_paddr = 64 * MIB - 4096; break;
		case WRAP: e.load.p_paddr = UINT64_MAX - 4095; break;
		case HUGE: e.load.p_memsz = UINT64_MAX; break;
		case ENTRY: e.eh.e_entry = 32 * MIB; break;
		}
		rc = load(boot_load_elf, &e, size, &k);
		if (!ok(rc == want[i].rc && strstr(why, want[i].says),
			"bad ELF %d: says '%s'", i, want[i].says))
			printf("# got %d: %s\n", rc, why);
	}
}

static void test_bzimage(void)
{
	uint8_t file[BZ_BYTES];
	const void *got;
	const size_t setup = (BZ_SETUP_SECTS + 1) * 512;
	struct setup_header *h = (void *)(file + 0x1f1);
	struct boot_kernel k;

	make_bzimage(file);
	is_int(load(boot_load_bzimage, file, sizeof(file), &k), 0,
	       "bzImage: loads");
	ok(k.entry == 16 * MIB + 0x200 && k.end == 20 * MIB && !k.start_all,
	   "bzImage: 64-bit entry, end with its working space");
	got = guest_mem_ptr(mem, GPA(16 * MIB), 16);
	ok(got && !memcmp(got, file + setup, 16),
	   "bzImage: the protected-mode part is where it prefers to be");
	is_int(k.header.cmdline_size, 2047, "bzImage: its header is kept");

	is_int(load(boot_load_bzimage, file, setup + 0x200, &k), -EINVAL,
	       "bzImage: without a kernel after the setup part");
	ok(strstr(why, "truncated"), "bzImage: and says it is cut short");
	h->pref_address = 62 * MIB;
	is_int(load(boot_load_bzimage, file, sizeof(file), &k), -ENOMEM,
	       "bzImage: that needs more memory than there is");
	ok(strstr(why, "--mem"), "bzImage: and names --mem");
	h->pref_address = UINT64_MAX - MIB;
	is_int(load(boot_load_bzimage, file, sizeof(file), &k), -ENOMEM,
	       "bzImage: at an address that wraps");
	make_bzimage(file);
	h->xloadflags = 0;
	is_int(load(boot_load_bzimage, file, sizeof(file), &k), -EINVAL,
	       "bzImage: without a 64-bit entry");
	make_bzimage(file);
	h->version = 0x0204;
	is_int(load(boot_load_bzimage, file, sizeof(file), &k), -EINVAL,
	       "bzImage: of an old protocol");
	make_bzimage(file);
	h->header = 0;
	is_int(load(boot_load_bzimage, file, sizeof(file), &k), -ENOEXEC,
	       "bzImage: that is none");
}

/*
 * Cut at every length, and with each byte of the headers changed: never an
 * access outside the file or guest memory (a sanitizer looks), and a refusal
 * always says why.
 */
static void test_damage(void)
{
	static const uint8_t code[64] = { 0xf4 };
	uint8_t file[BZ_BYTES];
	struct tiny_elf e;
	struct boot_kernel k;
	size_t size = tiny_elf_make(&e, code, sizeof(code), true);
	unsigned int silent = 0, cut_loaded = 0;

	for (size_t n = 0; n < size; n++) {
		cut_loaded += !load(boot_load_elf, &e, n, &k);
		silent += !why[0];
	}
	is_int(cut_loaded, 0, "damage: no cut ELF file is taken");
	make_bzimage(file);
	for (size_t n = 0; n < (BZ_SETUP_SECTS + 1) * 512; n++) {
		cut_loaded += !load(boot_load_bzimage, file, n, &k);
		silent += !why[0];
	}
	is_int(cut_loaded, 0, "damage: no bzImage cut in its setup is taken");
	for (size_t at = 0; at < offsetof(struct tiny_elf, code); at++) {
		for (unsigned int v = 0; v < 256; v += 5) {
			tiny_elf_make(&e, code, sizeof(code), true);
			((uint8_t *)&e)[at] = v;
			if (load(boot_load_elf, &e, size, &k))
				silent += !why[0];
		}
	}
	for (size_t at = 0x1f1; at < 0x1f1 + sizeof(struct setup_header); at++) {
		for (unsigned int v = 0; v < 256; v += 5) {
			make_bzimage(file);
			file[at] = v;
			if (load(boot_load_bzimage, file, sizeof(file), &k))
				silent += !why[0];
		}
	}
	is_int(silent, 0, "damage: every refusal says why");
}

static void test_packaged_kernel(void)
{
	struct boot_kernel k;
	struct guest_mem *small = mem;
	uint8_t *file = NULL;
	size_t size = 0;
	glob_t g;
	FILE *f;

	if (glob("/boot/vmlinuz-*-amd64", 0, NULL, &g)) {
		ok(false, "no packaged kernel: install the Debian package "
			  "linux-image-amd64");
		return;
	}
	f = fopen(g.gl_pathv[0], "r");
	if (f && !fseek(f, 0, SEEK_END)) {
		size = ftell(f);
		rewind(f);
		file = malloc(size);
	}
	if (!f && tap_lacks_root(-errno)) {
		tap_skip("a packaged kernel loads",
			 "it can't be read: run as root");
	} else if (!file || fread(file, 1, size, f) != size) {
		ok(false, "%s can't be read", g.gl_pathv[0]);
	} else {
		is_int(load(boot_load_bzimage, file, size, &k), -ENOMEM,
		       "a packaged kernel does not fit in 64 MiB");
		if (guest_mem_new(&mem, 512 * MIB, GUEST_MEM_ANON))
			tap_bail("no memory");
		ok(!load(boot_load_bzimage, file, size, &k) &&
		   k.entry > MIB && k.end > k.entry && k.end < 512 * MIB,
		   "a packaged kernel loads in 512 MiB");
		guest_mem_free(mem);
		mem = small;
	}
	if (f)
		fclose(f);
	free(file);
	globfree(&g);
}

int main(void)
{
	if (guest_mem_new(&mem, 64 * MIB, GUEST_MEM_ANON))
		tap_bail("no memory");
	test_elf();
	test_bad_elf();
	test_bzimage();
	test_damage();
	test_packaged_kernel();
	guest_mem_free(mem);
	return tap_done();
}
