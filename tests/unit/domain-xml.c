// SPDX-License-Identifier: GPL-2.0-or-later
/* Edits of a domain's XML: ours is added and removed, the rest stays. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tap.h"
#include "vmm/libvirt/domain-live.h"
#include "vmm/util/diff.h"

static char why[256];

/* Everything that a text change could get wrong is before and in <devices>. */
#define HEAD								\
	"<?xml version=\"1.0\"?>\n"					\
	"<!-- </devices> <metadata> -->\n"				\
	"<domain type='qemu' xmlns:qemu='http://libvirt.org/x'>\n"	\
	"  <name>a&amp;b \xc3\xa4</name>\n"				\
	"  <uuid>aa53ef07-1371-4a39-ac2c-3fa1aca4b973</uuid>\n"
#define TAIL								\
	"  <memory unit='KiB'>65536</memory>\n"				\
	"  <devices>\n"							\
	"    <emulator>/usr/bin/qemu</emulator>\n"			\
	"    <graphics type='vnc' passwd=\"a>b\"/>\n"			\
	"    <![CDATA[ </devices> ]]>\n"
#define END								\
	"  </devices>\n"						\
	"  <qemu:commandline><qemu:arg value='-no-hpet'/></qemu:commandline>\n" \
	"</domain>\n"
#define SERIAL								\
	"    <controller type='virtio-serial' index='0'>\n"		\
	"      <address type='pci' domain='0x0000' bus='0x03' slot='0x00'/>\n" \
	"    </controller>\n"
#define OTHER_CHANNEL							\
	"    <channel type='unix'>\n"					\
	"      <target type='virtio' name='org.qemu.guest_agent.0'/>\n"	\
	"      <address type='virtio-serial' controller='0' bus='0' port='1'/>\n" \
	"    </channel>\n"
#define OUR_CHANNEL							\
	"    <channel type='unix'>\n"					\
	"      <source mode='bind' path='/run/x'/>\n"			\
	"      <target type='virtio' name='org.vmm.agent.0'/>\n"	\
	"      <address type='virtio-serial' controller='0' bus='0' port='2'/>\n" \
	"    </channel>\n"

static const char plain[] = HEAD TAIL END;

static char *enable(const char *xml, const char *policy, const char *abits,
		    enum domain_agent agent)
{
	struct domain_request request = { policy, abits, agent };
	char *out = NULL;

	if (domain_xml_enable(xml, &request, &out, why, sizeof(why)))
		printf("# %s\n", why);
	return out ? out : strdup("");
}

static char *disable(const char *xml)
{
	char *out = NULL;

	if (domain_xml_disable(xml, &out, why, sizeof(why)))
		printf("# %s\n", why);
	return out ? out : strdup("");
}

/* Compares, and frees what is got. */
static void is_text(char *got, const char *want, const char *name)
{
	char *diff;

	if (!ok(!strcmp(got, want), "%s", name)) {
		diff = diff_unified(want, got);
		printf("# --- want\n# +++ got\n%s\n", diff);
		free(diff);
	}
	free(got);
}

static void test_enable(void)
{
	static const char want[] = HEAD
		"  <metadata>\n"
		"    <vmm:reclaim xmlns:vmm=\"urn:vmm:libvirt:1\" "
		"policy=\"target=1G\" added=\"metadata channel "
		"controller:virtio-serial:0\"/>\n"
		"  </metadata>\n" TAIL
		"    <controller type='virtio-serial' index='0'/>\n"
		"    <channel type='unix'>\n"
		"      <source mode='bind'/>\n"
		"      <target type='virtio' name='org.vmm.agent.0'/>\n"
		"    </channel>\n" END;
	struct domain_settings s;
	char *bare;

	is_text(enable(plain, "target=1G", NULL, DOMAIN_AGENT_KEEP), want,
		"metadata, controller and channel, and nothing else");
	is_text(disable(want), plain, "and away again");
	is_text(enable(want, NULL, NULL, DOMAIN_AGENT_KEEP), want,
		"twice is once");
	is_text(enable(want, "target=1G", NULL, DOMAIN_AGENT_CHANNEL), want,
		"said again, too");
	is_text(disable(plain), plain, "nothing to take away");
	is_int(domain_xml_read(want, &s, why, sizeof(why)), 0, "it is read");
	ok(s.is_enabled && !strcmp(s.policy, "target=1G") && !s.abits &&
	   s.has_channel && s.has_virtio_serial && !s.has_vsock &&
	   !s.channel_path, "as it was written");
	bare = domain_xml_metadata(&s);
	is_text(bare, "<reclaim policy=\"target=1G\" added=\"metadata channel "
		"controller:virtio-serial:0\"/>", "and told to libvirt");
	domain_settings_free(&s);
}

