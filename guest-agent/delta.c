// SPDX-License-Identifier: GPL-2.0-or-later
/* A process' section: whole, or the difference of two pictures of it. */
#include <string.h>

#include "guest-agent/agent.h"

struct batch {
	struct out *out;
	uint32_t nr;
	struct protocol_run runs[PROTOCOL_MAX_RECORDS];
};

static void flush_runs(struct batch *b)
{
	struct protocol_message m = { .type = PROTOCOL_RUNS, .nr = b->nr,
				      .runs = b->runs };

	if (b->nr)
		out_send(b->out, &m);
	b->nr = 0;
}

static void add_run(struct batch *b, struct protocol_run run)
{
	if (b->nr == PROTOCOL_MAX_RECORDS)
		flush_runs(b);
	b->runs[b->nr++] = run;
}

static void send_vma(struct out *out, const struct protocol_vma *v,
		     enum protocol_vma_op op)
{
	struct protocol_message m = { .type = PROTOCOL_VMA, .vma = *v };

	m.vma.op = op;
	out_send(out, &m);
}

static void send_all(struct batch *b, const struct proc_picture *p,
		     const struct proc_vma *vma)
{
	send_vma(b->out, &vma->v, PROTOCOL_VMA_NEW);
	for (size_t i = 0; i < vma->nr_runs; i++)
		add_run(b, p->runs[vma->first_run + i]);
	flush_runs(b);
}

/* Walks the runs of a region by address. */
struct cursor {
	const struct protocol_run *run, *end;
};

static uint64_t run_end(const struct protocol_run *r)
{
	return r->vaddr + (uint64_t)r->count * PROTOCOL_PAGE_SIZE;
}

/*
 * The frame at addr (0: none) and how far this stays so, linearly.  addr only
 * ever grows.
 */
static uint64_t look(struct cursor *c, uint64_t addr, uint64_t *until)
{
	while (c->run < c->end && run_end(c->run) <= addr)
		c->run++;
	if (c->run == c->end)
		return 0;
	if (addr < c->run->vaddr) {
		if (*until > c->run->vaddr)
			*until = c->run->vaddr;
		return 0;
	}
	if (*until > run_end(c->run))
		*until = run_end(c->run);
	return c->run->gfn + (addr - c->run->vaddr) / PROTOCOL_PAGE_SIZE;
}

static struct cursor cursor(const struct proc_picture *p,
			    const struct proc_vma *v)
{
	const struct protocol_run *first = p->runs ? p->runs + v->first_run :
						     NULL;

	return (struct cursor){ first, first ? first + v->nr_runs : NULL };
}

static void send_changes(struct batch *b, const struct proc_picture *old,
			 const struct proc_vma *ov,
			 const struct proc_picture *now,
			 const struct proc_vma *nv)
{
	struct cursor oc = cursor(old, ov), nc = cursor(now, nv);
	uint64_t addr = nv->v.start;
	bool told = false;

	while (addr < nv->v.end) {
		uint64_t until = nv->v.end, was, is, nr;

		was = look(&oc, addr, &until);
		is = look(&nc, addr, &until);
		nr = (until - addr) / PROTOCOL_PAGE_SIZE;
		if (nr > UINT32_MAX)
			nr = UINT32_MAX;
		if (was != is) {
			if (!told)
				send_vma(b->out, &nv->v, PROTOCOL_VMA_KEEP);
			told = true;
			add_run(b, (struct protocol_run){ addr, is, nr,
				is ? 0 : PROTOCOL_RUN_UNMAPPED });
		}
		addr += nr * PROTOCOL_PAGE_SIZE;
	}
	flush_runs(b);
}

static bool same(const struct proc_vma *a, const struct proc_vma *b)
{
	return !memcmp(&a->v, &b->v, sizeof(a->v));
}

/* Index of the first region at or above start. */
static size_t find(const struct proc_picture *p, uint64_t start)
{
	size_t lo = 0, hi = p->nr_vmas;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (p->vmas[mid].v.start < start)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static const struct proc_vma *twin(const struct proc_picture *p,
				   const struct proc_vma *vma)
{
	size_t i = find(p, vma->v.start);

	return i < p->nr_vmas && same(&p->vmas[i], vma) ? &p->vmas[i] : NULL;
}

void delta_send(struct out *out, uint32_t pid, const char comm[16],
		const struct proc_picture *old,
		const struct proc_picture *now)
{
	static struct batch b;
	struct protocol_message m = { .type = PROTOCOL_MM,
		.mm = { pid, old ? PROTOCOL_MM_DELTA : 0, PROTOCOL_NO_PGD } };

	b.out = out;
	memcpy(m.mm.comm, comm, sizeof(m.mm.comm));
	out_send(out, &m);
	for (size_t i = 0; old && i < old->nr_vmas; i++)
		if (!twin(now, &old->vmas[i]))
			send_vma(out, &old->vmas[i].v, PROTOCOL_VMA_GONE);
	for (size_t i = 0; i < now->nr_vmas; i++) {
		const struct proc_vma *was = old ? twin(old, &now->vmas[i]) :
						   NULL;

		if (was)
			send_changes(&b, old, was, now, &now->vmas[i]);
		else
			send_all(&b, now, &now->vmas[i]);
	}
	m = (struct protocol_message){ .type = PROTOCOL_MM_END, .pid = pid };
	out_send(out, &m);
}
