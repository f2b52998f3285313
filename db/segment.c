// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Mapping an existing segment, and what the recorder needs to know of the host's processes.
#include "session_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "recorder.h"

uint64_t clock_monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int sentence(char *err, int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, ERR_LEN, fmt, ap);
	va_end(ap);
	return error;
}

static bool inside(uint64_t offset, uint64_t bytes, uint64_t size)
{
	return offset >= sizeof(struct session_header) && offset <= size &&
	       bytes <= size - offset && offset % 64 == 0;
}

static bool power_of_two(uint32_t n)
{
	return n && !(n & (n - 1));
}

static bool geometry_sound(const struct session_header *h, uint64_t size)
{
	return h->magic == SESSION_MAGIC && h->version == SESSION_VERSION &&
	       h->header_bytes == sizeof(*h) && h->size == size && h->nslots &&
	       h->nslots <= 1 << 16 && h->rings_per_slot && h->rings_per_slot <= MAX_CPUS &&
	       power_of_two(h->ring_records) && h->ring_records <= 1 << 20 &&
	       power_of_two(h->nbuckets) &&
	       inside(h->off_slots, h->nslots * (uint64_t)sizeof(struct slot), size) &&
	       inside(h->off_rings,
		      (uint64_t)h->nslots * h->rings_per_slot * h->ring_records *
			      sizeof(struct record),
		      size) &&
	       inside(h->off_buckets, h->nbuckets * 4ull, size) &&
	       inside(h->off_nodes, h->max_nodes * (uint64_t)sizeof(struct depot_node), size) &&
	       h->tsc_shift < 64;
}

int session_file(const char *folder, const char *name, int flags)
{
	char path[PATH_MAX];
	struct stat st;
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == ELOOP || errno == ENXIO ? -EINVAL : -errno;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	return -EINVAL;
}

const char *session_file_why(int error)
{
	return error == -EINVAL ? "it is no plain file" : strerror(-error);
}

// The copy made with the session, or, where that is missing, what the segment says.
static void read_header(struct segment *s, const char *folder)
{
	int fd = session_file(folder, "header", O_RDONLY);
	ssize_t n = -1;

	if (fd >= 0) {
		n = read(fd, &s->own, sizeof(s->own));
		close(fd);
	}
	if (n != (ssize_t)sizeof(s->own))
		memcpy(&s->own, s->h, sizeof(s->own));
}

int segment_open(struct segment *s, const char *folder, bool writable, char *err)
{
	char path[PATH_MAX];
	struct stat st;
	void *map;
	int fd = session_file(folder, "rings", writable ? O_RDWR : O_RDONLY), error = -fd;

	*s = (struct segment){.fd = -1};
	snprintf(path, sizeof(path), "%s/rings", folder);
	if (fd < 0)
		goto err_file;
	error = EILSEQ;
	if (fstat(fd, &st) || st.st_size < (off_t)sizeof(struct session_header))
		goto err_file;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED,
		   fd, 0);
	error = errno;
	if (map == MAP_FAILED)
		goto err_file;
	s->h = map;
	s->size = (size_t)st.st_size;
	s->fd = fd;
	read_header(s, folder);
	if (s->own.magic == SESSION_MAGIC && s->own.layout != machine_layout()) {
		segment_close(s);
		return sentence(err, -EILSEQ, "%s was made by another build of kalloscope", path);
	}
	if (geometry_sound(&s->own, s->size))
		return 0;
	segment_close(s);
	return sentence(err, -EILSEQ,
			"%s is not a segment of this version of kalloscope, or is damaged", path);
err_file:
	if (fd >= 0)
		close(fd);
	return sentence(err, -error, "cannot open %s: %s", path, session_file_why(-error));
}

void segment_close(struct segment *s)
{
	if (s->h) {
		munmap(s->h, s->size);
		close(s->fd);
	}
	*s = (struct segment){.fd = -1};
}

struct slot *segment_slot(const struct segment *s, uint32_t i)
{
	return (struct slot *)((char *)s->h + s->own.off_slots) + i;
}