static int count(const char *text, const char *what)
{
	int n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

static void test_change(void)
{
	char *a = enable(plain, "target=1G", NULL, DOMAIN_AGENT_KEEP);
	char *b = enable(a, "target=2G,idle=4", "a<\"b&c>", DOMAIN_AGENT_KEEP);
	char *diff = diff_unified(a, b), *c;
	struct domain_settings s;

	ok(count(diff, "\n-") == 1 && count(diff, "\n+") == 1 &&
	   strstr(diff, "\n-    <vmm:reclaim") && strstr(diff, "\n+    <vmm:"),
	   "another policy is a change of one line");
	is_int(domain_xml_read(b, &s, why, sizeof(why)), 0, "it is read");
	ok(!strcmp(s.policy, "target=2G,idle=4") && !strcmp(s.abits, "a<\"b&c>"),
	   "signs are quoted, and come back");
	domain_settings_free(&s);
	is_text(disable(b), plain, "and all goes");

	c = enable(b, NULL, NULL, DOMAIN_AGENT_VSOCK);
	ok(strstr(c, "<vsock model='virtio'>") && !strstr(c, "<channel") &&
	   !strstr(c, "virtio-serial") && strstr(c, "target=2G"),
	   "vsock instead of the channel");
	is_text(disable(c), plain, "and away again");
	free(c);
	c = enable(b, NULL, NULL, DOMAIN_AGENT_NONE);
	ok(!strstr(c, "<channel") && strstr(c, "target=2G"),
	   "no device at all");
	is_text(disable(c), plain, "and away");
	free(a);
	free(b);
	free(c);
	free(diff);
}

static void test_others(void)
{
	static const char with[] = HEAD
		"  <metadata>\n"
		"    <other:x xmlns:other='urn:other'>  <y/>\n</other:x>\n"
		"  </metadata>\n" TAIL SERIAL OTHER_CHANNEL END;
	static const char ours[] = HEAD TAIL SERIAL OUR_CHANNEL END;
	static const char same_name[] = HEAD
		"  <metadata><o:reclaim xmlns:o='urn:o' policy='no'/></metadata>\n"
		TAIL END;
	static const char empty[] = HEAD "  <metadata/>\n" TAIL END;
	struct domain_settings s;
	char *a = enable(with, NULL, "auto", DOMAIN_AGENT_KEEP);

	ok(strstr(a, "added=\"channel\"") && strstr(a, "urn:other") &&
	   strstr(a, "guest_agent"), "others' metadata and channel stay");
	is_text(disable(a), with, "also when ours go");
	free(a);

	a = enable(ours, NULL, "auto", DOMAIN_AGENT_KEEP);
	ok(strstr(a, "added=\"metadata\""), "a channel that is there is used");
	is_text(disable(a), ours, "and not taken away");
	free(a);
	is_int(domain_xml_read(ours, &s, why, sizeof(why)), 0, "it is read");
	ok(!s.is_enabled && s.has_channel && !strcmp(s.channel_path, "/run/x"),
	   "with the socket's path");
	domain_settings_free(&s);

	a = enable(same_name, NULL, NULL, DOMAIN_AGENT_NONE);
	ok(strstr(a, "policy='no'/>\n    <vmm:reclaim") &&
	   strstr(a, "/>\n  </metadata>"), "another's element is not ours");
	free(a);
	a = enable(empty, "on", NULL, DOMAIN_AGENT_NONE);
	ok(strstr(a, "  <metadata>\n    <vmm:reclaim"), "empty metadata opens");
	ok(strstr(a, "policy=\"on\"/>\n  </metadata>\n  <memory"), "and closes");
	free(a);
	a = enable("<domain><name>x</name><devices/></domain>", NULL, NULL,
		   DOMAIN_AGENT_KEEP);
	is_int(domain_xml_read(a, &s, why, sizeof(why)), 0, "all in one line");
	ok(s.is_enabled && s.has_channel && s.has_virtio_serial, "works");
	domain_settings_free(&s);
	free(a);
}

static void test_controllers(void)
{
	char *a = enable(plain, NULL, NULL, DOMAIN_AGENT_KEEP), *noted = NULL;
	char *defined, *again, *shared, *at;
	static const char pci[] =
		"    <controller type='pci' index='3' model='pcie-root-port'>\n"
		"      <address type='pci' bus='0x00' slot='0x01'/>\n"
		"    </controller>\n" SERIAL;

	/* What libvirt makes of it: addresses, and a port to plug it in. */
	at = strstr(a, "    <controller type='virtio-serial' index='0'/>\n");
	if (asprintf(&defined, "%.*s%s%s", (int)(at - a), a, pci,
		     strchr(at, '\n') + 1) < 0)
		tap_bail("no memory");
	is_int(domain_xml_note_controllers(plain, defined, &noted, why,
					   sizeof(why)), 0, "it is compared");
	ok(noted && strstr(noted, "controller:virtio-serial:0 "
			   "controller:pci:3\""), "a port that came is noted");
	is_text(disable(noted), plain, "and goes, too");
	is_int(domain_xml_note_controllers(plain, noted, &again, why,
					   sizeof(why)), 0, "again");
	ok(!again, "nothing is new");

	/* Another device has come on the same controller since. */
	at = strstr(noted, "  </devices>\n  <qemu");
	if (asprintf(&shared, "%.*s%s%s", (int)(at - noted), noted,
		     OTHER_CHANNEL, at) < 0)
		tap_bail("no memory");
	again = disable(shared);
	ok(strstr(again, "type='virtio-serial' index='0'") &&
	   strstr(again, "type='pci' index='3'") &&
	   !strstr(again, "org.vmm.agent") && !strstr(again, "reclaim"),
	   "a controller that others use stays, and so does its port");
	free(again);
	free(a);
	free(defined);
	free(noted);
	free(shared);
}

/* Their list is longer than 255 bytes. */
static void test_many_controllers(void)
{
	char *a = enable(plain, NULL, NULL, DOMAIN_AGENT_KEEP), *noted = NULL;
	char *at = strstr(a, "  </devices>\n"), *defined, *again;
	size_t len;
	FILE *f = open_memstream(&defined, &len);

	fprintf(f, "%.*s", (int)(at - a), a);
	for (int i = 100; i < 120; i++)
		fprintf(f, "    <controller type='pci' index='%d' "
			"model='pcie-root-port'/>\n", i);
	fputs(at, f);
	fclose(f);
	is_int(domain_xml_note_controllers(plain, defined, &noted, why,
					   sizeof(why)), 0, "many are compared");
	ok(noted && strstr(noted, "controller:pci:119\""), "all are noted");
	again = disable(noted);
	is_text(again, plain, "and all go");
	free(a);
	free(defined);
	free(noted);
}

static void test_plan(void)
{
	struct domain_settings want = { .is_enabled = true, .has_channel = true,
					.policy = (char *)"on" };
	struct domain_settings has = { .has_virtio_serial = true };
	struct domain_plan p;

	domain_plan_make(&p, &want, &has);
	ok(p.plug == DOMAIN_AGENT_CHANNEL && p.unplug == DOMAIN_AGENT_NONE &&
	   p.set_metadata && !p.later, "a running one: a channel is plugged");
	is_text(p.metadata, "<reclaim policy=\"on\" added=\"channel\"/>",
		"and noted");
	has.has_virtio_serial = false;
	domain_plan_make(&p, &want, &has);
	ok(p.plug == DOMAIN_AGENT_NONE && p.later && p.set_metadata,
	   "not without a controller");
	domain_plan_free(&p);
	has = (struct domain_settings){ .is_enabled = true, .has_channel = true,
					.policy = (char *)"on",
					.added = (char *)"metadata channel" };
	domain_plan_make(&p, &want, &has);
	ok(domain_plan_is_empty(&p), "one that has all is left alone");
	want.policy = (char *)"off";
	domain_plan_make(&p, &want, &has);
	ok(p.plug == DOMAIN_AGENT_NONE && p.set_metadata &&
	   strstr(p.metadata, "metadata channel"), "another policy");
	domain_plan_free(&p);
	want = (struct domain_settings){ .has_channel = false };
	domain_plan_make(&p, &want, &has);
	ok(p.unplug == DOMAIN_AGENT_CHANNEL && p.set_metadata && !p.metadata,
	   "disabled: unplugged, no metadata");
	has.added = (char *)"metadata";
	domain_plan_make(&p, &want, &has);
	ok(p.unplug == DOMAIN_AGENT_NONE && p.set_metadata,
	   "a channel of others is not unplugged");
	want = (struct domain_settings){ .is_enabled = true, .has_vsock = true };
	has = (struct domain_settings){ .is_enabled = true, .has_channel = true,
					.added = (char *)"channel" };
	domain_plan_make(&p, &want, &has);
	ok(p.plug == DOMAIN_AGENT_VSOCK && p.unplug == DOMAIN_AGENT_CHANNEL &&
	   strstr(p.metadata, "added=\"vsock\""), "one instead of the other");
	domain_plan_free(&p);
}

static void test_bad(void)
{
	static const char *const bad[] = {
		"", "x", "<domain>", "<network/>",
		"<domain><name>x</name></domain>",
		"<domain><devices/></domain>",
		"<?xml version='1.0' encoding='ISO-8859-1'?>"
		"<domain><name>\xe4</name><devices/></domain>",
		"<!DOCTYPE d [<!ENTITY a SYSTEM \"/etc/passwd\">]>"
		"<domain><name>&b;</name><devices/></domain>",
	};
	struct domain_request request = { 0 };
	char *out = (char *)plain;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		*why = 0;
		ok(domain_xml_enable(bad[i], &request, &out, why,
				     sizeof(why)) == -EINVAL &&
			   *why && out == plain,
		   "bad %zu: %s", i, why);
	}
}

