// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The viewer's models and drawings without a display: a machine driven in this process is copied
// into a model, its figures are compared with the machine's, and every view is drawn in both
// palettes and two sizes. With a folder as argument the pictures are kept there.
#include <sys/mman.h>

#include "harness.h"
#include "core/bootlog.h"
#include "viewer/draw/pen.h"
#include "viewer/draw/timeline.h"
#include "viewer/explain.h"
#include "viewer/lessons.h"

enum {
	ROWS = 200,
	BUCKETS = 300
};

static struct machine machine;
static struct view_model *model;
static const char *folder;

static void *reserve(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static bool boot(struct machine *m, uint64_t ram)
{
	struct machine_config cfg;
	const char *why = "";
	void *memory;

	machine_config_default(&cfg, MODEL_CLASSIC, ram, 4);
	memory = reserve(machine_size(&cfg));
	if (!memory || machine_boot(m, memory, &cfg, &why)) {
		printf("# no machine: %s\n", why);
		return false;
	}
	return true;
}

static unsigned noise(void)
{
	static unsigned x = 12345;

	x = x * 1103515245u + 12345u;
	return x >> 8;
}

static void drive_slab(struct machine *m)
{
	static kaddr_t kept[4096];

	for (unsigned i = 0; i < 60000; i++) {
		kaddr_t *slot = &kept[noise() % 4096];

		m->cpu = noise() % 4;
		if (*slot)
			kfree(m, *slot);
		*slot = kmalloc(m, 16 + noise() % (noise() % 16 ? 400 : 9000), GFP_KERNEL);
	}
	m->cpu = 0;
}

static void drive_pages(struct machine *m)
{
	pfn_t high[300], held[200];
	unsigned order[200];

	for (unsigned i = 0; i < 200; i++)
		held[i] = alloc_pages(m, GFP_KERNEL | (i % 3 ? 0 : __GFP_COMP),
				      order[i] = noise() % 5);
	for (unsigned i = 0; i < 200; i += 3)
		if (i % 2)
			__free_pages(m, held[i], order[i]);
	for (unsigned i = 0; i < 300; i++) {
		high[i] = alloc_pages(m, GFP_HIGHUSER, 0);
		kmap(m, high[i]);
	}
	for (unsigned i = 0; i < 300; i += 4)
		kunmap(m, high[i]);
	kmap(m, high[1]);
	kmap_atomic(m, high[5]);
	kmap_atomic(m, high[6]);
	alloc_pages(m, GFP_DMA, 3);
}

static void drive_vmalloc(struct machine *m)
{
	for (unsigned i = 0; i < 24; i++) {
		kaddr_t a = vmalloc(m, (200u + noise() % 2000) << 10);

		if (i % 5 == 4)
			vfree(m, a);
	}
	ioremap(m, 0xfd000000, 1 << 20);
}

// Rows and samples a recording would have: drawing them needs no database.
static void add_recording(struct view_model *v)
{
	static const enum event_kind kind[] = {EV_MALLOC, EV_FREE, EV_CALLOC, EV_MMAP, EV_REALLOC};

	snprintf(v->program, sizeof(v->program), "/usr/bin/python3");
	v->first_event = 1;
	v->last_event = v->total_events = 1234567;
	v->event = 700000;
	v->t_ns = 3214000000;
	v->row = calloc(ROWS, sizeof(*v->row));
	v->bucket = calloc(BUCKETS, sizeof(*v->bucket));
	v->stack.frame = calloc(20, sizeof(*v->stack.frame));
	for (unsigned i = 0; i < ROWS; i++, v->nrows++)
		v->row[i] = (struct event_row){
			.id = 699900 + i,
			.t_ns = 3213000000ll + i * 9137,
			.kind = kind[i % 5],
			.path = i % 29 ? i % 5 == 3 ? PATH_VMALLOC : PATH_KMALLOC : PATH_HOST,
			.cache = HOST_SPILL,
			.addr = 0xc1000000u + noise() % 0x100000 * 16,
			.req = i % 5 == 1 ? 0 : noise() % 5000,
			.gfp = GFP_KERNEL,
			.thread = i % 3,
			.cpu = i % 4,
			.flags = i % 41 ? 0 : OPF_FAILED};
	v->stack.event = v->event;
	v->stack.row = v->row[100];
	for (unsigned i = 0; i < 20; i++, v->stack.n++) {
		struct frame *f = &v->stack.frame[i];

		snprintf(f->function, sizeof(f->function),
			 i % 4 == 3 ? "libpython3.11.so.1.0+0x%x"
				    : "_PyEval_Frame%u_with_a_rather_long_name",
			 0x1c000 + i * 321);
		snprintf(f->file, sizeof(f->file), i % 4 == 3 ? "" : "/build/Python/ceval.c");
		f->line = (int)(100 * i);
		snprintf(f->module, sizeof(f->module), "/usr/lib/libpython3.11.so.1.0");
	}
	for (unsigned i = 0; i < BUCKETS; i++, v->nbuckets++) {
		struct timeline_bucket *b = &v->bucket[i];
		uint64_t used = 4000 + i * 37 + (i % 50) * 90,
			 bytes = (uint64_t)i * 40000 + (i % 50) * 200000;

		b->first_event = 1 + i * 1234567ull / BUCKETS;
		b->last_event = (i + 1) * 1234567ull / BUCKETS;
		b->t_ns = (int64_t)i * 18000000;
		b->min[TL_NORMAL_USED] = used - 200;
		b->max[TL_NORMAL_USED] = used + noise() % 400;
		b->min[TL_HIGHMEM_USED] = i * 20;
		b->max[TL_HIGHMEM_USED] = i * 20 + 100;
		b->min[TL_DMA_USED] = b->max[TL_DMA_USED] = 20;
		b->min[TL_PROGRAM_BYTES] = bytes;
		b->max[TL_PROGRAM_BYTES] = bytes + 500000;
		b->failures = i == 220;
	}
}

static void add_summary(struct view_model *v)
{
	struct model_summary *s = v->summary = calloc(1, sizeof(*s));

	s->known = true;
	s->events = 1234567;
	s->totals = (struct process_totals){700000, 60u << 20,	3u << 20, 900,
					    800000, 900u << 20, 3,	  1200};
	snprintf(s->argv, sizeof(s->argv), "python3 -c 'print(1)'");
	snprintf(s->machine, sizeof(s->machine), "classic, 2 GiB of RAM, 4 CPUs");
	for (unsigned o = 0; o < SITE_ORDERS; o++)
		for (unsigned i = 0; i < 6; i++, s->nsites[o]++) {
			struct model_site *site = &s->site[o][i];

			site->figures =
				(struct site_row){i,   90000 >> i,     8 << 20, 1 << (20 - i),
						  200, 30 << (20 - i), 500 >> i};
			snprintf(site->function, sizeof(site->function), "allocate_%u", i);
			snprintf(site->caller, sizeof(site->caller),
				 "parse_object ← read_file ← main");
		}
}

// Three processes, the boot of this machine, and one step of every kind.
static void add_parts(struct view_model *v, struct machine *m)
{
	v->processes = calloc(3, sizeof(*v->processes));
	for (int i = 0; i < 3; i++, v->nprocesses++) {
		struct process_info *p = &v->processes[i];

		*p = (struct process_info){.process = i + 1,
					   .parent = i ? 1 : 0,
					   .how = i,
					   .pid = 100 + i,
					   .events = 5,
					   .start_ns = (uint64_t)i * 1000000000,
					   .end_ns = 4000000000};
		snprintf(p->exe, sizeof(p->exe), "/usr/bin/gcc");
	}
	v->duration_ns = 4000000000;
	v->boot = calloc(1, sizeof(*v->boot));
	v->boot->map = m->s->cfg.e820;
	v->boot->memblock = m->s->memblock;
	boot_log(m, v->boot->log, sizeof(v->boot->log));
	v->steps = calloc(1, sizeof(*v->steps));
	steps_begin(v->steps, m);
	for (unsigned k = EV_LAST_STEP + 1; k < EV_COUNT; k++)
		steps_trace(v->steps, &(struct trace_event){.kind = (uint16_t)k,
							    .cache = 5,
							    .zone = ZONE_NORMAL,
							    .order = 1,
							    .order2 = k == EV_T_BUDDY_SPLIT ? 0 : 4,
							    .pfn = 0x1234,
							    .addr = v->vmalloc_start,
							    .count = 3});
}

static void add_calls(struct view_model *v)
{
	static const char *const paths[][4] = {
		{"_start", "main", "parse", "new_node"},
		{"_start", "main", "parse", "new_text"},
		{"_start", "main", "print", "new_text"},
		{"_start", "thread", "work", "work"},
	};

	v->calls = calltree_new();
	v->callers = calltree_new();
	for (unsigned i = 0; i < 4; i++) {
		const char *const *p = paths[i], *const back[] = {p[3], p[2], p[1], p[0]};
		struct site_row figures = {i, 10u << i, 1000u << i, 100 * i, i, 1u << 20 >> i, i};

		calltree_add(v->calls, p, 4, &figures);
		calltree_add(v->callers, back, 4, &figures);
	}
}

// malloc(100) that found its array and the order-0 list empty.
static void add_happened(struct view_model *v)
{
	unsigned cache = machine.s->slab.size_cache[2];
	const struct event_row row = {.kind = EV_MALLOC,
				      .path = PATH_KMALLOC,
				      .cache = (uint16_t)cache,
				      .addr = 0xc1234560,
				      .req = 90,
				      .flags = OPF_POP,
				      .cpu = 1};
	struct transition_row t[12] = {
		{0, {EV_T_BUDDY_SPLIT, .zone = 1, .order = 4, .pfn = 0x35c00, .count = 1}},
		{0, {EV_T_MM_PAGE_ALLOC, .zone = 1, .pfn = 0x35c00, .count = 1}},
		{0, {EV_T_CACHE_GROW, .cache = (uint16_t)cache, .pfn = 0x35c00, .value = 64}},
		{0, {EV_T_CACHE_REFILL, .cache = (uint16_t)cache, .cpu = 1, .count = 16}},
	};

	for (unsigned i = 4; i < 12; i++)
		t[i] = (struct transition_row){
			0, {EV_T_MM_PAGE_ALLOC, .zone = 1, .pfn = 0x2000 + i, .count = 10}};
	v->happened = calloc(1, sizeof(*v->happened));
	explain_event(v, &row, t, 12, v->happened);
}

static void an_event_is_told_with_its_numbers(void)
{
	unsigned cache = machine.s->slab.size_cache[2];
	const struct model_cache *c = model_cache(model, cache);
	char text[32768], level[100];

	explain_text(model->happened, text, sizeof(text));
	CHECK(strstr(text, "malloc(90) → 0xc1234560\n") == text);
	snprintf(level, sizeof(level), "%s: popped from CPU 1's array (%u left).", c->name,
		 c->cpu_avail[1]);
	CHECK(strstr(text, level) != NULL);
	CHECK(strstr(text, "buddy_split: free list of order 4 of Normal/Unmovable gave pfn "
			   "0x35c00, split down to order 0: the upper halves went back to orders "
			   "3, 2, 1, 0") != NULL);
	CHECK(strstr(text, "CPU 1's array of size-") != NULL);
	CHECK(strstr(text, "16 objects moved into it from the cache's slabs") != NULL);
	// nine mm_page_alloc: four told, five counted
	CHECK(strstr(text, "mm_page_alloc: 5 more like that, 50 in all") != NULL);
}

static void every_kind_of_transition_is_explained(void)
{
	for (unsigned k = EV_LAST_STEP + 1; k < EV_COUNT; k++) {
		struct explanation e;
		struct event_row row = {.kind = EV_FREE};
		struct transition_row t = {.t = {.kind = (uint16_t)k, .count = 3, .stride = 1}};

		explain_event(model, &row, &t, 1, &e);
		if (!*explain_meaning(k) || e.n != 3 || strcmp(e.line[1].name, event_name(k))) {
			printf("# %s has no explanation\n", event_name(k));
			CHECK(0);
		}
	}
	CHECK_STR(explain_meaning(EV_MALLOC), "");
	CHECK_STR(explain_meaning(EV_COUNT), "");
}

static void a_hostile_transition_is_told_or_left_out(void)
{
	for (unsigned i = 0; i < 20000; i++) {
		struct transition_row t[2];
		struct event_row row;
		struct explanation e;

		for (unsigned b = 0; b < sizeof(t); b++)
			((uint8_t *)t)[b] = (uint8_t)noise();
		for (unsigned b = 0; b < sizeof(row); b++)
			((uint8_t *)&row)[b] = (uint8_t)noise();
		t[0].t.kind = (uint16_t)(EV_LAST_STEP + noise() % 40);
		row.path = noise() % 12;
		row.cpu = (int)(noise() % 12) - 2;
		explain_event(model, &row, t, 2, &e);
		CHECK(e.n > 0 && e.n < 20);
	}
}

static void call_trees_add_up(void)
{
	const struct calltree *t = model->calls;
	uint32_t child[8];

	CHECK_EQ(calltree_node(t, 0)->cost[COST_CALLS], 150);
	CHECK_EQ(calltree_node(model->callers, 0)->cost[COST_BYTES], 15000);
	for (uint32_t i = 0; i < calltree_size(t); i++) {
		const struct call_node *n = calltree_node(t, i);
		uint64_t sum = 0;

		CHECK(!i || n->parent < i);
		for (uint32_t c = n->child; c; c = calltree_node(t, c)->next)
			sum += calltree_node(t, c)->cost[COST_PEAK];
		CHECK(!n->child || sum == n->cost[COST_PEAK]);
	}
	// two paths end in new_text, under different callers
	CHECK_EQ(calltree_children(model->callers, 0, COST_CALLS, child, 8), 3);
	CHECK_STR(calltree_name(model->callers, child[0]), "work");
	CHECK_STR(calltree_name(model->callers, child[1]), "new_text");
	CHECK_EQ(calltree_node(model->callers, child[1])->cost[COST_CALLS], 60);
	CHECK_EQ(calltree_children(model->callers, child[1], COST_CALLS, child, 8), 2);
	// a recursion is counted once
	CHECK_EQ(calltree_matching(t, "WORK", COST_CALLS), 80);
	CHECK_EQ(calltree_matching(t, "new_", COST_PEAK), (7u << 20) / 4);
	CHECK_EQ(calltree_matching(t, "", COST_PEAK), 0);
}

static void the_model_has_the_machines_figures(void)
{
	char why[200] = "";

	CHECK(machine_check(&machine, why, sizeof(why)) == 0);
	CHECK_EQ(model->nzones, 3);
	for (unsigned z = 0; z < 3; z++) {
		const struct model_zone *o = &model->zone[z];
		const struct zone *k = &machine.s->zone[z];
		uint64_t in_lists = 0, pcp = 0, states = 0;

		CHECK_EQ(o->free, zone_free_pages(&machine, z));
		CHECK_EQ(o->present, k->present_pages);
		for (unsigned order = 0; order < MAX_ORDER; order++) {
			uint32_t blocks = 0;

			for (unsigned mt = 0; mt < MIGRATE_TYPES; mt++)
				blocks += o->blocks[order][mt];
			CHECK_EQ(blocks, k->free_area[order].nr_free);
			in_lists += (uint64_t)blocks << order;
		}
		for (unsigned cpu = 0; cpu < 4; cpu++) {
			CHECK_EQ(o->pcp[cpu].count, k->pageset[cpu].count);
			CHECK_EQ(o->pcp[cpu].list[0] + o->pcp[cpu].list[1] + o->pcp[cpu].list[2],
				 o->pcp[cpu].count);
			pcp += o->pcp[cpu].count;
		}
		for (unsigned s = 0; s < PAGE_STATES; s++)
			states += o->state[s];
		CHECK_EQ(o->state[PS_FREE], in_lists);
		CHECK_EQ(o->state[PS_PCP], pcp);
		CHECK_EQ(states, k->spanned_pages);
	}
}

static void every_used_state_is_on_the_map(void)
{
	uint32_t count[PAGE_STATES] = {0};

	for (unsigned z = 0; z < model->nzones; z++)
		for (unsigned s = 0; s < PAGE_STATES; s++)
			count[s] += model->zone[z].state[s];
	for (unsigned s = PS_FREE; s < PAGE_STATES; s++)
		if (s != PS_PAGECACHE && !count[s]) {
			printf("# no frame is \"%s\"\n", page_state_name(s));
			CHECK(0);
		}
	CHECK_EQ(count[PS_KMAP], machine.s->kmap.in_use);
}

static void slab_frames_and_objects_add_up(void)
{
	uint64_t frames = 0, seen = 0;

	for (unsigned i = 0; i < model->ncaches; i++) {
		const struct model_cache *c = &model->cache[i];

		frames += (uint64_t)c->slabs << c->order;
		CHECK_EQ(c->list[SLABS_PARTIAL] + c->list[SLABS_FULL] + c->list[SLABS_FREE],
			 c->slabs);
		CHECK(c->active <= c->total);
	}
	for (unsigned z = 0; z < model->nzones; z++)
		seen += model->zone[z].state[PS_SLAB];
	CHECK_EQ(seen, frames);
}

static void parked_objects_are_seen(void)
{
	const struct model_cache *c;
	struct view_model *v;
	uint32_t parked = 0, free_objects = 0, expected;
	unsigned id = machine.s->slab.size_cache[0];

	v = model_create(&machine, id);
	CHECK(v != NULL);
	c = &v->cache[v->selected];
	CHECK_EQ(c->id, id);
	CHECK_EQ(v->slabs_left_out, 0);
	for (unsigned s = 0; s < v->nslabs; s++)
		for (unsigned i = 0; i < c->per_slab; i++) {
			parked += v->slab[s].object[i] == OBJ_IN_ARRAY;
			free_objects += v->slab[s].object[i] == OBJ_FREE;
		}
	expected = c->shared_avail;
	for (unsigned cpu = 0; cpu < 4; cpu++)
		expected += c->cpu_avail[cpu];
	CHECK(parked > 0);
	CHECK_EQ(parked, expected);
	CHECK_EQ(free_objects, c->total - c->active);
	model_unref(v);
}

static void vmalloc_areas_are_complete(void)
{
	CHECK_EQ(model->nareas, machine.s->vmalloc.nr_areas);
	for (unsigned i = 1; i < model->nareas; i++)
		CHECK(model->area[i].start >= model->area[i - 1].end);
}

static void colours_keep_their_distance(void)
{
	for (unsigned dark = 0; dark < 2; dark++) {
		const struct palette *pal = palette_get(dark);

		for (unsigned s = PS_RESERVED; s < PAGE_STATES; s++)
			CHECK(palette_contrast(pal->page[PS_FREE], pal->page[s]) >= 3);
		CHECK(palette_contrast(pal->text, pal->background) >= 7);
		CHECK(palette_contrast(pal->dim, pal->card) >= 4.5);
		for (unsigned s = PS_FREE; s < PAGE_STATES; s++)
			for (unsigned t = PS_FREE; t < s; t++)
				CHECK(memcmp(&pal->page[s], &pal->page[t], sizeof(struct rgb)) !=
				      0);
	}
}

static unsigned different_colours(cairo_surface_t *s)
{
	static uint8_t seen[1 << 15];
	unsigned n = 0;
	int w = cairo_image_surface_get_width(s), h = cairo_image_surface_get_height(s);
	const uint8_t *data = cairo_image_surface_get_data(s);

	memset(seen, 0, sizeof(seen));
	for (int y = 0; y < h; y++) {
		const uint32_t *row =
			(const void *)(data +
				       (size_t)y * (size_t)cairo_image_surface_get_stride(s));

		for (int x = 0; x < w; x++) {
			unsigned key = (row[x] >> 9 & 0x7c00) | (row[x] >> 6 & 0x3e0) |
				       (row[x] >> 3 & 0x1f);

			n += !seen[key];
			seen[key] = 1;
		}
	}
	return n;
}

static cairo_surface_t *picture(const struct view *view, struct viewport *vp, bool dark)
{
	cairo_surface_t *s =
		cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)vp->width, (int)vp->height);
	cairo_t *cr = cairo_create(s);

	view->draw(cr, model, vp, palette_get(dark));
	cairo_destroy(cr);
	cairo_surface_flush(s);
	return s;
}

