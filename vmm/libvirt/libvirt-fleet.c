// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vmm/libvirt/libvirt-conn.h"
#include "vmm/libvirt/libvirt-fleet.h"
#include "vmm/util/clock.h"
#include "vmm/util/error-text.h"
#include "vmm/util/thread.h"

#ifdef HAVE_LIBVIRT

#define GRACE_MS 5000		/* beyond 3 periods; then -ETIMEDOUT */
#define END_S	 2

struct libvirt_fleet {
	char *uri;		/* owned; or NULL */
	unsigned int period_ms;
	pthread_t thread;
	pthread_mutex_t lock;	/* protects all below */
	pthread_cond_t changed;
	int refs;		/* the owner's and the thread's */
	bool stopping;
	struct fleet_domain *domains;	/* of the last good query; owned */
	int nr;			/* or -errno */
	char why[512];
	uint64_t polled_ns;	/* end of the last query; 0: none */
};

static const struct {
	int tag;
	enum fleet_value value;
} tags[] = {
	{ VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON, FLEET_ACTUAL },
	{ VIR_DOMAIN_MEMORY_STAT_RSS, FLEET_RSS },
	{ VIR_DOMAIN_MEMORY_STAT_USABLE, FLEET_USABLE },
	{ VIR_DOMAIN_MEMORY_STAT_UNUSED, FLEET_UNUSED },
	{ VIR_DOMAIN_MEMORY_STAT_AVAILABLE, FLEET_AVAILABLE },
	{ VIR_DOMAIN_MEMORY_STAT_DISK_CACHES, FLEET_CACHE },
	{ VIR_DOMAIN_MEMORY_STAT_SWAP_IN, FLEET_SWAP_IN },
	{ VIR_DOMAIN_MEMORY_STAT_SWAP_OUT, FLEET_SWAP_OUT },
};

/* If the domain ends meanwhile, some values stay unknown. */
static void read_domain(virDomainPtr dom, struct fleet_domain *d)
{
	virDomainMemoryStatStruct stats[VIR_DOMAIN_MEMORY_STAT_NR];
	const char *name = virDomainGetName(dom);
	virDomainInfo info;
	int nr = virDomainMemoryStats(dom, stats, VIR_DOMAIN_MEMORY_STAT_NR, 0);

	for (int v = 0; v < FLEET_NR_VALUES; v++)
		d->values[v] = FLEET_UNKNOWN;
	snprintf(d->name, sizeof(d->name), "%s", name ? name : "?");
	/* The name may be shown on a terminal. */
	for (char *c = d->name; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	virDomainGetUUIDString(dom, d->uuid);
	if (!virDomainGetInfo(dom, &info))
		d->values[FLEET_MAX] = (uint64_t)info.maxMem << 10;
	for (int i = 0; i < nr; i++) {
		if (stats[i].tag == VIR_DOMAIN_MEMORY_STAT_LAST_UPDATE)
			d->updated = stats[i].val;
		for (size_t k = 0; k < sizeof(tags) / sizeof(tags[0]); k++)
			if (stats[i].tag == tags[k].tag)
				d->values[tags[k].value] = stats[i].val << 10;
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct fleet_domain *)a)->name,
		      ((const struct fleet_domain *)b)->name);
}

static int read_all(virConnectPtr conn, struct fleet_domain **domainsp,
		    char *why, size_t len)
{
	char *host = virConnectGetHostname(conn);
	struct fleet_domain *domains;
	virDomainPtr *doms = NULL;
	int nr = virConnectListAllDomains(conn, &doms,
					  VIR_CONNECT_LIST_DOMAINS_ACTIVE);

	if (nr < 0) {
		free(host);
		return libvirt_conn_error("cannot list the domains", why, len);
	}
	domains = calloc(nr + 1, sizeof(*domains));
	for (int i = 0; i < nr; i++) {
		if (domains) {
			snprintf(domains[i].host, sizeof(domains[i].host),
				 "%s", host ? host : "?");
			read_domain(doms[i], &domains[i]);
		}
		virDomainFree(doms[i]);
	}
	free(doms);
	free(host);
	if (!domains) {
		snprintf(why, len, "out of memory");
		return -ENOMEM;
	}
	qsort(domains, nr, sizeof(*domains), by_name);
	*domainsp = domains;
	return nr;
}

static void put(struct libvirt_fleet *f)	/* call locked; unlocks */
{
	bool last = !--f->refs;

	pthread_mutex_unlock(&f->lock);
	if (!last)
		return;
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
	free(f->domains);
	free(f->uri);
	free(f);
}

static void wait_until(struct libvirt_fleet *f, uint64_t until)
{
	struct timespec ts = { until / NSEC_PER_SEC, until % NSEC_PER_SEC };

	pthread_cond_timedwait(&f->changed, &f->lock, &ts);
}