/* What follows from a text by its difference, to compare. */
static bool applies(const char *before, const char *after)
{
	char *diff = diff_unified(before, after), *p = diff, *made, *out;
	const char *b = before;
	unsigned long line = 1, first;
	bool fine = true;

	made = out = malloc(strlen(before) + strlen(after) + 1);
	if (!diff || !made)
		tap_bail("no memory");
	while (*p && fine) {
		char *end = strchr(p, '\n') + 1;
		size_t n = strcspn(b, "\n");

		n += b[n] == '\n';
		if (!strncmp(p, "@@ -", 4)) {
			first = strtoul(p + 4, &p, 10);
			if (*p == ',' && p[1] == '0')
				first++;	/* after that line */
			for (; line < first; line++) {
				n = strcspn(b, "\n") + 1;
				memcpy(out, b, n);
				out += n;
				b += n;
			}
		} else if (*p == '+') {
			memcpy(out, p + 1, end - p - 1);
			out += end - p - 1;
		} else {
			fine = !strncmp(p + 1, b, n) && n;
			if (*p == ' ') {
				memcpy(out, b, n);
				out += n;
			}
			b += n;
			line++;
		}
		p = end;
	}
	strcpy(out, b);
	fine = fine && !strcmp(made, after);
	if (!fine)
		printf("# before\n%s# after\n%s# diff\n%s", before, after, diff);
	free(diff);
	free(made);
	return fine;
}