static void keep(cairo_surface_t *s, const char *id, int width, bool dark)
{
	char path[400];

	if (!folder)
		return;
	snprintf(path, sizeof(path), "%s/%s-%d-%s.png", folder, id, width, dark ? "dark" : "light");
	cairo_surface_write_to_png(s, path);
}

static void every_view_draws(void)
{
	static struct draw_result out;

	for (const struct view *view = views; view->id; view++)
		for (unsigned i = 0; i < 4; i++) {
			struct viewport vp = {.width = i & 1 ? 900 : 1280,
					      .height = i & 1 ? 600 : 800,
					      .zoom = MAP_ZOOM_FIT,
					      .out = &out};
			cairo_surface_t *s = picture(view, &vp, i & 2);

			keep(s, view->id, (int)vp.width, i & 2);
			CHECK_EQ(cairo_surface_status(s), CAIRO_STATUS_SUCCESS);
			CHECK(different_colours(s) > 24);
			CHECK(out.nhits > 0);
			cairo_surface_destroy(s);
		}
}

// Hostile numbers included: a recording may claim any order, count or address.
static void every_step_draws_at_every_moment(void)
{
	static struct draw_result out;
	static struct steps odd;
	struct steps *good = model->steps;

	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < model->steps->n; i++)
			for (unsigned k = 0; k < 3; k++) {
				struct viewport vp = {.width = k ? 640 : 1280,
						      .height = 600,
						      .out = &out,
						      .step = i,
						      .moment = k / 2.0};
				cairo_surface_t *s = picture(view_find("steps"), &vp, pass);

				CHECK(different_colours(s) > 24);
				cairo_surface_destroy(s);
			}
		odd = *good;
		for (unsigned i = 0; i < odd.n; i++) {
			struct trace_event *t = &odd.step[i].t;

			t->order = 255;
			t->order2 = 200;
			t->zone = 99;
			t->cpu = 77;
			t->migratetype = 250;
			t->cache = 60000;
			t->addr = 0xffffffff;
			t->count = odd.step[i].run = UINT32_MAX;
			t->stride = INT32_MIN;
		}
		model->steps = &odd;
	}
	model->steps = good;
}

