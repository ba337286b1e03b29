// SPDX-License-Identifier: GPL-2.0-or-later
/* Where cold pages can be evicted to. */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "vmm/doctor/doctor-internal.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/size.h"

/* Percent: free swap, and the size of swap compared with memory. */
#define LOW_FREE 10
#define SMALL	 10

struct swap {
	uint64_t total, used;	/* bytes */
	unsigned int nr_zram, nr_other;
	char names[64];
};

static void read_swaps(const struct doctor *d, struct swap *s)
{
	__cleanup_fclose FILE *f = doctor_fopen(d, "/proc/swaps");
	unsigned long long size, used;
	char line[512], name[256], kind[32];
	size_t len = 0;

	*s = (struct swap){ 0 };
	/* The first line has the column titles. */
	while (f && fgets(line, sizeof(line), f)) {
		const char *base;

		if (sscanf(line, "%255s %31s %llu %llu", name, kind, &size,
			   &used) != 4)
			continue;
		base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
		s->total += size * 1024;
		s->used += used * 1024;
		if (!strncmp(base, "zram", 4))
			s->nr_zram++;
		else
			s->nr_other++;
		if (len < sizeof(s->names))
			len += snprintf(s->names + len, sizeof(s->names) - len,
					"%s%.16s (%.16s)", len ? ", " : "",
					base, strncmp(base, "zram", 4) ? kind :
					"compressed");
	}
}

static void check_size(struct doctor *d, const struct swap *s)
{
	uint64_t left = s->used < s->total ? s->total - s->used : 0;
	struct doctor_fact *f;
	char a[16], b[16];
	uint64_t ram;

	if (!s->total) {
		f = doctor_add(d, GROUP_RECLAIM, "swap", "none");
		doctor_detail(f, "cold pages can only be evicted to --sink "
			      "store");
		doctor_flag(f, DOCTOR_WARN, "modprobe zram; zramctl -f -a lz4 "
			    "-s 4G; mkswap /dev/zram0; swapon /dev/zram0 (or "
			    "swap on a disk)");
		return;
	}
	f = doctor_add(d, GROUP_RECLAIM, "swap", "%s free of %s: %s",
		       size_format(left, a, sizeof(a)),
		       size_format(s->total, b, sizeof(b)), s->names);
	if (left < s->total / 100 * LOW_FREE) {
		doctor_detail(f, "swap is nearly full: once it is full, "
			      "nothing more can be evicted");
		doctor_flag(f, DOCTOR_WARN, "add swap (swapon)");
	} else if (!doctor_field_kib(d, &ram, "MemTotal:", "/proc/meminfo") &&
		   s->total < ram / 100 * SMALL) {
		doctor_detail(f, "swap is small compared with %s of memory: no "
			      "more than its size can be evicted",
			      size_format(ram, a, sizeof(a)));
		doctor_flag(f, DOCTOR_WARN, "add swap (swapon)");
	}
}

static void check_zswap(struct doctor *d, const struct swap *s)
{
	struct doctor_fact *f;
	char word[16], pool[32] = "?";
	bool on;

	if (doctor_line(d, word, sizeof(word),
			"/sys/module/zswap/parameters/enabled")) {
		doctor_add(d, GROUP_RECLAIM, "zswap", "absent");
		return;
	}
	on = *word == 'Y' || *word == '1';
	doctor_line(d, pool, sizeof(pool),
		    "/sys/module/zswap/parameters/compressor");
	f = doctor_add(d, GROUP_RECLAIM, "zswap", "%s%s%s", on ? "on" : "off",
		       on ? ", " : "", on ? pool : "");
	if (on && s->nr_zram && !s->nr_other) {
		doctor_detail(f, "swap is in compressed memory (zram) already: "
			      "pages are compressed twice");
		doctor_flag(f, DOCTOR_WARN, "echo N "
			    ">/sys/module/zswap/parameters/enabled");
	} else if (!on && s->nr_other) {
		doctor_detail(f, "pages are written to the swap device "
			      "uncompressed and read back at its speed");
		doctor_flag(f, DOCTOR_WARN, "echo Y "
			    ">/sys/module/zswap/parameters/enabled");
	}
}

static void check_swappiness(struct doctor *d)
{
	struct doctor_fact *f;
	uint64_t v;

	if (doctor_number(d, &v, "/proc/sys/vm/swappiness")) {
		f = doctor_add(d, GROUP_RECLAIM, "swappiness", "absent");
		doctor_detail(f, "the kernel was built without swap");
		doctor_flag(f, DOCTOR_WARN, "run a kernel with CONFIG_SWAP, "
			    "or use --sink store");
		return;
	}
	f = doctor_add(d, GROUP_RECLAIM, "swappiness", "%" PRIu64, v);
	if (v)
		return;
	doctor_detail(f, "vmm still evicts, but under memory pressure the host "
		      "itself drops file pages before it swaps guest memory");
	doctor_flag(f, DOCTOR_WARN, "sysctl vm.swappiness=60");
}

void doctor_check_swap(struct doctor *d)
{
	struct swap s;

	read_swaps(d, &s);
	check_size(d, &s);
	check_zswap(d, &s);
	check_swappiness(d);
}