static void publish(struct libvirt_fleet *f, struct fleet_domain *domains,
		    int nr, const char *why)	/* call locked */
{
	if (nr >= 0) {
		free(f->domains);
		f->domains = domains;
	}
	f->nr = nr;
	snprintf(f->why, sizeof(f->why), "%s", why);
	f->polled_ns = clock_now_ns();
	pthread_cond_broadcast(&f->changed);
}

static void *poll_thread(void *arg)
{
	struct libvirt_fleet *f = arg;
	struct fleet_domain *domains = NULL;
	virConnectPtr conn = NULL;
	char why[512];

	pthread_mutex_lock(&f->lock);
	while (!f->stopping) {
		int nr = 0;

		pthread_mutex_unlock(&f->lock);
		*why = '\0';
		if (conn && virConnectIsAlive(conn) != 1) {
			virConnectClose(conn);
			conn = NULL;
		}
		if (!conn)
			nr = libvirt_conn_open(&conn, f->uri, true, why,
					       sizeof(why));
		if (conn)
			nr = read_all(conn, &domains, why, sizeof(why));
		pthread_mutex_lock(&f->lock);
		publish(f, domains, nr, why);
		if (!f->stopping)
			wait_until(f, f->polled_ns +
				      f->period_ms * NSEC_PER_MSEC);
	}
	if (conn)
		virConnectClose(conn);
	put(f);
	return NULL;
}

int libvirt_fleet_new(struct libvirt_fleet **fp, const char *uri,
		      unsigned int period_ms, char *why, size_t len)
{
	struct libvirt_fleet *f = calloc(1, sizeof(*f));
	pthread_condattr_t attr;
	pthread_t thread;
	int rc;

	if (f && uri)
		f->uri = strdup(uri);
	if (!f || (uri && !f->uri)) {
		free(f);
		snprintf(why, len, "out of memory");
		return -ENOMEM;
	}
	f->period_ms = period_ms;
	f->refs = 2;
	pthread_mutex_init(&f->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&f->changed, &attr);
	pthread_condattr_destroy(&attr);
	rc = thread_start(&thread, poll_thread, f);
	if (rc) {
		snprintf(why, len, "cannot create a thread: %s",
			 error_text(-rc));
		f->refs = 1;
		pthread_mutex_lock(&f->lock);
		put(f);
		return rc;
	}
	f->thread = thread;
	*fp = f;
	return 0;
}

static _Atomic bool left_any;

/* A thread blocked in a call to an unreachable host is left behind. */
void libvirt_fleet_free(struct libvirt_fleet *f)
{
	struct timespec until;
	pthread_t thread;

	if (!f)
		return;
	thread = f->thread;
	pthread_mutex_lock(&f->lock);
	f->stopping = true;
	pthread_cond_broadcast(&f->changed);
	put(f);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += END_S;
	if (pthread_timedjoin_np(thread, NULL, &until)) {
		pthread_detach(thread);
		left_any = true;
	}
}

bool libvirt_fleet_left_any(void)
{
	return left_any;
}

const char *libvirt_fleet_uri(const struct libvirt_fleet *f)
{
	return f->uri ? f->uri : "libvirt's default";
}

int libvirt_fleet_get(struct libvirt_fleet *f, unsigned int wait_ms,
		      struct fleet_domain **domainsp, char *why, size_t len)
{
	uint64_t now = clock_now_ns(), until = now + wait_ms * NSEC_PER_MSEC;
	uint64_t stale;
	int nr;

	pthread_mutex_lock(&f->lock);
	while (!f->polled_ns && clock_now_ns() < until)
		wait_until(f, until);
	nr = f->nr;
	snprintf(why, len, "%s", f->why);
	now = clock_now_ns();
	stale = f->polled_ns + (3 * f->period_ms + GRACE_MS) * NSEC_PER_MSEC;
	if (!f->polled_ns || now > stale) {
		nr = -ETIMEDOUT;
		snprintf(why, len, "%s does not answer",
			 libvirt_fleet_uri(f));
	}
	if (nr >= 0) {
		*domainsp = malloc((nr + 1) * sizeof(**domainsp));
		if (*domainsp && nr)
			memcpy(*domainsp, f->domains, nr * sizeof(**domainsp));
		else if (!*domainsp)
			nr = -ENOMEM;
	}
	pthread_mutex_unlock(&f->lock);
	return nr;
}

#else

int libvirt_fleet_new(struct libvirt_fleet **fp, const char *uri,
		      unsigned int period_ms, char *why, size_t len)
{
	snprintf(why, len, "%s", LIBVIRT_CONN_MISSING);
	return -ENOSYS;
}

void libvirt_fleet_free(struct libvirt_fleet *f)
{
}

bool libvirt_fleet_left_any(void)
{
	return false;
}

const char *libvirt_fleet_uri(const struct libvirt_fleet *f)
{
	return "";
}

int libvirt_fleet_get(struct libvirt_fleet *f, unsigned int wait_ms,
		      struct fleet_domain **domainsp, char *why, size_t len)
{
	return -ENOSYS;
}

#endif