static void every_kind_has_a_lesson_and_a_picture(void)
{
	for (unsigned k = EV_LAST_STEP + 1; k < EV_COUNT; k++) {
		CHECK(lesson_of((enum event_kind)k) != NULL);
		CHECK(strlen(lesson_of((enum event_kind)k)->text) > 200);
	}
	CHECK(lesson_of(EV_MALLOC) == NULL);
	CHECK(lesson_of((enum event_kind)60000) == NULL);
}

static void boot_goes_through_its_stages(void)
{
	static struct draw_result out;

	for (unsigned i = 0; i < BOOT_STAGES; i++) {
		struct viewport vp = {.width = 900, .height = 600, .out = &out, .step = i};
		cairo_surface_t *s = picture(view_find("boot"), &vp, false);

		CHECK(different_colours(s) > 24);
		cairo_surface_destroy(s);
	}
}

static void the_map_names_the_frame_under_the_pointer(void)
{
	static struct draw_result out;
	struct viewport vp = {
		.width = 1000, .height = 700, .zoom = 4, .unfolded = true, .out = &out};
	const struct hit *h;
	double x, y, w, height;
	uint64_t id;
	char text[200];

	cairo_surface_destroy(picture(view_find("map"), &vp, false));
	for (h = out.hit; h->kind == HIT_LEGEND; h++)
		;
	CHECK_EQ(h->kind, HIT_PAGE);
	hit_cell(h, 777, &x, &y, &w, &height);
	CHECK(hit_find(&out, x + w / 2, y + height / 2, &id) == h);
	CHECK_EQ(id, 777);
	CHECK(hit_describe(model, HIT_PAGE, 777, text, sizeof(text)));
	CHECK(strstr(text, "pfn 0x309") != NULL);
	CHECK(strstr(text, "0xc0309000") != NULL);
	CHECK(hit_find(&out, -5, 10, &id) == NULL);
}

