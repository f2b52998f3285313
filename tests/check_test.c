// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What the checker must notice: one word of a healthy machine is changed at a time, and the
// sentence must name the matter. (kmap_test and vm_test do the same for their parts.)
#include "core/buddy.h"
#include "core/vmap_area.h"
#include "pages_machine.h"

#include <errno.h>

static void complains_about(void *at, size_t size, uint32_t value, const char *about)
{
	uint32_t was = 0;
	char why[256] = "";

	memcpy(&was, at, size);
	memcpy(at, &value, size);
	CHECK_EQ(machine_check(&M, why, sizeof(why)), -EINVAL);
	if (!strstr(why, about))
		printf("# \"%s\" does not speak of \"%s\"\n", why, about);
	CHECK(strstr(why, about));
	memcpy(at, &was, size);
	check_sane();
}

#define COMPLAINS(word, value, about) complains_about(&(word), sizeof(word), (value), (about))

static void free_lists(void)
{
	boot(MODEL_3_4, 1024 * MiB, 2);
	struct zone *z = &M.s->zone[ZONE_NORMAL];
	struct free_area *area = &z->free_area[10];
	struct list_head *list = &area->free_list[MIGRATE_MOVABLE];
	pfn_t pfn = list->first, last = list->last;
	struct page *page = &M.mem_map[pfn];

	COMPLAINS(list->first, 20, "lies outside the zone");
	COMPLAINS(list->first, pfn + 1, "is not aligned");
	COMPLAINS(page->flags, 0, "is not marked free");
	COMPLAINS(page->private, 9, "is on a wrong list");
	COMPLAINS(page->index, MIGRATE_UNMOVABLE, "is on a wrong list");
	COMPLAINS(page->_count, 1, "is in use");
	COMPLAINS(M.mem_map[page->lru.next].lru.prev, last, "wrong back link");
	COMPLAINS(M.mem_map[last].lru.next, pfn, "wrong back link");
	COMPLAINS(list->last, pfn, "ends at");
	COMPLAINS(area->nr_free, area->nr_free + 1, "nr_free says");
	COMPLAINS(z->vm_stat[NR_FREE_PAGES], 7, "the counters say");
	COMPLAINS(page[5].flags, 1u << PG_dirty, "inside a free block");
	COMPLAINS(page[5]._count, 1, "inside a free block");
}

// A frame marked as a free block, but on no list.
static void unlisted_heads(void)
{
	boot(MODEL_3_4, 1024 * MiB, 1);
	pfn_t pfn = alloc_pages(&M, GFP_KERNEL, 5);
	struct page *page = &M.mem_map[pfn];

	page->_count = 0;
	COMPLAINS(page->flags, 1u << PG_buddy, "are marked free");
	page->private = 77;
	COMPLAINS(page->flags, 1u << PG_buddy, "has order 77");
	page->private = 0;
	page[1].flags = 1u << PG_buddy;
	char why[256];
	page->flags = 1u << PG_buddy;
	CHECK_EQ(machine_check(&M, why, sizeof(why)), -EINVAL);
	CHECK(strstr(why, "was not merged"));
}

static void cpu_lists(void)
{
	boot(MODEL_3_4, 1024 * MiB, 2);
	alloc_pages(&M, GFP_KERNEL, 0);
	struct per_cpu_pages *pcp = &M.s->zone[ZONE_NORMAL].pageset[0];
	pfn_t pfn = pcp->lists[MIGRATE_UNMOVABLE].first;

	COMPLAINS(pcp->count, pcp->count + 1, "its count says");
	COMPLAINS(M.mem_map[pfn].flags, 0, "list 0");
	COMPLAINS(M.mem_map[pfn]._count, 1, "list 0");
	COMPLAINS(M.s->zone[ZONE_NORMAL].inactive_file.first, pfn, "on the inactive list");
	COMPLAINS(M.s->zone[ZONE_NORMAL].vm_stat[NR_INACTIVE_FILE], 3, "on the inactive list");
}

