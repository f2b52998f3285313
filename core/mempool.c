// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// mempool: reserves of objects in front of any allocator.
#include "mempool.h"

#include <errno.h>

#include "machine.h"

enum {
	MEMPOOL_SIZE = 40, // bytes of the kernel's mempool_t
};

// ---- back ends ----

static kaddr_t slab_alloc(struct machine *m, gfp_t gfp, uint32_t data, void *priv)
{
	(void)priv;
	return kmem_cache_alloc(m, data, gfp);
}

static void slab_free(struct machine *m, kaddr_t element, uint32_t data, void *priv)
{
	(void)priv;
	kmem_cache_free(m, data, element);
}

static kaddr_t size_alloc(struct machine *m, gfp_t gfp, uint32_t data, void *priv)
{
	(void)priv;
	return kmalloc(m, data, gfp);
}

static void size_free(struct machine *m, kaddr_t element, uint32_t data, void *priv)
{
	(void)data;
	(void)priv;
	kfree(m, element);
}

static kaddr_t pages_alloc(struct machine *m, gfp_t gfp, uint32_t data, void *priv)
{
	(void)priv;
	return alloc_pages(m, gfp, data);
}

static void pages_free(struct machine *m, kaddr_t element, uint32_t data, void *priv)
{
	(void)priv;
	__free_pages(m, element, data);
}

const struct mempool_backend mempool_slab = {slab_alloc, slab_free, NULL};
const struct mempool_backend mempool_kmalloc = {size_alloc, size_free, NULL};
const struct mempool_backend mempool_pages = {pages_alloc, pages_free, NULL};

// ---- the pool ----

static kaddr_t backend_alloc(struct machine *m, const struct mempool *pool,
			     const struct mempool_backend *backend, gfp_t gfp)
{
	return backend->alloc(m, gfp, pool->data, backend->priv);
}

static void backend_free(struct machine *m, const struct mempool *pool,
			 const struct mempool_backend *backend, kaddr_t element)
{
	backend->free(m, element, pool->data, backend->priv);
}

// The topmost element, while there are more than `keep`; 0: there are not.
static kaddr_t reserve_take(struct machine *m, struct mempool *pool, uint32_t keep)
{
	kaddr_t element = 0;

	step_begin(m, LOCK_MEMPOOL);
	if (pool->curr_nr > keep)
		element = pool->element[--pool->curr_nr];
	step_cancel(m, LOCK_MEMPOOL);
	return element;
}

// False: the reserve is full.
static bool reserve_put(struct machine *m, struct mempool *pool, kaddr_t element)
{
	bool room;

	step_begin(m, LOCK_MEMPOOL);
	room = pool->curr_nr < pool->min_nr;
	if (room)
		pool->element[pool->curr_nr++] = element;
	step_cancel(m, LOCK_MEMPOOL);
	return room;
}

// False when the back end ran dry first.
static bool fill(struct machine *m, struct mempool *pool, const struct mempool_backend *backend)
{
	while (pool->curr_nr < pool->min_nr) {
		kaddr_t element = backend_alloc(m, pool, backend, GFP_KERNEL);

		if (!element)
			return false;
		mempool_free(m, pool, backend, element);
	}
	return true;
}

static void free_surplus(struct machine *m, struct mempool *pool,
			 const struct mempool_backend *backend, uint32_t keep)
{
	for (kaddr_t element; (element = reserve_take(m, pool, keep));)
		backend_free(m, pool, backend, element);
}

int mempool_create(struct machine *m, struct mempool *pool, uint32_t min_nr,
		   const struct mempool_backend *backend, uint32_t data)
{
	*pool = (struct mempool){.data = data};
	if (!min_nr || min_nr > MEMPOOL_MAX)
		return -EINVAL;
	pool->self = kmalloc(m, MEMPOOL_SIZE, GFP_KERNEL | __GFP_ZERO);
	if (!pool->self)
		return -ENOMEM;
	pool->array = kmalloc(m, min_nr * sizeof(kaddr_t), GFP_KERNEL);
	pool->min_nr = min_nr;
	if (!pool->array || !fill(m, pool, backend)) {
		mempool_destroy(m, pool, backend);
		return -ENOMEM;
	}
	return 0;
}

void mempool_destroy(struct machine *m, struct mempool *pool, const struct mempool_backend *backend)
{
	free_surplus(m, pool, backend, 0);
	kfree(m, pool->array);
	kfree(m, pool->self);
	*pool = (struct mempool){0};
}

// The reserve is for those who could not get memory any other way, so nobody may drain it while
// the allocator still gives; but a caller that may wait takes from it before it starts to reclaim.
kaddr_t mempool_alloc(struct machine *m, struct mempool *pool,
		      const struct mempool_backend *backend, gfp_t gfp)
{
	gfp_t hard = gfp | __GFP_NOMEMALLOC | __GFP_NORETRY | __GFP_NOWARN;
	gfp_t easy = hard & ~(__GFP_WAIT | __GFP_IO);
	kaddr_t element = backend_alloc(m, pool, backend, easy);

	if (!element)
		element = reserve_take(m, pool, 0);
	if (!element && easy != hard)
		element = backend_alloc(m, pool, backend, hard);
	return element;
}

void mempool_free(struct machine *m, struct mempool *pool, const struct mempool_backend *backend,
		  kaddr_t element)
{
	if (element && !reserve_put(m, pool, element))
		backend_free(m, pool, backend, element);
}

// Shrinking keeps the array it has, as the kernel does; and it never fills.
int mempool_resize(struct machine *m, struct mempool *pool, const struct mempool_backend *backend,
		   uint32_t min_nr)
{
	kaddr_t array;

	if (!min_nr || min_nr > MEMPOOL_MAX)
		return -EINVAL;
	if (min_nr <= pool->min_nr) {
		free_surplus(m, pool, backend, min_nr);
		pool->min_nr = min_nr;
		return 0;
	}
	array = kmalloc(m, min_nr * sizeof(kaddr_t), GFP_KERNEL);
	if (!array)
		return -ENOMEM;
	kfree(m, pool->array);
	pool->array = array;
	pool->min_nr = min_nr;
	fill(m, pool, backend);
	return 0;
}