static void the_timeline_goes_back_and_forth(void)
{
	struct viewport vp = {.width = 1000, .height = 96};

	CHECK_EQ(timeline_event_at(model, &vp, -100), 1);
	CHECK_EQ(timeline_event_at(model, &vp, 5000), 1234567);
	vp.from = 500;
	vp.to = 600;
	CHECK_EQ(timeline_event_at(model, &vp, 5000), 600);
}

// Rows of a column of the picture that are not its ground.
static unsigned painted(cairo_surface_t *s, int x, int from, int to)
{
	const unsigned char *data = cairo_image_surface_get_data(s);
	int stride = cairo_image_surface_get_stride(s);
	unsigned n = 0;

	for (int y = from; y < to; y++)
		n += memcmp(data + y * stride + 4 * x, data + from * stride + 4 * x, 3) != 0;
	return n;
}

static void a_lane_that_does_not_change_is_a_line(void)
{
	struct viewport vp = {.width = 1000, .height = 96, .bare = true};
	struct timeline_bucket *was = malloc(sizeof(*was) * model->nbuckets);
	cairo_surface_t *s;

	memcpy(was, model->bucket, sizeof(*was) * model->nbuckets);
	for (unsigned i = 0; i < model->nbuckets; i++)
		model->bucket[i].min[TL_PROGRAM_BYTES] = model->bucket[i].max[TL_PROGRAM_BYTES] =
			300000;
	s = picture(view_find("timeline"), &vp, false);
	CHECK(painted(s, 500, 8, 22) <= 4); // of a lane 24 pixels high
	cairo_surface_destroy(s);
	memcpy(model->bucket, was, sizeof(*was) * model->nbuckets);
	s = picture(view_find("timeline"), &vp, false);
	CHECK(painted(s, 900, 8, 22) > 4);
	cairo_surface_destroy(s);
	free(was);
}

