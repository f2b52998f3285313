// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "holders.h"

#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	SAY_EVERY = 1 << 16,
	MOST_SITES = UINT16_MAX,
};

// ---- frames ----

struct placing { // of blocks on frames
	const struct view_model *v;
	struct holders *h;
	uint32_t *stack;    // by frame
	GHashTable *mapped; // page number of a vmalloc or kmap address -> pfn
	uint32_t open;	    // frames that may still get a holder
	progress_fn progress;
	void *ctx;
	uint64_t said;
};

// Frames that no block of the program can lie on are not waited for.
static bool can_be_held(enum page_state s)
{
	return s == PS_PAGES || s == PS_SLAB || s == PS_VMALLOC || s == PS_KMAP ||
	       s == PS_PAGECACHE;
}

static void map_addresses(struct placing *p)
{
	const struct view_model *v = p->v;

	p->mapped = g_hash_table_new(NULL, NULL);
	for (pfn_t pfn = 0; pfn < v->max_pfn; pfn++) {
		p->open += can_be_held(v->state[pfn]);
		if (v->state[pfn] == PS_VMALLOC || v->state[pfn] == PS_KMAP)
			g_hash_table_insert(p->mapped,
					    GSIZE_TO_POINTER(v->owner[pfn] >> PAGE_SHIFT),
					    GSIZE_TO_POINTER(pfn));
	}
}

static pfn_t frame_of(const struct placing *p, uint64_t addr)
{
	if (addr >= p->v->page_offset && addr < p->v->high_memory)
		return (pfn_t)((addr - p->v->page_offset) >> PAGE_SHIFT);
	return (pfn_t)GPOINTER_TO_SIZE(
		g_hash_table_lookup(p->mapped, GSIZE_TO_POINTER(addr >> PAGE_SHIFT)));
}

static bool place(void *ctx, const struct block *b)
{
	struct placing *p = ctx;
	uint64_t last = b->addr + (b->alloc ? b->alloc : 1) - 1;

	if (p->progress && p->said - b->event >= SAY_EVERY) {
		p->said = b->event;
		p->progress(p->ctx, b->event);
	}
	if (!b->live || last > UINT32_MAX)
		return true;
	for (uint64_t a = b->addr & ~(uint64_t)(PAGE_SIZE - 1); a <= last; a += PAGE_SIZE) {
		pfn_t pfn = frame_of(p, a);

		if (!pfn || pfn >= p->v->max_pfn || p->h->born[pfn] ||
		    !can_be_held(p->v->state[pfn]))
			continue;
		p->h->born[pfn] = b->event;
		p->stack[pfn] = b->stack;
		p->open--;
	}
	return p->open > 0;
}

struct named_site {
	struct holder_site site;
	uint16_t number; // in holders.sites
};

static int by_frames(const void *a, const void *b)
{
	const struct holder_site *x = &(*(struct named_site *const *)a)->site;
	const struct holder_site *y = &(*(struct named_site *const *)b)->site;

	return x->frames != y->frames ? (x->frames < y->frames ? 1 : -1)
				      : strcmp(x->function, y->function);
}

struct naming {
	struct recording *r;
	struct frame *frame;
	GHashTable *by_stack, *by_name; // -> struct named_site
	GPtrArray *site;
};

// NULL: there are too many.
static struct named_site *site_of(struct naming *n, uint32_t stack)
{
	gpointer key = GSIZE_TO_POINTER((gsize)stack);
	struct named_site *s = g_hash_table_lookup(n->by_stack, key);
	const char *name;

	if (s)
		return s;
	name = recording_stack(n->r, stack, n->frame, MODEL_FRAMES) ? n->frame[0].function
								    : "unknown";
	s = g_hash_table_lookup(n->by_name, name);
	if (!s && n->site->len < MOST_SITES) {
		s = g_new0(struct named_site, 1);
		g_strlcpy(s->site.function, name, sizeof(s->site.function));
		g_hash_table_insert(n->by_name, s->site.function, s);
		g_ptr_array_add(n->site, s);
	}
	if (s)
		g_hash_table_insert(n->by_stack, key, s);
	return s;
}

static bool number_sites(struct holders *h, struct naming *n, const uint32_t *stack)
{
	for (pfn_t pfn = 0; pfn < h->max_pfn; pfn++) {
		struct named_site *s = h->born[pfn] ? site_of(n, stack[pfn]) : NULL;

		if (s)
			s->site.frames++;
	}
	g_ptr_array_sort(n->site, by_frames);
	h->nsites = n->site->len;
	h->sites = calloc(h->nsites + 1, sizeof(*h->sites));
	if (!h->sites)
		return false;
	for (unsigned i = 0; i < h->nsites; i++) {
		struct named_site *s = n->site->pdata[i];

		h->sites[i + 1] = s->site;
		s->number = (uint16_t)(i + 1);
	}
	for (pfn_t pfn = 0; pfn < h->max_pfn; pfn++) {
		struct named_site *s = h->born[pfn] ? site_of(n, stack[pfn]) : NULL;

		h->site[pfn] = s ? s->number : 0;
	}
	return true;
}