static void slabs(void)
{
	boot(MODEL_3_4, 1024 * MiB, 2);
	unsigned id = kmem_cache_create(&M, "watched", 100, 0, 0);
	struct kmem_cache *c = &M.caches[id];
	kaddr_t obj = kmem_cache_alloc(&M, id, GFP_KERNEL);
	pfn_t slab = c->slabs_partial.first;
	struct slab *s = &M.slab_area[slab];
	struct array_cache *ac = ac_of(&M, id, 0);
	unsigned index;

	CHECK(slab_lookup(&M, obj, NULL, NULL, &index));
	COMPLAINS(s->bufctl[s->free], BUFCTL_PER_PAGE, "free chain leaves");
	COMPLAINS(s->inuse, s->inuse + 1, "handed out");
	COMPLAINS(s->cache, CACHE_CACHE, "belongs to cache");
	COMPLAINS(s->s_mem, s->s_mem + 8000, "leave its pages");
	COMPLAINS(M.mem_map[slab].mapping, CACHE_CACHE, "not marked as its");
	COMPLAINS(c->num, 0, "objects of");
	COMPLAINS(c->num_slabs, 2, "counted");
	COMPLAINS(c->free_objects, 3, "free_objects 3");
	COMPLAINS(c->slabs_partial.last, slab + 1, "");
	COMPLAINS(ac->entry[0], obj + 4, "is no object of it");
	COMPLAINS(ac->entry[0], ac->entry[1], "stands in arrays twice");
	COMPLAINS(ac->avail, AC_ENTRIES + 1, "entries");
	COMPLAINS(M.s->slab.nr_caches, 3, "caches");
	COMPLAINS(M.s->slab.nr_sizes, KMALLOC_CACHES + 1, "general caches");
	COMPLAINS(M.s->slab.cache_chain.last, id, "");
	COMPLAINS(c->name[CACHE_NAME_LEN - 1], 'x', "its name has no end");
	COMPLAINS(M.s->cpu[0].doomed.first, slab, "cannot wait to be destroyed");
	// An array entry whose object stands free in its slab.
	uint32_t next = s->s_mem + s->free * c->buffer_size;
	COMPLAINS(ac->entry[0], next, "is in an array and free in its slab");
	COMPLAINS(M.mem_map[lowmem_pfn(&M, obj) + 1].flags, 1u << PG_slab, "");
}

static void areas(void)
{
	boot(MODEL_3_4, 1024 * MiB, 2);
	struct vmalloc_state *v = &M.s->vmalloc;
	kaddr_t a = vmalloc(&M, 8192), b = vmalloc(&M, 4096);
	struct vmap_area *va = vmap_area_at(&M, a);
	struct vmap_area *vb = vmap_area_at(&M, b);

	COMPLAINS(v->start, v->start + 4096, "the space is");
	COMPLAINS(v->areas.last, vmap_area_id(&M, va), "areas listed");
	COMPLAINS(v->cache, v->nr_ids + 5, "");
	COMPLAINS(va->va_end, b - 4096, "guard page");
	COMPLAINS(vb->list.next, vmap_area_id(&M, va), "");
}

static void percpu(void)
{
	boot(MODEL_3_4, 1024 * MiB, 2);
	struct pcpu_state *p = &M.s->percpu;
	struct pcpu_chunk *first = &p->chunk[PCPU_FIRST_CHUNK];
	unsigned slot = 0;

	while (p->slot[slot].first != PCPU_FIRST_CHUNK)
		slot++;
	COMPLAINS(first->map_used, PCPU_MAP_MAX + 1, "blocks, room for");
	COMPLAINS(first->free_size, 4, "free; it says");
	COMPLAINS(first->map[0], 5, "");
	COMPLAINS(first->contig_hint, p->unit_size + 4, "larger than its unit");
	COMPLAINS(p->slot[slot].last, 0, "has no end");
	COMPLAINS(p->slot[slot].first, PCPU_CHUNKS, "is no list");
	COMPLAINS(p->unit_size, p->unit_size * 2, "units of");
	p->slot[slot == 1 ? 2 : 1] = p->slot[slot];
	char why[256];
	CHECK_EQ(machine_check(&M, why, sizeof(why)), -EINVAL);
	CHECK(strstr(why, "is on slot"));
	p->slot[slot == 1 ? 2 : 1] = (struct list_head){0};
	check_sane();
	struct list_head was = p->slot[slot];
	p->slot[slot] = (struct list_head){0};
	CHECK_EQ(machine_check(&M, why, sizeof(why)), -EINVAL);
	CHECK(strstr(why, "in slots"));
	p->slot[slot] = was;
	check_sane();
}

int main(void)
{
	RUN(free_lists);
	RUN(unlisted_heads);
	RUN(cpu_lists);
	RUN(slabs);
	RUN(areas);
	RUN(percpu);
	return DONE();
}