static void watermarks_stand_where_the_free_pages_come_down_to_them(void)
{
	struct model_zone z = {.start = 1000, .end = 11000, .watermark = {100, 125, 150}};
	uint64_t near = 9000, far = 3000, below = 9999;

	CHECK_EQ(timeline_watermark(&z, WMARK_MIN), 9900);
	CHECK_EQ(timeline_watermark(&z, WMARK_HIGH), 9850);
	timeline_reach(&z, 5000, &near);
	CHECK_EQ(near, 9900);
	timeline_reach(&z, 1000, &far); // 6,850 pages further, and the lane spans 2,000
	CHECK_EQ(far, 3000);
	timeline_reach(&z, 1000, &below);
	CHECK_EQ(below, 9999);
	CHECK(timeline_zone(model, TL_NORMAL_USED) != NULL);
	CHECK(timeline_zone(model, TL_PROGRAM_BYTES) == NULL);
	CHECK(timeline_frames(model) >= model->zone[0].end - model->zone[0].start);
}

static void the_flame_graph_zooms(void)
{
	static struct draw_result out;
	struct viewport vp = {.width = 1000, .height = 500, .out = &out};
	double all = 0;
	uint64_t id = 0;
	char text[512];

	cairo_surface_destroy(picture(view_find("flame"), &vp, false));
	for (unsigned i = 0; i < out.nhits; i++)
		if (out.hit[i].id == 0)
			all = out.hit[i].w;
	CHECK_EQ(out.nhits, calltree_size(model->calls));
	for (unsigned i = 0; i < out.nhits; i++)
		if (!strcmp(calltree_name(model->calls, (uint32_t)out.hit[i].id), "print")) {
			id = out.hit[i].id;
			// 256 KiB of 1.875 MiB
			CHECK(out.hit[i].w > all * 0.12 && out.hit[i].w < all * 0.15);
		}
	vp.zoomed_call = (uint32_t)id;
	vp.search = "text";
	cairo_surface_destroy(picture(view_find("flame"), &vp, false));
	CHECK_EQ(out.nhits, 5);
	for (unsigned i = 0; i < out.nhits; i++)
		CHECK(out.hit[i].w == all);
	CHECK(hit_describe(model, HIT_CALL, id, text, sizeof(text)));
	CHECK(strstr(text, "print\npeak 262,144 bytes (13.3 %)") == text);
	CHECK(!hit_describe(model, HIT_CALL, 1000, text, sizeof(text)));
}

