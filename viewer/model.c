// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "model.h"


#include <stdlib.h>
#include <string.h>

#include "model_pages.h"

const char *page_state_name(enum page_state s)
{
	static const char *const name[PAGE_STATES] = {
		"not RAM", "free",	   "reserved", "page cache", "pages",
		"slab",	   "per-CPU list", "vmalloc",  "page table", "kmap",
	};

	return s < PAGE_STATES ? name[s] : "?";
}

const char *slab_list_name(enum slab_list l)
{
	static const char *const name[SLAB_LISTS] = {"partial", "full", "free"};

	return l < SLAB_LISTS ? name[l] : "?";
}

// Members of an index list through mem_map, at most `max`: lists of a damaged state may loop.
static uint32_t count_pages(const struct machine *m, uint32_t first, uint32_t max)
{
	uint32_t n = 0;

	if (max > m->s->max_pfn)
		max = m->s->max_pfn;
	for (pfn_t pfn = first; pfn && pfn < m->s->max_pfn && n < max; n++)
		pfn = m->mem_map[pfn].lru.next;
	return n;
}

static void read_zone(struct view_model *v, struct machine *m, unsigned id)
{
	const struct zone *z = &m->s->zone[id];
	struct model_zone *o = &v->zone[v->nzones];

	if (!z->spanned_pages || z->zone_start_pfn >= v->max_pfn)
		return;
	v->nzones++;
	o->name = zone_names[id];
	o->start = z->zone_start_pfn;
	o->end =
		z->spanned_pages > v->max_pfn - o->start ? v->max_pfn : o->start + z->spanned_pages;
	o->present = z->present_pages;
	o->free = zone_free_pages(m, id);
	memcpy(o->watermark, z->watermark, sizeof(o->watermark));
	memcpy(o->reserve, z->lowmem_reserve, sizeof(o->reserve));
	for (unsigned order = 0; order < MAX_ORDER; order++) {
		o->nr_free[order] = z->free_area[order].nr_free;
		for (unsigned mt = 0; mt < MIGRATE_TYPES; mt++)
			o->blocks[order][mt] = count_pages(
				m, z->free_area[order].free_list[mt].first, o->nr_free[order]);
	}
	for (unsigned cpu = 0; cpu < v->ncpus; cpu++) {
		const struct per_cpu_pages *p = &z->pageset[cpu];

		o->pcp[cpu] = (struct model_pcp){p->count, p->high, p->batch, {0}};
		for (unsigned mt = 0; mt < MIGRATE_PCPTYPES; mt++)
			o->pcp[cpu].list[mt] = count_pages(m, p->lists[mt].first, p->count);
	}
	for (unsigned i = 0; i < PAGE_STATES; i++)
		o->state[i] = v->pages->frames[id][i];
}

static uint32_t count_slabs(const struct machine *m, uint32_t first, uint32_t max)
{
	uint32_t n = 0;

	if (max > m->s->max_low_pfn)
		max = m->s->max_low_pfn;
	for (pfn_t pfn = first; pfn && pfn < m->s->max_low_pfn && n < max; n++)
		pfn = m->slab_area[pfn].list.next;
	return n;
}

// No slab of 2^10 pages holds more objects of 8 bytes.
enum {
	MOST_OBJECTS = (PAGE_SIZE << (MAX_ORDER - 1)) / 8
};

