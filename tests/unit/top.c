// SPDX-License-Identifier: GPL-2.0-or-later
/* vmm top except its terminal: what is shown, in which order, by which keys. */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tap.h"
#include "vmm/top/page.h"

#define MIB (UINT64_C(1) << 20)
#define SEC UINT64_C(1000000000)

#define is_str(got, want, name) do {                                        \
	const char *got_ = (got), *want_ = (want);                          \
	if (!ok(!strcmp(got_, want_), "%s", name))                          \
		printf("# got  '%s'\n# want '%s'\n", got_, want_);          \
} while (0)

static void test_sample(void)
{
	static const char text[] = "{\"name\": \"a\\u001b[2Jb\", \"pid\": 7,"
		"\"memory\": {\"bytes\": 8192, \"resident_bytes\": 4096,"
		"\"swapped_bytes\": 12}, \"store\": {\"nr_pages\": 3},"
		"\"engine\": {\"source\": \"soft\", \"nr_scans\": 9,"
		"\"nr_evicted\": 5, \"nr_refaults\": 2, \"scan_cpu_ns\": 77,"
		"\"last_scan_ns\": 1500000, \"last_error\": \"x\\ny\","
		"\"pages_by_idle_scans\": [1, 2, 0, 4, 8]},"
		"\"policy\": {\"enabled\": true, \"target_bytes\": 99},"
		"\"agent\": {\"connected\": true},"
		"\"guest\": {\"psi_some_avg10\": 1.5}}";
	json_t *j = json_loads(text, 0, NULL);
	struct top_sample s = { .pid = -1 };

	is_int(top_sample_parse(j, &s), 0, "an answer is understood");
	is_str(s.name, "a?[2Jb", "a name can't command the terminal");
	is_str(s.last_error, "x?y", "nor can an error");
	ok(s.memory == 8192 && s.resident == 4096 && s.swapped == 12 &&
	   s.stored == 3 * 4096, "memory, and in the store");
	ok(s.idle[0] == 4096 && s.idle[1] == 8192 && !s.idle[2] &&
	   s.idle[3] == 12 * 4096, "ages by class: 3 and 4 are one");
	ok(s.has_engine && s.enabled && s.target == 99 && s.has_agent &&
	   s.psi_some == 1.5, "policy and agent");
	ok(top_idle_share(s.idle) > 0.799 && top_idle_share(s.idle) < 0.801,
	   "12 of 15 pages are idle");
	json_decref(j);

	j = json_loads("[1, {\"a\": 2}]", 0, NULL);
	is_int(top_sample_parse(j, &s), -EINVAL, "something else is not");
	json_decref(j);
	is_int(top_sample_parse(NULL, &s), -EINVAL, "nor is nothing");
	is_int(s.pid, 7, "and leaves the sample as it was");
}

static struct top_sample sample(const char *name, uint64_t resident_mib)
{
	struct top_sample s = { .pid = 1, .has_engine = true, .nr_scans = 1,
				.memory = 64 * MIB,
				.resident = resident_mib * MIB };

	snprintf(s.name, sizeof(s.name), "%s", name);
	return s;
}

static struct top_guest *add(struct top_model *m, const char *name,
			     uint64_t resident_mib)
{
	struct top_sample s = sample(name, resident_mib);
	struct top_guest *g;
	char socket[64];

	snprintf(socket, sizeof(socket), "/run/%s.sock", name);
	top_model_see(m, name, socket, false);
	g = top_model_find(m, socket);
	top_guest_answered(g, &s, SEC);
	return g;
}

static const char *order(const struct top_model *m)
{
	static char text[128];

	*text = 0;
	for (size_t i = 0; i < m->nr; i++)
		strcat(strcat(text, i ? " " : ""), m->guests[i]->name);
	return text;
}

