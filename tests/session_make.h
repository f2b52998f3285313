// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// A session segment for tests, in a file or in memory, and reading it back.
#pragma once

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../core/session.h"

struct session_size {
	uint32_t slots, rings, records, buckets, nodes;
};

static inline uint64_t session_bytes(const struct session_size *z)
{
	return sizeof(struct session_header) + z->slots * sizeof(struct slot) +
	       (uint64_t)z->slots * z->rings * z->records * sizeof(struct record) +
	       z->buckets * 4ull + z->nodes * sizeof(struct depot_node) + 4 * 4096;
}

static inline uint64_t session_part(uint64_t *at, uint64_t bytes)
{
	uint64_t here = (*at + 4095) & ~4095ull;

	*at = here + bytes;
	return here;
}

static inline void session_init(struct session_header *h, const struct session_size *z)
{
	uint64_t at = sizeof(*h);

	h->magic = SESSION_MAGIC;
	h->version = SESSION_VERSION;
	h->header_bytes = sizeof(*h);
	h->layout = machine_layout();
	h->nslots = z->slots;
	h->rings_per_slot = z->rings;
	h->ring_records = z->records;
	h->nbuckets = z->buckets;
	h->max_nodes = z->nodes;
	h->off_slots = session_part(&at, z->slots * sizeof(struct slot));
	h->off_rings = session_part(&at, (uint64_t)z->slots * z->rings * z->records * 32);
	h->off_buckets = session_part(&at, z->buckets * 4ull);
	h->off_nodes = session_part(&at, z->nodes * sizeof(struct depot_node));
	h->size = session_bytes(z);
	h->depot_limit = z->nodes;
	h->opt.max_frames = 64;
	h->opt.site_threshold = 1024;
	h->opt.wait_ms = 50;
	h->recorder_state = 1;
}

// path NULL: anonymous shared memory.
static inline struct session_header *session_make(const char *path, const struct session_size *z)
{
	int fd = path ? open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
	uint64_t size = session_bytes(z);
	struct session_header *h;

	if (path && (fd < 0 || ftruncate(fd, (off_t)size)))
		return NULL;
	h = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | (path ? 0 : MAP_ANONYMOUS), fd,
		 0);
	if (path)
		close(fd);
	if (h == MAP_FAILED)
		return NULL;
	session_init(h, z);
	return h;
}

// Frames of a stack, innermost first, without the root. Number of frames.
static inline unsigned session_stack(struct session_header *h, uint32_t id, uintptr_t *ip,
				     unsigned max)
{
	struct depot_node *nodes = depot_nodes(h);
	unsigned n = 0;

	while (id && id < h->max_nodes && n < max && !(nodes[id].ip & DEPOT_ROOT)) {
		ip[n++] = nodes[id].ip;
		id = nodes[id].parent;
	}
	return n;
}
