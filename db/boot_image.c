// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Booting a machine in order to see whether it can be built, and keeping the result as a file.
#include "boot_image.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../core/session.h"
#include "session_file.h"

enum {
	GAP = 64 // pages; a gap as short is no reason for another mapping
};

// Memory that has a descriptor can be passed on as it is. Where a limit forbids it (to try would end
// us), any memory will do.
static int memory_file(size_t size)
{
	struct rlimit limit;
	int fd;

	if (getrlimit(RLIMIT_FSIZE, &limit) || limit.rlim_cur < size + sizeof(struct boot_image))
		return -1;
	fd = memfd_create("kalloscope boot", MFD_ALLOW_SEALING);
	if (fd < 0 || !ftruncate(fd, (off_t)(size + sizeof(struct boot_image))))
		return fd;
	close(fd);
	return -1;
}

int boot_machine(const struct machine_config *cfg, struct booted *b, char *err)
{
	size_t needed = machine_size(cfg);
	const char *why = "";
	struct machine m;
	int error;

	b->size = needed ? needed : PAGE_SIZE; // 0: refused
	b->fd = memory_file(b->size);
	b->memory = mmap(NULL, b->size, PROT_READ | PROT_WRITE,
			 MAP_NORESERVE | (b->fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED),
			 b->fd, 0);
	if (b->memory == MAP_FAILED) {
		b->memory = NULL;
		error = sentence(err, -ENOMEM, "no address space for a machine of %zu MiB",
				 b->size >> 20);
	} else {
		madvise(b->memory, b->size, MADV_NOHUGEPAGE);
		error = machine_boot(&m, b->memory, cfg, &why);
		if (error)
			sentence(err, error, "this machine cannot be built: %s", why ? why : "?");
	}
	if (error)
		booted_free(b);
	return error;
}

void booted_free(struct booted *b)
{
	if (b->memory)
		munmap(b->memory, b->size);
	if (b->fd >= 0)
		close(b->fd);
}

static bool write_all(int fd, const void *bytes, size_t n, size_t at)
{
	while (n) {
		ssize_t done = pwrite(fd, bytes, n, (off_t)at);

		if (done <= 0)
			return false;
		bytes = (const char *)bytes + done;
		n -= (size_t)done;
		at += (size_t)done;
	}
	return true;
}

static bool extent_add(struct boot_image *image, size_t at, size_t bytes)
{
	struct boot_extent *last = image->nextents ? &image->extent[image->nextents - 1] : NULL;

	if (last && at - (last->at + last->bytes) <= (size_t)GAP * PAGE_SIZE) {
		last->bytes = at + bytes - last->at;
		return true;
	}
	if (image->nextents == BOOT_EXTENTS)
		return false;
	image->extent[image->nextents++] = (struct boot_extent){at, bytes};
	return true;
}

// What booting touched has memory; the rest is zero, and stays a hole of the file.
static bool write_image(int fd, const struct booted *b)
{
	struct boot_image image = {.magic = BOOT_MAGIC, .size = b->size};
	off_t at = 0, end = 0, size = (off_t)b->size;

	while ((at = lseek(b->fd, end, SEEK_DATA)) >= 0 && at < size) {
		end = lseek(b->fd, at, SEEK_HOLE);
		end = end > size ? size : end;
		if (end <= at || !extent_add(&image, (size_t)at, (size_t)(end - at)) ||
		    (fd != b->fd && !write_all(fd, b->memory + at, (size_t)(end - at), (size_t)at)))
			return false;
	}
	return write_all(fd, &image, sizeof(image), b->size);
}

void boot_image_file(const struct booted *b, const char *path)
{
	int fd = b->fd < 0 ? -1 : open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0 && !write_image(fd, b))
		unlink(path);
	if (fd >= 0)
		close(fd);
}

int boot_image_memory(struct booted *b)
{
	int fd = b->fd;

	if (fd < 0 || !write_image(fd, b))
		return -1;
	munmap(b->memory, b->size); // a mapping that can write forbids the seals
	b->memory = NULL;
	b->fd = -1;
	if (!fcntl(fd, F_ADD_SEALS, BOOT_SEALS))
		return fd;
	close(fd);
	return -1;
}
