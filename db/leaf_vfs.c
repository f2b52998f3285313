// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// SQLite's own access to files, but for one thing: wrapped leaves are unwrapped when they are written.
#include <pthread.h>
#include <string.h>

#include "leaf.h"

// Behind what the system's part keeps of an open file.
struct leaf_file {
	int (*write)(sqlite3_file *file, const void *data, int n, sqlite3_int64 offset);
	sqlite3_io_methods methods;
};

static struct {
	pthread_mutex_t lock;
	sqlite3_vfs *system, vfs; // system: NULL while not registered
} leaf_vfs = {.lock = PTHREAD_MUTEX_INITIALIZER};

static size_t file_bytes(void) // of the system's part
{
	return ((size_t)leaf_vfs.system->szOsFile + 15) & ~(size_t)15;
}

static struct leaf_file *leaf_file(sqlite3_file *file)
{
	return (struct leaf_file *)((char *)file + file_bytes());
}

static int leaf_write(sqlite3_file *file, const void *data, int n, sqlite3_int64 offset)
{
	unsigned char page[LEAF_PAGE];
	bool leaf = n == LEAF_PAGE && offset && leaf_unwrap(data, page);

	return leaf_file(file)->write(file, leaf ? page : data, n, offset);
}

static int leaf_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
	int rc = leaf_vfs.system->xOpen(leaf_vfs.system, name, file, flags, out);
	struct leaf_file *own = leaf_file(file);
	(void)vfs;

	if (rc || !(flags & SQLITE_OPEN_MAIN_DB))
		return rc;
	own->write = file->pMethods->xWrite;
	own->methods = *file->pMethods;
	own->methods.xWrite = leaf_write;
	file->pMethods = &own->methods;
	return SQLITE_OK;
}

int leaf_vfs_register(void)
{
	int rc = SQLITE_OK;

	pthread_mutex_lock(&leaf_vfs.lock);
	if (!leaf_vfs.system) {
		leaf_vfs.system = sqlite3_vfs_find(NULL);
		leaf_vfs.vfs = *leaf_vfs.system;
		leaf_vfs.vfs.szOsFile = (int)(file_bytes() + sizeof(struct leaf_file));
		leaf_vfs.vfs.pNext = NULL;
		leaf_vfs.vfs.zName = LEAF_VFS;
		leaf_vfs.vfs.xOpen = leaf_open;
		rc = sqlite3_vfs_register(&leaf_vfs.vfs, 0);
	}
	pthread_mutex_unlock(&leaf_vfs.lock);
	return rc;
}