static void random_text(char *text, unsigned int lines)
{
	*text = 0;
	for (unsigned int i = 0; i < lines; i++) {
		char line[] = { 'a' + rand() % 4, '\n', 0 };

		strcat(text, line);
	}
}

static void test_diff(void)
{
	char a[256], b[256], *d;
	bool fine = true;

	is_text(diff_unified("a\n", "a\n"), "", "alike");
	is_text(diff_unified("", ""), "", "both empty");
	is_text(diff_unified("", "a\n"), "@@ -0,0 +1 @@\n+a\n", "from nothing");
	is_text(diff_unified("a\nb\n", ""), "@@ -1,2 +0,0 @@\n-a\n-b\n",
		"to nothing");
	is_text(diff_unified("1\n2\n3\n4\n5\n6\n7\n8\n",
			     "1\n2\n3\n4\nx\n6\n7\n8\n"),
		"@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n",
		"three lines around a change");
	d = diff_unified("1\n2\n3\n4\n5\n6\n7\n8\n9\n",
			 "x\n2\n3\n4\n5\n6\n7\n8\ny\n");
	ok(strstr(d, "@@ -1,4 +1,4 @@\n") && strstr(d, "@@ -6,4 +6,4 @@\n"),
	   "seven lines between two changes make two hunks");
	free(d);
	d = diff_unified("1\n2\n3\n4\n5\n6\n7\n8\n",
			 "x\n2\n3\n4\n5\n6\n7\ny\n");
	ok(!strstr(d + 2, "\n@@ "), "six make one");
	free(d);
	is_text(diff_unified("a", "b\n"), "@@ -1 +1 @@\n-a\n"
		"\\ No newline at end of file\n+b\n", "no newline at the end");
	srand(1);
	for (int i = 0; i < 3000 && fine; i++) {
		random_text(a, rand() % 40);
		random_text(b, rand() % 40);
		fine = applies(a, b);
	}
	ok(fine, "3000 random differences lead from one text to the other");
}

int main(void)
{
	test_enable();
	test_change();
	test_others();
	test_controllers();
	test_many_controllers();
	test_plan();
	test_bad();
	test_diff();
	return tap_done();
}