static bool name_sites(struct holders *h, struct recording *r, const uint32_t *stack)
{
	g_autoptr(GHashTable) by_stack = g_hash_table_new(NULL, NULL);
	g_autoptr(GHashTable) by_name = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GPtrArray) site = g_ptr_array_new_with_free_func(g_free);
	g_autofree struct frame *frame = g_new(struct frame, MODEL_FRAMES);
	struct naming n = {r, frame, by_stack, by_name, site};

	return number_sites(h, &n, stack);
}

struct holders *holders_build(const struct view_model *v, struct recording *r, progress_fn progress,
			      void *ctx)
{
	struct holders *h = calloc(1, sizeof(*h));
	struct placing p = {.v = v,
			    .h = h,
			    .stack = calloc(v->max_pfn + 1, sizeof(*p.stack)),
			    .progress = progress,
			    .ctx = ctx,
			    .said = v->event};
	bool ok;
	int ret;

	if (!h || !p.stack) {
		free(h);
		free(p.stack);
		return NULL;
	}
	*h = (struct holders){.refs = 1,
			      .process = v->process,
			      .event = v->event,
			      .max_pfn = v->max_pfn,
			      .born = calloc(v->max_pfn + 1, sizeof(*h->born)),
			      .site = calloc(v->max_pfn + 1, sizeof(*h->site))};
	map_addresses(&p);
	ret = h->born && h->site ? recording_each_block(r, v->process, 0, v->event, place, &p) : -1;
	ok = (!ret || !p.open) && name_sites(h, r, p.stack);
	g_hash_table_unref(p.mapped);
	free(p.stack);
	if (ok)
		return h;
	holders_unref(h);
	return NULL;
}

struct holders *holders_ref(struct holders *h)
{
	__atomic_fetch_add(&h->refs, 1, __ATOMIC_RELAXED);
	return h;
}

void holders_unref(struct holders *h)
{
	if (!h || __atomic_sub_fetch(&h->refs, 1, __ATOMIC_ACQ_REL))
		return;
	free(h->born);
	free(h->site);
	free(h->sites);
	free(h);
}

// ---- call sites ----

struct adding {
	GHashTable *by_stack; // -> index + 1 in row
	GArray *row;	      // struct site_row
	bool only_live;
	progress_fn progress;
	void *ctx;
	uint64_t said;
};

static struct site_row *row_of(struct adding *a, uint32_t stack)
{
	gpointer key = GSIZE_TO_POINTER((gsize)stack);
	guint at = GPOINTER_TO_UINT(g_hash_table_lookup(a->by_stack, key));

	if (!at) {
		struct site_row row = {.stack = stack};

		g_array_append_val(a->row, row);
		at = a->row->len;
		g_hash_table_insert(a->by_stack, key, GUINT_TO_POINTER(at));
	}
	return &g_array_index(a->row, struct site_row, at - 1);
}

static bool add_block(void *ctx, const struct block *b)
{
	struct adding *a = ctx;
	struct site_row *row;

	if (a->progress && a->said - b->event >= SAY_EVERY) {
		a->said = b->event;
		a->progress(a->ctx, b->event);
	}
	if (a->only_live && !b->live)
		return true;
	row = row_of(a, b->stack);
	row->calls++;
	row->bytes += b->req;
	row->temporary += b->temporary;
	row->live_count += b->live;
	row->live_bytes += b->live ? b->req : 0;
	return true;
}

static int by_stack(const void *a, const void *b)
{
	const struct site_row *x = a, *y = b;

	return x->stack < y->stack ? -1 : x->stack > y->stack;
}

struct site_row *scope_sites(struct recording *r, int process, enum call_scope scope, uint64_t from,
			     uint64_t to, unsigned *n, progress_fn progress, void *ctx)
{
	g_autoptr(GHashTable) stacks = g_hash_table_new(NULL, NULL);
	g_autoptr(GArray) row = g_array_new(FALSE, TRUE, sizeof(struct site_row));
	struct adding a = {stacks, row, scope == SCOPE_LIVE, progress, ctx, to};
	struct site_row *rows;

	if (recording_each_block(r, process, from ? from : 1, to, add_block, &a))
		return NULL;
	*n = row->len;
	rows = calloc(row->len + 1, sizeof(*rows));
	if (rows && row->len) {
		memcpy(rows, row->data, row->len * sizeof(*rows));
		qsort(rows, row->len, sizeof(*rows), by_stack);
	}
	return rows;
}

static const struct {
	const char *id, *name;
} scopes[SCOPES] = {
	[SCOPE_ALL] = {"all", "the whole process"},
	[SCOPE_RANGE] = {"range", "the range picked out"},
	[SCOPE_LIVE] = {"live", "what is alive at this event"},
};

const char *scope_name(enum call_scope s)
{
	return s < SCOPES ? scopes[s].name : "?";
}

const char *scope_id(enum call_scope s)
{
	return s < SCOPES ? scopes[s].id : NULL;
}