static uint32_t call_named(const struct calltree *t, uint32_t parent, const char *name)
{
	for (uint32_t c = calltree_node(t, parent)->child; c; c = calltree_node(t, c)->next)
		if (!strcmp(calltree_name(t, c), name))
			return c;
	return 0;
}

static void recursion_folds_into_the_first_call(void)
{
	static const char *const again[] = {"main", "walk", "visit", "walk", "grow"},
				 *const once[] = {"main", "walk", "visit", "note"};
	const struct site_row ten = {.calls = 10, .bytes = 1000}, five = {.calls = 5, .bytes = 7};
	struct calltree *t = calltree_new(), *folded;
	uint32_t main_call, walk, visit;

	CHECK_EQ(calltree_add(t, again, 5, &ten), 0);
	CHECK_EQ(calltree_add(t, once, 4, &five), 0);
	folded = calltree_fold(t);
	CHECK_EQ(calltree_node(folded, 0)->cost[COST_CALLS], 15);
	main_call = call_named(folded, 0, "main");
	walk = call_named(folded, main_call, "walk");
	visit = call_named(folded, walk, "visit");
	CHECK_EQ(calltree_node(folded, walk)->cost[COST_CALLS], 15);
	CHECK_EQ(calltree_node(folded, visit)->cost[COST_CALLS], 5);
	CHECK_EQ(calltree_node(folded, visit)->cost[COST_BYTES], 7);
	CHECK_EQ(call_named(folded, visit, "walk"), 0);
	CHECK_EQ(calltree_node(folded, call_named(folded, walk, "grow"))->cost[COST_CALLS], 10);
	CHECK_EQ(calltree_node(folded, call_named(folded, visit, "note"))->cost[COST_CALLS], 5);
	for (unsigned c = 0; c < COSTS; c++)
		CHECK_EQ(calltree_matching(folded, "grow", c), calltree_matching(t, "grow", c));
	calltree_unref(folded);
	calltree_unref(t);
}