static void test_rates(void)
{
	struct top_model m = { 0 };
	struct top_guest *g = add(&m, "a", 1);
	struct top_sample s = sample("a", 1);

	ok(!g->has_rates, "one answer makes no rate");
	s.nr_evicted = 300;
	s.nr_refaults = 30;
	s.scan_cpu_ns = SEC / 10;
	top_guest_answered(g, &s, 3 * SEC);
	ok(g->has_rates && g->evictions == 150 && g->refaults == 15 &&
	   g->cpu > 4.999 && g->cpu < 5.001, "two make them: over 2 s");
	for (int i = 4; i <= 40; i++)
		top_guest_answered(g, &s, i * SEC);
	ok(g->evictions == 0, "what is older than the window is forgotten");
	s.nr_evicted += 100;
	top_guest_answered(g, &s, 41 * SEC);
	ok(g->evictions > 8 && g->evictions < 11, "the window has ten seconds");
	top_guest_answered(g, &s, 1000 * SEC);
	ok(g->has_rates && g->evictions == 0, "a long silence has rates, too");
	s.nr_evicted = 0;
	top_guest_answered(g, &s, 1001 * SEC);
	ok(!g->has_rates, "counters that go back start anew");
	top_guest_answered(g, &s, 1001 * SEC);
	ok(!g->has_rates, "no time between two answers: no rate");
	s.nr_evicted = 50;
	top_guest_answered(g, &s, 1002 * SEC);
	s.pid = 2;
	top_guest_answered(g, &s, 1003 * SEC);
	ok(!g->has_rates, "another process is another VM");
	for (int i = 0; i < 4 * TOP_HISTORY; i++) {
		s.nr_evicted += 10;
		top_guest_answered(g, &s, 1004 * SEC + i * SEC / 100);
	}
	ok(g->evictions > 999 && g->evictions < 1001,
	   "many answers in little time");
	top_model_free(&m);
}

static void test_order(void)
{
	struct top_model m = { .sort = TOP_RESIDENT };
	struct top_guest *g;
	int nr_letters = 0;

	add(&m, "b", 10);
	add(&m, "a", 30);
	add(&m, "c", 20);
	top_model_sort(&m);
	is_str(order(&m), "a c b", "the most first");
	top_model_sort_by(&m, TOP_RESIDENT);
	is_str(order(&m), "b c a", "by the same again: the least first");
	top_model_sort_by(&m, TOP_NAME);
	is_str(order(&m), "a b c", "names from a on");
	top_model_sort_by(&m, TOP_MEMORY);
	is_str(order(&m), "a b c", "alike: by name");
	is_int(top_column_find("resident"), TOP_RESIDENT, "a column by title");
	is_int(top_column_find("r"), TOP_RESIDENT, "or letter");
	is_int(top_column_find("rr"), -1, "but not by anything");
	is_int(top_column_find(""), -1, "nor by nothing");
	for (char letter[] = "A"; *letter <= 'Z'; ++*letter)
		if (top_column_find(letter) >= 0)
			nr_letters++;
	is_int(nr_letters, TOP_NR_COLUMNS, "each column has its own letter");

	is_int(top_model_selected(&m), 0, "the first is selected");
	top_model_move(&m, 1);
	is_int(top_model_selected(&m), 1, "one down");
	top_model_sort_by(&m, TOP_RESIDENT);
	is_str(m.guests[top_model_selected(&m)]->name, "b",
	       "the selection goes with the guest");
	top_model_move(&m, 1 << 20);
	is_int(top_model_selected(&m), 2, "not beyond the last");
	top_model_move(&m, -(1 << 20));
	is_int(top_model_selected(&m), 0, "nor before the first");

	top_model_sweep_begin(&m);
	top_model_see(&m, "b", "/run/b.sock", false);
	top_model_see(&m, "c", "/run/c.sock", false);
	top_model_sweep_end(&m);
	is_str(order(&m), "c b", "a VM that is gone is forgotten");
	is_str(m.guests[top_model_selected(&m)]->name, "c",
	       "its neighbour is selected");

	top_model_see(&m, "named", "/tmp/named", true);
	g = top_model_find(&m, "/tmp/named");
	top_model_failed(&m, g, -ECONNREFUSED, "nobody");
	top_model_sort(&m);
	is_str(order(&m), "c b named", "a named one stays, at the end");
	top_model_sort_by(&m, TOP_RESIDENT);
	is_str(order(&m), "b c named", "either way");
	top_model_failed(&m, top_model_find(&m, "/run/b.sock"), -ETIMEDOUT,
			 "late");
	is_str(order(&m), "b c named", "a silent one stays");
	top_model_failed(&m, top_model_find(&m, "/run/b.sock"), -ECONNREFUSED,
			 "nobody");
	is_str(order(&m), "c named", "one that has ended does not");
	top_model_sweep_begin(&m);
	top_model_sweep_end(&m);
	is_str(order(&m), "named", "only what is named is left");
	top_model_free(&m);
	is_int(top_model_selected(&m), -1, "no guest, no selection");
}

