// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The machine booted by whoever started us: mapped, so that only pages that change are copied.
//
// A session's image is a file that its owner alone may write. That of `run` is a descriptor, sealed
// against change, that only the first process has: it is closed here, so that the program never sees it,
// and what its children find under that number is told by the seals to be something else.
#include "boot_image.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "capture.h"
#include "sys.h"

static int session_fd(void)
{
	char path[4096];

	return session_file(path, sizeof(path), SESSION_BOOT)
		       ? (int)sys(SYS_open, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
		       : -1;
}

static int inherited_fd(void)
{
	const char *text = start_env(BOOT_ENV);
	int fd = 0;

	if (!text || !*text)
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || fd > 1 << 20)
			return -1;
		fd = fd * 10 + *text - '0';
	}
	return sys(SYS_fcntl, fd, F_GET_SEALS) == BOOT_SEALS ? fd : -1;
}

static bool sound(const struct boot_image *image, size_t size)
{
	uint64_t end = 0;

	if (image->magic != BOOT_MAGIC || image->size != size || image->nextents > BOOT_EXTENTS)
		return false;
	for (unsigned i = 0; i < image->nextents; i++) {
		const struct boot_extent *e = &image->extent[i];

		if ((e->at | e->bytes) & (PAGE_SIZE - 1) || e->at < end || e->at > size ||
		    e->bytes > size - e->at)
			return false;
		end = e->at + e->bytes;
	}
	return true;
}

static bool map_extents(char *memory, const struct boot_image *image, int fd)
{
	for (unsigned i = 0; i < image->nextents; i++) {
		const struct boot_extent *e = &image->extent[i];
		char *at = memory + e->at;

		if (sys(SYS_mmap, at, e->bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED, fd, e->at) != (long)at)
			return false;
	}
	return true;
}

// The machine of other options, or of another build, is not what the recorder expects.
static bool as_wanted(void *memory, size_t size)
{
	struct machine m;

	return !machine_attach(&m, memory, size, 0, &machine_ops_none, NULL) &&
	       !memcmp(&m.s->cfg, &process.opt.machine, sizeof(m.s->cfg));
}

static bool image_read(int fd, size_t size, struct boot_image *image)
{
	struct stat st;

	return !sys(SYS_fstat, fd, &st) && (size_t)st.st_size == size + sizeof(*image) &&
	       sys(SYS_pread64, fd, image, sizeof(*image), size) == sizeof(*image) &&
	       sound(image, size);
}

void *boot_image_map(size_t size)
{
	struct boot_image image;
	int fd = process.session ? session_fd() : inherited_fd();
	bool found = fd >= 0 && image_read(fd, size, &image);
	char *memory = found ? map_zeroed(size) : NULL;

	if (memory && (!map_extents(memory, &image, fd) || !as_wanted(memory, size))) {
		sys(SYS_munmap, memory, size);
		memory = NULL;
	}
	if (found || (process.session && fd >= 0)) // else it is the program's
		sys(SYS_close, fd);
	return memory;
}