static double top_of(const struct draw_result *out, uint64_t id)
{
	for (unsigned i = 0; i < out->nhits; i++)
		if (out->hit[i].kind == HIT_CALL && out->hit[i].id == id)
			return out->hit[i].y;
	return -1;
}

static void an_inverted_flame_graph_hangs_from_the_top(void)
{
	static struct draw_result out;
	struct viewport vp = {.width = 1000, .height = 500, .out = &out};
	uint32_t child = calltree_node(model->calls, 0)->child;

	cairo_surface_destroy(picture(view_find("flame"), &vp, false));
	CHECK(top_of(&out, child) < top_of(&out, 0));
	vp.calls = model->callers;
	vp.inverted = true;
	child = calltree_node(model->callers, 0)->child;
	cairo_surface_destroy(picture(view_find("flame"), &vp, false));
	CHECK(top_of(&out, 0) >= 0 && top_of(&out, 0) < 100);
	CHECK(top_of(&out, child) > top_of(&out, 0));
}

static void marks_stand_on_the_timeline(void)
{
	static struct draw_result out;
	struct viewport vp = {.width = 1000, .height = 300, .out = &out};
	unsigned seen = 0;
	uint64_t id;
	char text[200];

	model->mark = calloc(2, sizeof(*model->mark));
	model->mark[0] = (struct mark_row){100000, 5000000, "loading"};
	model->mark[1] = (struct mark_row){900000, 9000000, "working"};
	model->nmarks = 2;
	cairo_surface_destroy(picture(view_find("timeline"), &vp, false));
	for (unsigned i = 0; i < out.nhits; i++) {
		const struct hit *h = &out.hit[i];

		if (h->kind != HIT_MARK)
			continue;
		seen++;
		CHECK(hit_find(&out, h->x + 1, h->y + 5, &id) == h);
		CHECK(hit_describe(model, HIT_MARK, id, text, sizeof(text)));
		CHECK(strstr(text, id ? "working" : "loading") != NULL);
		CHECK(strstr(text, id ? "900,000" : "100,000") != NULL);
	}
	CHECK_EQ(seen, 2);
	CHECK(!hit_describe(model, HIT_MARK, 2, text, sizeof(text)));
}

static void positions_are_understood(void)
{
	struct position p;

	CHECK(position_parse("#123", &p) && p.kind == POSITION_EVENT && p.value == 123);
	CHECK(position_parse("77", &p) && p.kind == POSITION_EVENT && p.value == 77);
	CHECK(position_parse("3.2s", &p) && p.kind == POSITION_TIME && p.value == 3200000000ull);
	CHECK(position_parse("250 ms", &p) && p.kind == POSITION_TIME && p.value == 250000000);
	CHECK(position_parse("pfn:1a2b", &p) && p.kind == POSITION_PFN && p.value == 0x1a2b);
	CHECK(position_parse("0xC0101000", &p) && p.kind == POSITION_ADDRESS &&
	      p.value == 0xc0101000);
	CHECK(position_parse(" end", &p) && p.kind == POSITION_END);
	CHECK(!position_parse("", &p));
	CHECK(!position_parse("#", &p));
	CHECK(!position_parse("12 parsecs", &p));
	CHECK(!position_parse("-5s", &p));
}

