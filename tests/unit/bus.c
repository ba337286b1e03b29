// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which device an access is dispatched to:
 *
 *	  0x100      0x108  0x110 0x111    0x200           0x300   0x304
 *	    |--- a ----|      |b|            |------ c ------|-- d --|
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "tests/tap.h"
#include "vmm/kvm/bus.h"

static struct seen {
	const char *who;
	uint64_t off, value;
	unsigned int len;
} seen;

static void on_read(void *dev, uint64_t off, void *data, unsigned int len)
{
	seen = (struct seen){ dev, off, 0, len };
	memset(data, 0x5a, len);
}

static void on_write(void *dev, uint64_t off, const void *data,
		     unsigned int len)
{
	seen = (struct seen){ dev, off, 0, len };
	memcpy(&seen.value, data, len);
}

static const struct bus_ops ops = { on_read, on_write };

static const struct {
	uint64_t addr;
	unsigned int len;
	const char *who;	/* NULL: nobody */
	uint64_t off;
} accesses[] = {
	{ 0x0ff, 1, NULL, 0 },
	{ 0x0ff, 2, NULL, 0 },	/* begins before a */
	{ 0x100, 1, "a", 0 },
	{ 0x100, 8, "a", 0 },
	{ 0x104, 4, "a", 4 },
	{ 0x107, 1, "a", 7 },
	{ 0x107, 2, NULL, 0 },	/* crosses its end */
	{ 0x106, 4, NULL, 0 },
	{ 0x101, 8, NULL, 0 },
	{ 0x108, 1, NULL, 0 },
	{ 0x10f, 2, NULL, 0 },
	{ 0x110, 1, "b", 0 },
	{ 0x110, 2, NULL, 0 },
	{ 0x110, 8, NULL, 0 },
	{ 0x111, 1, NULL, 0 },
	{ 0x1ff, 4, NULL, 0 },
	{ 0x200, 4, "c", 0 },
	{ 0x2f8, 8, "c", 0xf8 },
	{ 0x2fc, 4, "c", 0xfc },
	{ 0x2fe, 4, NULL, 0 },
	{ 0x300, 1, "d", 0 },	/* right behind another */
	{ 0x303, 1, "d", 3 },
	{ 0x303, 2, NULL, 0 },
	{ 0x304, 1, NULL, 0 },
	{ UINT64_MAX, 1, NULL, 0 },
	{ UINT64_MAX - 3, 8, NULL, 0 },	/* wraps */
	{ 0, 1, NULL, 0 },
};

static bool hit(const char *who, uint64_t off, unsigned int len)
{
	if (!who)
		return !seen.who;
	return seen.who && !strcmp(seen.who, who) && seen.off == off &&
	       seen.len == len;
}

static void test_accesses(struct bus *bus)
{
	for (size_t i = 0; i < sizeof(accesses) / sizeof(accesses[0]); i++) {
		const char *who = accesses[i].who;
		unsigned int len = accesses[i].len;
		uint64_t addr = accesses[i].addr, v = 0, all = 0, half = 0;
		uint64_t out = UINT64_C(0x1122334455667788);

		memset(&all, 0xff, len);
		memset(&half, 0x5a, len);
		seen.who = NULL;
		ok(bus_read(bus, addr, &v, len) == !!who &&
		   hit(who, accesses[i].off, len) && v == (who ? half : all),
		   "a read of %u at %#llx is %s's", len,
		   (unsigned long long)addr, who ? who : "nobody");
		memset(&v, 0, sizeof(v));
		memcpy(&v, &out, len);
		seen = (struct seen){ 0 };
		ok(bus_write(bus, addr, &out, len) == !!who &&
		   hit(who, accesses[i].off, len) && (!who || seen.value == v),
		   "a write of %u at %#llx is %s's", len,
		   (unsigned long long)addr, who ? who : "nobody");
	}
}

static void test_add(struct bus *bus)
{
	static const struct {
		uint64_t base, len;
		int rc;
	} t[] = {
		{ 0x100, 8, -EEXIST }, { 0x0ff, 2, -EEXIST },
		{ 0x107, 1, -EEXIST }, { 0x0f0, 0x100, -EEXIST },
		{ 0x1ff, 2, -EEXIST }, { 0x2ff, 1, -EEXIST },
		{ 0x400, 0, -EINVAL }, { UINT64_MAX, 2, -EINVAL },
		{ 0x0f8, 8, 0 }, { 0x108, 8, 0 }, { 0x304, 1, 0 },
		{ UINT64_MAX - 8, 8, 0 },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		ok(bus_add(bus, t[i].base, t[i].len, "x", &ops, "x") == t[i].rc,
		   "a range of %#llx at %#llx: %s",
		   (unsigned long long)t[i].len, (unsigned long long)t[i].base,
		   t[i].rc ? strerror(-t[i].rc) : "taken");
}

int main(void)
{
	struct bus *bus = bus_new();
	uint64_t v;

	if (!bus)
		tap_bail("no memory");
	ok(!bus_read(bus, 0, &v, 8) && v == UINT64_MAX,
	   "an empty bus reads as all ones");
	/* Not in the order of their addresses. */
	if (bus_add(bus, 0x200, 0x100, "c", &ops, "c") ||
	    bus_add(bus, 0x300, 4, "d", &ops, "d") ||
	    bus_add(bus, 0x100, 8, "a", &ops, "a") ||
	    bus_add(bus, 0x110, 1, "b", &ops, "b"))
		tap_bail("good ranges are refused");
	test_accesses(bus);
	test_add(bus);
	bus_free(bus);
	return tap_done();
}