static void test_table(void)
{
	struct top_model m = { 0 };
	struct top_guest *g = add(&m, "guest", 48);
	uint64_t idle[STAT_AGE_CLASSES] = { 1, 0, 99, 900 };
	struct top_layout l;
	char line[TOP_LINE], bars[64];

	top_bars(idle, false, bars, sizeof(bars));
	is_str(bars, "1.19......", "bars in ASCII: little is more than none");
	top_bars(idle, true, bars, sizeof(bars));
	is_str(bars, "\xe2\x96\x81 \xe2\x96\x81\xe2\x96\x87      ",
	       "and in eighths of a block");
	memset(idle, 0, sizeof(idle));
	top_bars(idle, false, bars, sizeof(bars));
	is_str(bars, "..........", "bars of nothing");

	g->sample.enabled = true;
	g->sample.target = 32 * MIB;
	g->sample.idle[0] = 48 * MIB;
	top_layout_fit(&l, 30, true);
	top_table_heading(&l, line);
	is_str(line, "NAME         RESIDENT   TARGET", "30 columns: heading");
	top_table_row(&l, g, SEC, line);
	is_str(line, "guest        48.0 MiB 32.0 MiB", "and a row");
	for (int width = 1; width < 200; width++) {
		top_layout_fit(&l, width, false);
		top_table_row(&l, g, SEC, line);
		if ((int)strlen(line) > width)
			ok(false, "a row of %d is no wider", width);
		top_table_heading(&l, line);
		if ((int)strlen(line) > width)
			ok(false, "a heading of %d is no wider", width);
	}
	top_layout_fit(&l, 200, false);
	top_table_row(&l, g, SEC, line);
	ok(strstr(line, " 9......... ") && strstr(line, " on"),
	   "a wide row has all");
	g->sample.enabled = false;
	top_table_row(&l, g, SEC, line);
	ok(strstr(line, " paused"), "and says that reclaim is paused");
	top_model_failed(&m, g, -ETIMEDOUT, "late");
	top_table_row(&l, g, 8 * SEC, line);
	ok(strstr(line, "48.0 MiB") && strstr(line, " silent 7s"),
	   "a silent one shows what it said, and when");
	g->has_sample = false;
	top_table_row(&l, g, 8 * SEC, line);
	ok(!strstr(line, "48.0 MiB") && strstr(line, " silent"),
	   "one that never spoke shows nothing");
	strcpy(line, "a\xe2\x96\x81z");
	top_cut(line, 2);
	is_str(line, "a\xe2\x96\x81", "a cut leaves characters whole");
	top_cut(line, 0);
	is_str(line, "", "or nothing");
	top_model_free(&m);
}

static void test_host(void)
{
	struct top_host h;

	top_host_parse("MemTotal:  100 kB\nMemFree: 1 kB\nMemAvailable: 50 kB\n"
		       "SwapTotal: 8 kB\nSwapFree:\t4 kB\n",
		       "some avg10=1.25 avg60=0.00 avg300=0.00 total=0\n"
		       "full avg10=0.50 avg60=0.00 avg300=0.00 total=0\n", &h);
	ok(h.mem_total == 100 << 10 && h.mem_available == 50 << 10 &&
	   h.swap_total == 8 << 10 && h.swap_free == 4 << 10, "memory");
	ok(h.has_psi && h.psi_some == 1.25 && h.psi_full == 0.5, "pressure");
	top_host_parse(NULL, NULL, &h);
	ok(!h.mem_total && !h.has_psi, "a host that does not tell");
	top_host_parse("x", "some avg10=", &h);
	ok(!h.mem_total && !h.has_psi, "nor one that tells nonsense");
}

static struct top_ui ui;

static enum top_request press(struct top_model *m, struct top_action *a,
			      const char *keys)
{
	for (; *keys; keys++)
		*a = top_ui_key(&ui, m, *keys);
	return a->request;
}

