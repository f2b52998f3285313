// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "codec.h"

enum {
	BATCH = 4096 // pages looked up at a time
};

struct checkpoint {
	int pagemap;	// as page_look_up
	size_t npages;	// of the memory
	uint32_t *page; // numbers of those copied, rising
	char *data;	// their bytes
	size_t n, room; // copied; there is room for
};

struct checkpoint *checkpoint_create(void)
{
	struct checkpoint *c = calloc(1, sizeof(*c));

	if (c)
		c->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	return c;
}

void checkpoint_destroy(struct checkpoint *c)
{
	if (!c)
		return;
	if (c->pagemap >= 0)
		close(c->pagemap);
	free(c->page);
	free(c->data);
	free(c);
}

static int make_room(struct checkpoint *c)
{
	size_t room = c->room ? c->room + c->room / 2 : 1024;
	uint32_t *page = realloc(c->page, room * sizeof(*page));
	char *data;

	if (page)
		c->page = page;
	data = page ? realloc(c->data, room * PAGE_SIZE) : NULL;
	if (!data)
		return -ENOMEM;
	c->data = data;
	c->room = room;
	return 0;
}

int checkpoint_take(struct checkpoint *c, const void *memory, size_t size)
{
	uint64_t map[BATCH];

	c->n = 0;
	c->npages = size / PAGE_SIZE;
	for (size_t i = 0; i < c->npages; i++) {
		const char *page = (const char *)memory + i * PAGE_SIZE;

		if (i % BATCH == 0)
			page_look_up(c->pagemap, page,
				     c->npages - i < BATCH ? c->npages - i : BATCH, map);
		if (!(map[i % BATCH] >> 62) || page_is_zero(page))
			continue;
		if (c->n == c->room && make_room(c)) {
			c->npages = c->n = 0;
			return -ENOMEM;
		}
		c->page[c->n] = (uint32_t)i;
		memcpy(c->data + c->n++ * PAGE_SIZE, page, PAGE_SIZE);
	}
	return 0;
}

// Most pages did not change, and reading is cheaper than writing.
void checkpoint_restore(const struct checkpoint *c, void *memory)
{
	uint64_t map[BATCH];
	size_t at = 0;

	for (size_t i = 0; i < c->npages; i++) {
		char *page = (char *)memory + i * PAGE_SIZE;
		const char *then = c->data + at * PAGE_SIZE;

		if (i % BATCH == 0)
			page_look_up(c->pagemap, page,
				     c->npages - i < BATCH ? c->npages - i : BATCH, map);
		if (at < c->n && c->page[at] == i) {
			at++;
			if (memcmp(page, then, PAGE_SIZE))
				memcpy(page, then, PAGE_SIZE);
		} else if (map[i % BATCH] >> 62 && !page_is_zero(page)) {
			memset(page, 0, PAGE_SIZE);
		}
	}
}
