// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The machine as it is after booting, for all processes that begin with the same one: mapped, so that
// only pages that change are copied, with its keyframe, which is made once.
#include "template.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "boot_image.h"
#include "recorder.h"

enum {
	GAP = 64 * PAGE_SIZE
};

struct boot_template {
	struct machine_config cfg;
	struct booted booted;
	struct keyframer *keyframer; // as of keyframe
	void *keyframe;
	size_t keyframe_size;
};

void template_free(struct boot_template *t)
{
	if (!t)
		return;
	keyframer_destroy(t->keyframer);
	free(t->keyframe);
	booted_free(&t->booted);
	free(t);
}

static struct boot_template *template_make(const struct machine_config *cfg)
{
	struct boot_template *t = calloc(1, sizeof(*t));
	char err[ERR_LEN];

	if (!t || boot_machine(cfg, &t->booted, err)) {
		free(t);
		return NULL;
	}
	t->cfg = *cfg;
	t->keyframer = keyframer_create(t->booted.memory, t->booted.size);
	if (t->booted.fd >= 0 && t->keyframer &&
	    !keyframe_encode(t->keyframer, true, &t->keyframe, &t->keyframe_size))
		return t;
	template_free(t);
	return NULL;
}

struct boot_template *template_get(struct boot_template **t, const struct machine_config *cfg)
{
	if (*t && memcmp(&(*t)->cfg, cfg, sizeof(*cfg))) {
		template_free(*t);
		*t = NULL;
	}
	if (!*t)
		*t = template_make(cfg);
	return *t;
}

// Where the next piece of data ends that begins at `at`; short gaps are no reason for another mapping.
static off_t piece_end(int fd, off_t at, off_t size)
{
	off_t end = lseek(fd, at, SEEK_HOLE), next;

	while (end > at && end < size && (next = lseek(fd, end, SEEK_DATA)) >= 0 &&
	       next - end <= GAP)
		end = lseek(fd, next, SEEK_HOLE);
	return end > size ? size : end;
}

bool template_map(const struct boot_template *t, char *memory, size_t size)
{
	off_t at, end = 0, whole = (off_t)size;

	if (size != t->booted.size)
		return false;
	while ((at = lseek(t->booted.fd, end, SEEK_DATA)) >= 0 && at < whole) {
		end = piece_end(t->booted.fd, at, whole);
		if (end <= at ||
		    mmap(memory + at, (size_t)(end - at), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED, t->booted.fd, at) != memory + at)
			return false;
	}
	return true;
}

const void *template_keyframe(const struct boot_template *t, size_t *size)
{
	*size = t->keyframe_size;
	return t->keyframe;
}

struct keyframer *template_keyframer(const struct boot_template *t, const void *memory)
{
	return keyframer_copy(t->keyframer, memory);
}