static void test_keys(void)
{
	struct top_model m = { .sort = TOP_RESIDENT };
	struct top_action a;
	struct top_guest *g;

	is_int(press(&m, &a, "t"), TOP_NOTHING, "no guest, nothing to change");
	ok(ui.is_error && *ui.message, "which is said");
	is_int(press(&m, &a, "\n"), TOP_NOTHING, "nor to look at");

	add(&m, "a", 30);
	g = add(&m, "b", 20);
	top_model_sort(&m);
	is_int(press(&m, &a, "jt512m"), TOP_NOTHING, "a target is typed");
	ok(ui.is_typing && !strcmp(ui.about_name, "b"), "for the selected one");
	press(&m, &a, "\x7f\x7f");
	is_str(ui.typed, "51", "backspace");
	top_ui_key(&ui, &m, TOP_KEY_DOWN);
	is_str(ui.typed, "51", "an arrow is not typed");
	is_int(press(&m, &a, "2x\n"), TOP_NOTHING, "no size");
	ok(ui.is_error && ui.is_typing, "is refused, and can be changed");
	is_int(press(&m, &a, "\x7fM\n"), TOP_PUT_TARGET, "a size is taken");
	ok(a.target == 512 * MIB && !strcmp(a.socket, "/run/b.sock"),
	   "with its suffix, for this guest");
	is_int(press(&m, &a, "t\n"), TOP_NOTHING, "an empty one changes nothing");
	is_int(press(&m, &a, "t1G\x1b"), TOP_NOTHING, "neither does Esc");
	ok(!ui.is_typing, "and ends typing");
	for (int i = 0; i < 100; i++)
		press(&m, &a, i ? "9" : "t");
	is_int(press(&m, &a, "\n"), TOP_NOTHING, "more digits than fit");
	press(&m, &a, "\x1b");

	g->sample.enabled = false;
	is_int(press(&m, &a, "p"), TOP_PUT_ENABLED, "p");
	ok(a.enabled && !strcmp(a.socket, "/run/b.sock"), "goes on");
	g->sample.enabled = true;
	press(&m, &a, "p");
	ok(!a.enabled, "or pauses");
	g->sample.has_engine = false;
	is_int(press(&m, &a, "p"), TOP_NOTHING, "no source, no policy");
	ok(ui.is_error && strstr(ui.message, "--abits"), "says the remedy");
	press(&m, &a, "N");
	ok(m.sort == TOP_NAME && m.ascending, "N sorts by name");
	press(&m, &a, "N");
	ok(m.sort == TOP_NAME && !m.ascending, "N again the other way");
	press(&m, &a, ">");
	ok(m.sort == TOP_MEMORY, "> by the next column");
	press(&m, &a, "<<");
	ok(m.sort == TOP_STATE, "< by the one before, the last after the first");
	is_int(press(&m, &a, "hh"), TOP_NOTHING, "help and back");
	is_int(press(&m, &a, "h"), TOP_NOTHING, "help");
	is_int(press(&m, &a, "q"), TOP_QUIT, "and quit");
	ui.view = TOP_GUESTS;
	is_int(press(&m, &a, "q"), TOP_QUIT, "q quits");
	is_int(press(&m, &a, " "), TOP_REFRESH, "space asks now");
	top_model_free(&m);
}

static void test_processes(void)
{
	static const char text[] =
		"[{\"pid\": 5, \"comm\": \"sh\", \"nr_mapped\": 9,"
		"  \"nr_resident\": 4, \"nr_swapped\": 5,"
		"  \"resident_by_idle_scans\": [1, 0, 3]},"
		" {\"pid\": 9, \"comm\": \"db\\u0007\", \"nr_mapped\": 9,"
		"  \"nr_resident\": 6, \"nr_swapped\": 0},"
		" {\"pid\": 7, \"comm\": \"sh\", \"nr_mapped\": 9,"
		"  \"nr_resident\": 5, \"nr_swapped\": 1,"
		"  \"resident_by_idle_scans\": [5]}]";
	json_t *j = json_loads(text, 0, NULL), *bad = json_loads("[{}]", 0, NULL);
	struct top_model m = { .sort = TOP_RESIDENT };
	struct top_action a;
	char line[TOP_LINE];

	add(&m, "a", 30);
	is_int(press(&m, &a, "\n"), TOP_REQUEST_PROCESSES, "Enter asks");
	ok(ui.view == TOP_PROCESSES && !ui.has_procs &&
	   !strcmp(a.socket, "/run/a.sock"), "for this guest's");
	ui.page_rows = 2;
	top_ui_processes(&ui, j, NULL);
	ok(ui.has_procs && ui.procs.nr == 3, "all are understood");
	ok(ui.procs.procs[0].pid == 9 && ui.procs.procs[2].pid == 5,
	   "the most resident first");
	is_str(ui.procs.procs[0].comm, "db?", "a name can't ring the bell");
	press(&m, &a, "E");
	is_int(ui.procs.procs[0].pid, 5, "E: the most evicted first");
	press(&m, &a, "I");
	is_int(ui.procs.procs[0].pid, 5, "I: the most idle first");
	press(&m, &a, "C");
	is_int(ui.procs.procs[0].pid, 9, "C: by command");
	press(&m, &a, "P");
	is_int(ui.procs.procs[0].pid, 5, "P: by pid");
	top_procs_row(80, false, &ui.procs.procs[0], line);
	is_str(line, "       5 sh                   1 36.0 KiB 16.0 KiB 20.0 KiB"
	       "     75 3.8.......", "a line of one");
	top_ui_key(&ui, &m, TOP_KEY_END);
	is_int(ui.first, 1, "End shows the last rows");
	top_ui_key(&ui, &m, TOP_KEY_HOME);
	is_int(ui.first, 0, "Home the first");
	press(&m, &a, "R");
	is_int(press(&m, &a, "c"), TOP_REQUEST_PROCESSES, "c asks again");
	top_ui_processes(&ui, j, NULL);
	ok(ui.procs.nr == 2 && ui.procs.procs[0].nr == 2 &&
	   ui.procs.procs[0].resident == 9 * 4096 &&
	   ui.procs.procs[0].idle[0] == 6 * 4096, "and joins by command");
	top_procs_row(80, false, &ui.procs.procs[0], line);
	ok(strstr(line, "       - sh                   2 "), "a line of two");
	top_ui_processes(&ui, bad, NULL);
	ok(ui.procs.nr == 2 && *ui.why, "nonsense is told and leaves the rest");
	top_ui_processes(&ui, NULL, "no\x1b[m");
	is_str(ui.why, "no?[m", "so is a failure");
	press(&m, &a, "\x1b");
	ok(ui.view == TOP_GUESTS, "Esc goes back");
	top_ui_free(&ui);
	json_decref(j);
	json_decref(bad);
	top_model_free(&m);
}