static void read_cache(struct model_cache *o, const struct machine *m, unsigned id)
{
	const struct kmem_cache *c = &m->caches[id];
	uint64_t total = (uint64_t)c->num_slabs * c->num;

	o->id = id;
	memcpy(o->name, c->name, CACHE_NAME_LEN);
	o->object_bytes = c->buffer_size;
	o->per_slab = c->num < MOST_OBJECTS ? c->num : MOST_OBJECTS;
	o->order = c->gfporder < MAX_ORDER ? c->gfporder : MAX_ORDER - 1;
	o->total = (uint32_t)total;
	o->active = (uint32_t)(total > c->free_objects ? total - c->free_objects : 0);
	o->slabs = c->num_slabs;
	o->list[SLABS_PARTIAL] = count_slabs(m, c->slabs_partial.first, c->num_slabs);
	o->list[SLABS_FREE] = count_slabs(m, c->slabs_free.first, c->num_slabs);
	if (o->list[SLABS_PARTIAL] + o->list[SLABS_FREE] <= c->num_slabs)
		o->list[SLABS_FULL] = c->num_slabs - o->list[SLABS_PARTIAL] - o->list[SLABS_FREE];
	o->limit = c->limit;
	o->batch = c->batchcount;
	o->shared = c->shared;
	o->shared_avail = m->shared[id].avail;
	o->shared_limit = m->shared[id].limit;
	for (unsigned cpu = 0; cpu < m->s->cfg.ncpus; cpu++) {
		o->cpu_avail[cpu] = ac_of(m, id, cpu)->avail;
		o->cpu_limit[cpu] = ac_of(m, id, cpu)->limit;
	}
	o->bytes = ((uint64_t)c->num_slabs << PAGE_SHIFT) << o->order;
}