static void figures_read_well(void)
{
	CHECK_STR(fmt_count(0).s, "0");
	CHECK_STR(fmt_count(1234567).s, "1,234,567");
	CHECK_STR(fmt_count(UINT64_MAX).s, "18,446,744,073,709,551,615");
	CHECK_STR(fmt_bytes(1023).s, "1023 B");
	CHECK_STR(fmt_bytes(4096).s, "4 KiB");
	CHECK_STR(fmt_bytes(5u << 20 | 512 << 10).s, "5.5 MiB");
	CHECK_STR(fmt_pages(1).s, "1 page · 4 KiB");
	CHECK_STR(fmt_time(3214000000).s, "3.214 s");
	CHECK_STR(fmt_time(3723000000000).s, "1:02:03");
	CHECK_STR(fmt_time(INT64_MAX).s, "2562047:47:16"); // of a damaged clock
	CHECK_STR(fmt_share(1, 8).s, "12.5 %");
}

static void a_machine_without_highmem_draws_too(void)
{
	struct view_model *full = model;
	struct machine small;

	CHECK(boot(&small, 64u << 20));
	model = model_create(&small, 0);
	CHECK(model != NULL);
	for (const struct view *view = views; view->id; view++) {
		struct viewport vp = {.width = 900, .height = 600, .zoom = MAP_ZOOM_FIT};
		cairo_surface_t *s = picture(view, &vp, false);

		keep(s, view->id, 64, false);
		CHECK(different_colours(s) > 2);
		cairo_surface_destroy(s);
	}
	model_unref(model);
	model = full;
}

// A hostile recording can hold any machine memory behind a sound configuration.
static void damaged_memory_draws_nonsense_but_draws(void)
{
	size_t first = offsetof(struct machine_state, ticket);
	struct view_model *full = model;
	struct machine small;
	uint32_t *words;
	size_t n;

	CHECK(boot(&small, 64u << 20));
	drive_slab(&small);
	words = (uint32_t *)((uint8_t *)small.s + first);
	for (unsigned round = 0; round < 30; round++) {
		// half the damage in the small structures in front, half anywhere
		for (unsigned i = 0; i < 400; i++) {
			n = ((i & 1 ? small.s->size : sizeof(*small.s)) - first) / 4;
			words[((size_t)noise() << 8 ^ noise()) % n] =
				noise() % 3 ? noise() % 5000 : noise() << 8;
		}
		model = model_create(&small, round % 8);
		CHECK(model != NULL);
		for (const struct view *view = views; view->id; view++) {
			static struct draw_result out;
			struct viewport vp = {
				.width = 640, .height = 400, .zoom = MAP_ZOOM_FIT, .out = &out};
			char text[256];

			cairo_surface_destroy(picture(view, &vp, false));
			for (unsigned i = 0; i < out.nhits; i += 7)
				hit_describe(model, out.hit[i].kind, out.hit[i].id, text,
					     sizeof(text));
		}
		model_unref(model);
	}
	model = full;
}

int main(int argc, char **argv)
{
	folder = argc > 1 ? argv[1] : NULL;
	if (!boot(&machine, 2ull << 30))
		return 1;
	drive_slab(&machine);
	drive_pages(&machine);
	drive_vmalloc(&machine);
	model = model_create(&machine, 0);
	if (!model)
		return 1;
	add_recording(model);
	add_summary(model);
	add_happened(model);
	add_calls(model);
	add_parts(model, &machine);
	RUN(call_trees_add_up);
	RUN(the_flame_graph_zooms);
	RUN(recursion_folds_into_the_first_call);
	RUN(an_inverted_flame_graph_hangs_from_the_top);
	RUN(an_event_is_told_with_its_numbers);
	RUN(every_kind_of_transition_is_explained);
	RUN(a_hostile_transition_is_told_or_left_out);
	RUN(the_model_has_the_machines_figures);
	RUN(every_used_state_is_on_the_map);
	RUN(slab_frames_and_objects_add_up);
	RUN(parked_objects_are_seen);
	RUN(vmalloc_areas_are_complete);
	RUN(colours_keep_their_distance);
	RUN(every_view_draws);
	RUN(every_step_draws_at_every_moment);
	RUN(every_kind_has_a_lesson_and_a_picture);
	RUN(boot_goes_through_its_stages);
	RUN(the_map_names_the_frame_under_the_pointer);
	RUN(the_timeline_goes_back_and_forth);
	RUN(a_lane_that_does_not_change_is_a_line);
	RUN(watermarks_stand_where_the_free_pages_come_down_to_them);
	RUN(marks_stand_on_the_timeline);
	RUN(positions_are_understood);
	RUN(figures_read_well);
	RUN(a_machine_without_highmem_draws_too);
	RUN(damaged_memory_draws_nonsense_but_draws);
	model_unref(model);
	return DONE();
}