struct record *segment_ring(const struct segment *s, uint32_t slot, uint32_t cpu)
{
	size_t ring = (size_t)slot * s->own.rings_per_slot + cpu;

	return (struct record *)((char *)s->h + s->own.off_rings) + ring * s->own.ring_records;
}

uint64_t segment_clock(const struct segment *s, uint64_t stamp)
{
	const struct session_header *h = &s->own;

	if (!h->tsc_mult)
		return stamp;
	return (uint64_t)((__int128)(int64_t)(stamp - h->tsc0) * h->tsc_mult >> h->tsc_shift) +
	       h->ns0;
}

// A process whose first thread has ended looks like a zombie while others still run.
static bool other_threads(int pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	return !stat(path, &st) && st.st_nlink > 3; // ".", "..", and more than one thread
}

uint64_t pid_start_time(int pid)
{
	char path[64], line[1024], state, *p;
	unsigned long long start = 0;
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = pid > 0 ? fopen(path, "re") : NULL;
	if (!f)
		return 0;
	n = fread(line, 1, sizeof(line) - 1, f);
	fclose(f);
	line[n] = 0;
	p = strrchr(line, ')'); // the name before it may contain anything
	if (!p || sscanf(p + 1,
			 " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
			 "%*d %llu",
			 &state, &start) != 2)
		return 0;
	if ((state == 'Z' || state == 'X') && !other_threads(pid))
		return 0;
	return start + 1; // a process of boot time zero exists, too
}

static uint64_t pid_space(const char *pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%.20s/ns/pid", pid);
	return stat(path, &st) ? 0 : st.st_ino;
}

// The last number of its NSpid line is what a process is called in its own namespace.
static int pid_at_home(const char *pid)
{
	char path[64], line[256];
	int own = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.20s/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "NSpid:", 6))
			own = atoi(strrchr(line, '\t') + 1);
	if (f)
		fclose(f);
	return own;
}

int pid_on_host(int pid, uint64_t space)
{
	int found = -1;
	struct dirent *e;
	DIR *d;

	if (!space || space == pid_space("self"))
		return pid;
	d = opendir("/proc");
	while (d && found < 0 && (e = readdir(d)))
		if (*e->d_name > '0' && *e->d_name <= '9' && pid_space(e->d_name) == space &&
		    pid_at_home(e->d_name) == pid)
			found = atoi(e->d_name);
	if (d)
		closedir(d);
	return found;
}

bool pid_maps_file(int pid, int fd)
{
	char path[64], line[PATH_MAX + 256], want[64];
	struct stat st;
	bool found = false;
	FILE *f;

	if (fstat(fd, &st))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	snprintf(want, sizeof(want), " %02x:%02x %llu ", major(st.st_dev), minor(st.st_dev),
		 (unsigned long long)st.st_ino);
	f = fopen(path, "re");
	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f))
		found = strstr(line, want) != NULL;
	fclose(f);
	return found;
}

bool pid_maps_hidden(int pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return fd < 0 && (errno == EACCES || errno == EPERM);
}

// Parents are older than children, so an id that does not fall ends the walk.
void depot_walk(const struct segment *seg, uint32_t stack, struct depot_walk *w)
{
	const struct depot_node *nodes =
		(const struct depot_node *)((const char *)seg->h + seg->own.off_nodes);
	uint64_t word = 0;
	uint32_t id = stack;

	w->depth = 0;
	w->image = 0;
	while (id && id < seg->own.max_nodes && w->depth < DEPOT_WALK_MAX) {
		uint32_t parent = nodes[id].parent;

		word = atomic_load_explicit(&nodes[id].ip, memory_order_relaxed);
		if (!word || word & DEPOT_ROOT)
			break;
		w->node[w->depth] = id;
		w->ip[w->depth++] = word;
		id = parent < id ? parent : 0;
	}
	if (word & DEPOT_ROOT)
		w->image = (uint32_t)word;
}