static int by_bytes(const void *a, const void *b)
{
	const struct model_cache *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int read_caches(struct view_model *v, const struct machine *m)
{
	v->cache = calloc(MAX_CACHES, sizeof(*v->cache));
	if (!v->cache)
		return -1;
	for (unsigned id = 1; id < MAX_CACHES; id++)
		if (m->caches[id].used)
			read_cache(&v->cache[v->ncaches++], m, id);
	qsort(v->cache, v->ncaches, sizeof(*v->cache), by_bytes);
	return 0;
}

static void read_slab(struct view_model *v, struct machine *m, pfn_t pfn, enum slab_list list)
{
	const struct model_cache *c = &v->cache[v->selected];
	struct model_slab *o = &v->slab[v->nslabs];
	const struct slab *s = &m->slab_area[pfn];

	o->pfn = pfn;
	o->s_mem = s->s_mem;
	o->list = list;
	o->inuse = s->inuse;
	o->colour_bytes = s->colouroff;
	o->object = v->objects + (size_t)v->nslabs * c->per_slab;
	for (unsigned i = 0; i < c->per_slab; i++)
		o->object[i] = slab_obj_is_free(m, pfn, i) ? OBJ_FREE : OBJ_ALLOCATED;
	v->nslabs++;
}

static void mark_parked(struct view_model *v, struct machine *m, kaddr_t obj)
{
	unsigned cache, index;
	pfn_t pfn;

	if (!slab_lookup(m, obj, &cache, &pfn, &index) || index >= v->cache[v->selected].per_slab)
		return;
	for (unsigned i = 0; i < v->nslabs; i++)
		if (v->slab[i].pfn == pfn)
			v->slab[i].object[index] = OBJ_IN_ARRAY;
}

static void mark_arrays(struct view_model *v, struct machine *m)
{
	unsigned id = v->cache[v->selected].id;
	const struct shared_array *shared = &m->shared[id];

	for (unsigned cpu = 0; cpu < v->ncpus; cpu++) {
		const struct array_cache *ac = ac_of(m, id, cpu);

		for (uint32_t i = 0; i < ac->avail && i < AC_ENTRIES; i++)
			mark_parked(v, m, ac->entry[i]);
	}
	for (uint32_t i = 0; i < shared->avail && i < SHARED_ENTRIES; i++)
		mark_parked(v, m, shared->entry[i]);
}

static int read_slabs(struct view_model *v, struct machine *m, unsigned id)
{
	const struct kmem_cache *c;
	uint32_t first[SLAB_LISTS], max;

	for (v->selected = 0; id && v->selected < v->ncaches; v->selected++)
		if (v->cache[v->selected].id == id)
			break;
	if (v->selected >= v->ncaches)
		v->selected = 0;
	if (!v->ncaches)
		return 0;
	c = &m->caches[v->cache[v->selected].id];
	max = c->num_slabs < MODEL_SLABS ? c->num_slabs : MODEL_SLABS;
	v->slabs_left_out = c->num_slabs - max;
	v->slab = calloc(max + 1, sizeof(*v->slab));
	v->objects = calloc(max + 1, v->cache[v->selected].per_slab + 1);
	if (!v->slab || !v->objects)
		return -1;
	first[SLABS_PARTIAL] = c->slabs_partial.first;
	first[SLABS_FULL] = c->slabs_full.first;
	first[SLABS_FREE] = c->slabs_free.first;
	for (unsigned l = 0; l < SLAB_LISTS; l++)
		for (pfn_t pfn = first[l]; pfn && pfn < v->max_low_pfn && v->nslabs < max;
		     pfn = m->slab_area[pfn].list.next)
			read_slab(v, m, pfn, l);
	mark_arrays(v, m);
	return 0;
}

static int read_vmalloc(struct view_model *v, const struct machine *m)
{
	const struct vmalloc_state *s = &m->s->vmalloc;
	// the pool ends where the page-table entries begin
	size_t pool = (size_t)((const char *)m->pte - (const char *)m->areas) / sizeof(*m->areas),
	       most;
	uint32_t id = s->areas.first;

	v->vmalloc_start = s->start;
	v->vmalloc_end = s->end;
	v->lazy_pages = s->lazy_nr;
	most = pool;
	if (most > (size_t)s->nr_areas + 1)
		most = (size_t)s->nr_areas + 1;
	v->area = calloc(most + 1, sizeof(*v->area));
	if (!v->area)
		return -1;
	for (; id && id < pool && v->nareas < most; id = m->areas[id].list.next) {
		const struct vmap_area *a = &m->areas[id];

		v->area[v->nareas++] = (struct model_area){
			a->va_start, a->va_end, a->nr_pages, a->vm_flags,
			a->va_flags, a->caller, a->phys,     "",
		};
	}
	return 0;
}

struct view_model *model_create_after(struct machine *m, unsigned cache,
				      const struct view_model *last)
{
	struct view_model *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->refs = 1;
	v->ncpus = m->s->cfg.ncpus < MAX_CPUS ? m->s->cfg.ncpus : MAX_CPUS;
	v->page_offset = m->s->cfg.page_offset;
	v->high_memory = m->s->high_memory;
	v->max_pfn = m->s->max_pfn;
	v->max_low_pfn = m->s->max_low_pfn;
	v->kmap = m->s->kmap;
	memcpy(v->pgd, m->s->pgd, sizeof(v->pgd));
	// the kernel's directory, and below it the process's own half
	memcpy(v->pgd, m->s->mm.pgd, (m->s->cfg.page_offset >> 22) * sizeof(v->pgd[0]));
	v->pages = model_pages_of(m, last ? last->pages : NULL);
	if (!v->pages)
		goto err_free;
	v->state = v->pages->state;
	v->owner = v->pages->owner;
	v->type = v->pages->type;
	for (unsigned id = 0; id < MAX_NR_ZONES; id++)
		read_zone(v, m, id);
	if (read_caches(v, m) || read_slabs(v, m, cache) || read_vmalloc(v, m))
		goto err_free;
	model_walk(v, m, v->page_offset);
	return v;
err_free:
	model_unref(v);
	return NULL;
}

struct view_model *model_create(struct machine *m, unsigned cache)
{
	return model_create_after(m, cache, NULL);
}

void model_walk(struct view_model *v, struct machine *m, kaddr_t addr)
{
	struct model_walk *w = &v->walk;

	memset(w, 0, sizeof(*w));
	machine_translate(m, addr, &w->t);
	w->has_page = w->t.page != NULL;
	w->zone = "";
	if (w->has_page) {
		unsigned zone = page_zonenum(m, w->t.pfn);

		w->flags = w->t.page->flags;
		w->count = w->t.page->_count;
		w->zone = zone < MAX_NR_ZONES ? zone_names[zone] : "";
	}
	if (w->t.present)
		frame_owner_text(m, &w->t, w->owner, sizeof(w->owner));
	w->t.page = NULL;
}

void model_free_list(struct view_model *v, const struct machine *m, uint32_t list)
{
	unsigned at = list >> 16, order = list >> 8 & 255, mt = list & 255, id;
	const struct model_zone *z = at < v->nzones ? &v->zone[at] : NULL;
	uint32_t all;

	v->has_list = z && order < MAX_ORDER && mt < MIGRATE_TYPES;
	v->list = list;
	if (!v->has_list)
		return;
	for (id = 0; id + 1 < MAX_NR_ZONES && m->s->zone[id].zone_start_pfn != z->start; id++)
		;
	all = z->blocks[order][mt];
	v->free_left_out = all > MODEL_BLOCKS ? all - MODEL_BLOCKS : 0;
	v->free_block = calloc(all - v->free_left_out + 1, sizeof(*v->free_block));
	if (!v->free_block)
		return;
	for (pfn_t pfn = m->s->zone[id].free_area[order].free_list[mt].first;
	     pfn && pfn < v->max_pfn && v->nfree < all - v->free_left_out;
	     pfn = m->mem_map[pfn].lru.next)
		v->free_block[v->nfree++] = pfn;
}

static bool aligned_block(const struct view_model *v, pfn_t pfn, unsigned order, uint32_t *first,
			  uint32_t *last)
{
	*first = pfn & ~((1u << order) - 1);
	*last = *first + (1u << order) - 1;
	if (*last >= v->max_pfn)
		*last = v->max_pfn - 1;
	return true;
}

bool model_block(const struct view_model *v, pfn_t pfn, uint32_t *first, uint32_t *last)
{
	const struct model_cache *c;

	*first = *last = pfn;
	switch (v->state[pfn]) {
	case PS_FREE:
		return aligned_block(v, pfn, v->owner[pfn] & 15, first, last);
	case PS_SLAB:
		c = model_cache(v, v->owner[pfn]);
		return aligned_block(v, pfn, c ? c->order : 0, first, last);
	case PS_PAGES: // the head of a compound page knows its order, the others lie behind it
		for (unsigned order = 0; order < MAX_ORDER; order++) {
			pfn_t head = pfn & ~((1u << order) - 1);

			if (v->state[head] == PS_PAGES && v->owner[head] >= order &&
			    v->owner[head] < MAX_ORDER && v->owner[head])
				return aligned_block(v, head, v->owner[head], first, last);
		}
		return true;
	case PS_VMALLOC:
		for (unsigned i = 0; i < v->nareas; i++)
			if (v->owner[pfn] >= v->area[i].start && v->owner[pfn] < v->area[i].end) {
				*first = v->area[i].start;
				*last = v->area[i].end - 1;
				return false;
			}
		return true;
	default:
		return true;
	}
}

struct view_model *model_ref(struct view_model *v)
{
	__atomic_fetch_add(&v->refs, 1, __ATOMIC_RELAXED);
	return v;
}

void model_unref(struct view_model *v)
{
	if (!v || __atomic_sub_fetch(&v->refs, 1, __ATOMIC_ACQ_REL))
		return;
	model_pages_unref(v->pages);
	free(v->free_block);
	free(v->cache);
	free(v->slab);
	free(v->objects);
	free(v->area);
	free(v->row);
	free(v->stack.frame);
	free(v->other.frame);
	free(v->bucket);
	free(v->mark);
	free(v->summary);
	free(v->happened);
	free(v->flow);
	free(v->steps);
	free(v->boot);
	free(v->processes);
	calltree_unref(v->calls);
	calltree_unref(v->callers);
	free(v);
}

const struct model_cache *model_cache(const struct view_model *v, unsigned id)
{
	for (unsigned i = 0; i < v->ncaches; i++)
		if (v->cache[i].id == id)
			return &v->cache[i];
	return NULL;
}

const struct model_zone *model_zone_of(const struct view_model *v, pfn_t pfn)
{
	for (unsigned i = 0; i < v->nzones; i++)
		if (pfn >= v->zone[i].start && pfn < v->zone[i].end)
			return &v->zone[i];
	return NULL;
}

kaddr_t model_page_address(const struct view_model *v, pfn_t pfn)
{
	if (pfn < v->max_low_pfn)
		return v->page_offset + (pfn << PAGE_SHIFT);
	if (pfn < v->max_pfn && (v->state[pfn] == PS_VMALLOC || v->state[pfn] == PS_KMAP))
		return v->owner[pfn];
	return 0;
}

uint64_t model_vmalloc_used(const struct view_model *v)
{
	uint64_t used = 0;

	for (unsigned i = 0; i < v->nareas; i++)
		used += v->area[i].end - v->area[i].start;
	return used;
}
