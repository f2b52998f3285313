// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Creating a session: the folder beside the recording, and the segment in it.
#include "session_file.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "boot_image.h"
#include "recorder.h"

enum {
	NSLOTS = 32,
	RING_RECORDS_MAX = 131072, // 4 MiB a ring: 18 ms of a program that does nothing but malloc
	RINGS_BYTES = 256 << 20,   // of all rings
	DEPOT_BUCKETS = 1 << 20,
	DEPOT_BACKED = 1 << 20, // nodes with storage at first
	DEPOT_MAX = 16 << 20,
	CALIBRATE_NS = 5000000,
};

static uint64_t page_align(uint64_t n)
{
	return (n + 4095) & ~4095ull;
}

// The drainer may have to wait for its CPU some milliseconds: rings are as long as the room allows.
static uint32_t ring_records(uint32_t rings)
{
	uint32_t n = RING_RECORDS_MAX;

	while ((uint64_t)n * rings * sizeof(struct record) > RINGS_BYTES)
		n /= 2;
	return n;
}

static void layout(struct session_header *h, const struct session_options *opt)
{
	h->magic = SESSION_MAGIC;
	h->version = SESSION_VERSION;
	h->header_bytes = sizeof(*h);
	h->layout = machine_layout();
	h->nslots = NSLOTS;
	h->rings_per_slot = opt->machine.ncpus;
	h->ring_records = ring_records(NSLOTS * h->rings_per_slot);
	h->nbuckets = DEPOT_BUCKETS;
	h->max_nodes = DEPOT_MAX;
	h->off_slots = page_align(sizeof(*h));
	h->off_rings = page_align(h->off_slots + (uint64_t)NSLOTS * sizeof(struct slot));
	h->off_buckets = h->off_rings + (uint64_t)NSLOTS * h->rings_per_slot * h->ring_records *
						sizeof(struct record);
	h->off_nodes = h->off_buckets + DEPOT_BUCKETS * 4ull;
	h->size = h->off_nodes + (uint64_t)DEPOT_MAX * sizeof(struct depot_node);
	h->opt = *opt;
	h->phase = opt->after_ms ? PHASE_BEFORE : PHASE_RECORD;
	h->depot_limit = DEPOT_BACKED;
}

static bool tsc_invariant(void)
{
	unsigned a, b, c, d;

	return __get_cpuid(0x80000007, &a, &b, &c, &d) && d & 1 << 8;
}

static uint64_t realtime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

// The counter and the clock read at one moment: of a few tries the one least disturbed.
static void clock_pair(uint64_t *tsc, uint64_t *ns)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 8; i++) {
		uint64_t before = __rdtsc(), now = clock_monotonic_ns(), after = __rdtsc();

		if (after - before >= best)
			continue;
		best = after - before;
		*tsc = before + best / 2;
		*ns = now;
	}
}

// mult 0 (the program then reads the clock): no counter that runs evenly on all CPUs.
static void calibrate(struct session_header *h)
{
	struct timespec wait = {.tv_nsec = CALIBRATE_NS};
	uint64_t tsc1 = 0, ns1 = 0;

	clock_pair(&h->tsc0, &h->ns0);
	h->realtime0_ns = realtime_ns();
	if (!tsc_invariant())
		return;
	nanosleep(&wait, NULL);
	clock_pair(&tsc1, &ns1);
	if (tsc1 <= h->tsc0 || ns1 <= h->ns0)
		return;
	h->tsc_shift = 31; // counters from 0.5 GHz up fit 32 bits
	unsigned __int128 mult = ((unsigned __int128)(ns1 - h->ns0) << 31) / (tsc1 - h->tsc0);
	h->tsc_mult = mult >> 32 ? 0 : (uint32_t)mult;
}

static void remove_files(const char *folder)
{
	static const char *const files[] = {"rings", "header", "spool", "session.json",
					    SESSION_BOOT};
	char path[PATH_MAX];

	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
		unlink(path);
	}
}