static void test_page(void)
{
	struct top_model m = { .sort = TOP_RESIDENT };
	struct top_host h = { .mem_total = 1024 * MIB };
	struct top_scene s = { .model = &m, .ui = &ui, .host = &h,
			       .now_ns = SEC, .clock = "12:00:00" };
	struct top_page page;
	char name[16];

	memset(&ui, 0, sizeof(ui));
	is_int(top_page_make(&page, 10, 80, &s), 0, "a page without guests");
	ok(strstr(page.lines[4].text, "no VM is running"), "says so");
	free(page.lines);
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "g%02d", i);
		add(&m, name, 100 - i);
	}
	top_model_sort(&m);
	m.guests[1]->sample.has_agent = true;
	m.guests[1]->sample.psi_some = 20;
	top_model_failed(&m, m.guests[2], -ETIMEDOUT, "late");
	top_page_make(&page, 10, 80, &s);
	ok(strstr(page.lines[0].text, "20 guests, 1 not responding"), "counts");
	is_int(page.lines[3].attr, TOP_HEADING, "the heading");
	ok(page.lines[4].attr == TOP_SELECTED &&
	   page.lines[5].attr == TOP_ALARM &&
	   page.lines[6].attr == TOP_WARNING &&
	   page.lines[7].attr == TOP_PLAIN, "selected, pressed, silent, well");
	is_int(ui.page_rows, 5, "five guests fit");
	free(page.lines);
	top_ui_key(&ui, &m, TOP_KEY_END);
	top_page_make(&page, 10, 80, &s);
	ok(!strncmp(page.lines[8].text, "g19", 3) &&
	   page.lines[8].attr == TOP_SELECTED, "the last is scrolled to");
	free(page.lines);
	for (int rows = 1; rows < 30; rows++) {
		bool seen = false;

		top_page_make(&page, rows, 17, &s);
		for (int i = 0; i < rows; i++) {
			seen |= page.lines[i].attr == TOP_SELECTED;
			if (strlen(page.lines[i].text) > 17)
				ok(false, "%d rows: line %d fits", rows, i);
		}
		if (!seen)
			ok(false, "%d rows show the selected guest", rows);
		free(page.lines);
	}
	top_ui_key(&ui, &m, 't');
	top_ui_key(&ui, &m, '7');
	top_page_make(&page, 1, 200, &s);
	ok(strstr(page.lines[0].text, "target for g19") &&
	   page.cursor_row == 0 && page.cursor_col > 20,
	   "typing shows in one row");
	free(page.lines);
	top_page_make(&page, 4, 5, &s);
	is_int(page.cursor_col, 4, "the cursor stays on the screen");
	free(page.lines);
	is_int(top_page_make(&page, 0, 0, &s), 0, "no rows at all");
	free(page.lines);
	top_ui_key(&ui, &m, TOP_KEY_ESCAPE);
	top_ui_key(&ui, &m, 'h');
	top_page_make(&page, 24, 80, &s);
	is_str(page.lines[0].text, "vmm top: keys", "help");
	free(page.lines);
	top_model_free(&m);
}

int main(void)
{
	test_sample();
	test_rates();
	test_order();
	test_table();
	test_host();
	test_keys();
	test_processes();
	test_page();
	return tap_done();
}