// No device, and no link: neither it nor where it leads is replaced.
static int remove_old(const struct record_options *o, const char *folder, char *err)
{
	struct stat st;

	if (!lstat(o->output, &st)) {
		if (!S_ISREG(st.st_mode))
			return sentence(err, -EEXIST,
					"%s is no plain file; choose another one with -o",
					o->output);
		if (!o->force)
			return sentence(err, -EEXIST,
					"%s exists; choose another file with -o, or use --force",
					o->output);
	}
	if (!lstat(folder, &st) && !o->force)
		return sentence(
			err, -EEXIST,
			"%s holds an unfinished recording; finish it with `kalloscope recover "
			"%s`, or use --force",
			folder, o->output);
	if (o->force)
		remove_files(folder);
	return 0;
}

// Storage for all of it now, so that no write through the mapping can fail later.
static int allocate_file(int fd, const struct session_header *h)
{
	off_t backed = (off_t)(h->off_nodes + (uint64_t)DEPOT_BACKED * sizeof(struct depot_node));
	int error = posix_fallocate(fd, 0, backed);

	if (error)
		return -error;
	return ftruncate(fd, (off_t)h->size) ? -errno : 0;
}

// The recorder's own copy, which no target can write through its mapping.
static int write_header(const char *folder, const struct session_header *h)
{
	int fd = session_file(folder, "header", O_WRONLY | O_CREAT | O_EXCL);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = write(fd, h, sizeof(*h));
	close(fd);
	return n == (ssize_t)sizeof(*h) ? 0 : -EIO;
}

static int make_rings(const struct record_options *o, const char *folder, struct session_header *h)
{
	char path[PATH_MAX];
	int error, fd;

	snprintf(path, sizeof(path), "%s/rings", folder);
	fd = session_file(folder, "rings", O_RDWR | O_CREAT | O_EXCL);
	if (fd < 0)
		return fd;
	layout(h, &o->session);
	calibrate(h);
	snprintf(h->recorder, sizeof(h->recorder), "%s", o->self ? o->self : "");
	error = allocate_file(fd, h);
	if (!error && pwrite(fd, h, sizeof(*h), 0) != sizeof(*h))
		error = errno ? -errno : -EIO;
	close(fd);
	if (!error)
		error = write_header(folder, h);
	if (error)
		unlink(path);
	return error;
}

// One that is there already may be somebody else's.
static bool own_folder(const char *folder)
{
	struct stat st;

	return !lstat(folder, &st) && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
	       !chmod(folder, 0700);
}

// With the booted machine in it.
static int make_folder(const struct record_options *o, const char *folder, const struct booted *b,
		       char *err)
{
	char path[PATH_MAX];

	if (mkdir(folder, 0700) && !(o->force && errno == EEXIST && own_folder(folder)))
		return sentence(err, -errno, "cannot create %s: %s; choose another place with -o",
				folder, strerror(errno));
	snprintf(path, sizeof(path), "%s/" SESSION_BOOT, folder);
	boot_image_file(b, path);
	return 0;
}

int session_create(const struct record_options *o, char *folder, size_t folder_size, char *err)
{
	struct session_header h = {0};
	struct booted b;
	int error;

	if (!o->output || !*o->output ||
	    snprintf(folder, folder_size, "%s.spool", o->output) >= (int)folder_size ||
	    strlen(folder) > PATH_MAX - 32)
		return sentence(err, -ENAMETOOLONG,
				"the name of the recording is empty or too long");
	error = boot_machine(&o->session.machine, &b, err);
	if (error)
		return error;
	error = remove_old(o, folder, err);
	if (!error)
		error = make_folder(o, folder, &b, err);
	booted_free(&b);
	if (error)
		return error;
	error = make_rings(o, folder, &h);
	if (!error)
		error = session_json_write(folder, &h, o->argv);
	if (!error && o->force && unlink(o->output) && errno != ENOENT)
		error = -errno;
	if (!error)
		return 0;
	sentence(err, error, "cannot prepare %s (%llu MiB): %s; %s", folder,
		 (unsigned long long)(h.off_nodes >> 20), strerror(-error),
		 error == -EFBIG ? "raise the limit on the size of files (ulimit -f)"
				 : "choose another place with -o");
	remove_files(folder);
	rmdir(folder);
	return error;
}
