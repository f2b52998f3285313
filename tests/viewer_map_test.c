// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The memory map's colours and what it points out, and the free lists behind them, against a machine
// driven in this process: every frame is looked at, once as the map sees it, once as the machine does.
#include <sys/mman.h>

#include "harness.h"
#include "core/buddy.h"
#include "core/event.h"
#include "viewer/draw/map_cells.h"

static struct machine machine;
static struct view_model *model;
static struct map_cells cells;
static uint8_t *cell;

static bool boot(void)
{
	struct machine_config cfg;
	const char *why = "";
	void *memory;

	machine_config_default(&cfg, MODEL_CLASSIC, 2ull << 30, 2);
	memory = mmap(NULL, machine_size(&cfg), PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return memory != MAP_FAILED && !machine_boot(&machine, memory, &cfg, &why);
}

// Objects of several caches, blocks of several orders with holes between them, areas.
static void drive(void)
{
	for (unsigned i = 0; i < 4000; i++)
		kmalloc(&machine, 32u << i % 7, GFP_KERNEL);
	for (unsigned i = 0; i < 600; i++) {
		pfn_t a = alloc_pages(&machine, i & 8 ? GFP_HIGHUSER : GFP_KERNEL, i % 4);
		pfn_t b = alloc_pages(&machine, GFP_KERNEL | __GFP_COMP, 1 + i % 3);

		if (i % 3 && a)
			__free_pages(&machine, a, i % 4);
		if (i % 5 == 0 && b)
			__free_pages(&machine, b, 1 + i % 3);
	}
	for (unsigned i = 0; i < 40; i++)
		vmalloc(&machine, 4096 * (1 + i % 9));
}

static void look(const struct viewport *vp)
{
	map_cells_begin(&cells, model, vp, palette_get(false));
	map_cells_row(&cells, 0, model->max_pfn, cell);
}

static unsigned plain(pfn_t pfn)
{
	return cell[pfn] % MAP_CATEGORIES;
}

static bool is_pointed(pfn_t pfn)
{
	return cell[pfn] >= MAP_CATEGORIES;
}

static void a_single_frame_survives_the_mip(void)
{
	uint8_t state[64];
	uint32_t pixel[64], sole, lone;

	look(&(struct viewport){0});
	memset(state, PS_FREE, sizeof(state));
	map_convert(state, 64, 8, cells.table, pixel);
	sole = pixel[3];
	state[29] = PS_KMAP;
	map_convert(state, 64, 8, cells.table, pixel);
	lone = pixel[3];
	CHECK(lone != sole);
	CHECK_EQ(pixel[2], sole);
	CHECK_EQ(pixel[4], sole);
	map_convert(state, 64, 1, cells.table, pixel);
	CHECK_EQ(pixel[29], lone);
}

// Legends count what the colours show, frame by frame.
static void legends_count_every_frame(void)
{
	for (unsigned by = 0; by < MAP_COLOURS; by++) {
		uint32_t count[MAP_CATEGORIES] = {0};
		uint64_t all = 0;

		look(&(struct viewport){.colour = by});
		for (unsigned z = 0; z < model->nzones; z++)
			for (pfn_t pfn = model->zone[z].start; pfn < model->zone[z].end; pfn++)
				count[plain(pfn)]++;
		for (unsigned i = 0; i < MAP_CATEGORIES; i++) {
			CHECK_EQ(count[i], cells.count[i]);
			CHECK(!count[i] || i < cells.n);
			all += count[i];
		}
		CHECK(all > 100000);
	}
}

static void ages_and_sites_need_holders(void)
{
	look(&(struct viewport){.colour = MAP_BY_AGE});
	CHECK_EQ(cells.by, MAP_BY_STATE);
	look(&(struct viewport){.colour = MAP_BY_SITE});
	CHECK_EQ(cells.by, MAP_BY_STATE);
}

// The type of a free frame is that of the list its block is on.
static void types_are_those_of_the_lists(void)
{
	unsigned seen = 0;

	for (unsigned z = 0; z < MAX_NR_ZONES; z++)
		for (unsigned o = 0; o < MAX_ORDER; o++)
			for (unsigned mt = 0; mt < MIGRATE_TYPES; mt++) {
				pfn_t pfn = machine.s->zone[z].free_area[o].free_list[mt].first;

				for (; pfn; pfn = machine.mem_map[pfn].lru.next) {
					CHECK_EQ(model->type[pfn], mt);
					CHECK_EQ(model->type[pfn + (1u << o) - 1], mt);
					CHECK_EQ(model->owner[pfn], o);
					seen++;
				}
			}
	CHECK(seen > 100);
	for (pfn_t pfn = 0; pfn < model->max_pfn; pfn += 37)
		if (model->state[pfn] == PS_SLAB)
			CHECK_EQ(model->type[pfn], get_pageblock_migratetype(&machine, pfn));
}

static void every_free_list_is_pointed_out_whole(void)
{
	unsigned lists = 0;

	for (unsigned z = 0; z < model->nzones; z++)
		for (unsigned o = 0; o < MAX_ORDER; o++)
			for (unsigned mt = 0; mt < MIGRATE_TYPES; mt++) {
				uint64_t n = (uint64_t)model->zone[z].blocks[o][mt] << o, seen = 0;

				if (!n)
					continue;
				look(&(struct viewport){
					.focus = {FOCUS_FREE_LIST, z << 16 | o << 8 | mt}});
				for (pfn_t pfn = 0; pfn < model->max_pfn; pfn++)
					seen += is_pointed(pfn);
				CHECK_EQ(seen, n);
				lists++;
			}
	CHECK(lists > 10);
}

static void a_free_list_comes_in_its_order(void)
{
	unsigned at = model->nzones - 1, lists = 0;

	for (unsigned o = 0; o < MAX_ORDER; o++)
		for (unsigned mt = 0; mt < MIGRATE_TYPES; mt++) {
			struct view_model *v = model_create(&machine, 0);
			const struct zone *z = &machine.s->zone[ZONE_HIGHMEM];
			pfn_t pfn = z->free_area[o].free_list[mt].first;

			CHECK(v != NULL);
			model_free_list(v, &machine, at << 16 | o << 8 | mt);
			CHECK(v->has_list);
			CHECK_EQ(v->nfree + v->free_left_out, v->zone[at].blocks[o][mt]);
			for (unsigned i = 0; i < v->nfree; i++) {
				CHECK_EQ(v->free_block[i], pfn);
				pfn = machine.mem_map[pfn].lru.next;
			}
			CHECK_EQ(pfn, 0);
			lists += v->nfree > 0;
			model_unref(v);
		}
	CHECK(lists > 3);
}

static void a_list_of_no_zone_is_none(void)
{
	struct view_model *v = model_create(&machine, 0);

	CHECK(v != NULL);
	model_free_list(v, &machine, 77u << 16);
	CHECK(!v->has_list && !v->nfree);
	model_free_list(v, &machine, 0xffu << 8);
	CHECK(!v->has_list && !v->nfree);
	model_unref(v);
}

// Block by block: all its frames are pointed out, and no other.
static void blocks_are_pointed_out_whole(void)
{
	unsigned compound = 0, areas = 0;

	for (pfn_t pfn = 1; pfn < model->max_pfn && (compound < 30 || areas < 10); pfn++) {
		uint64_t seen = 0, expected = 0;

		if (model->state[pfn] == PS_PAGES && model->owner[pfn])
			expected = 1u << model->owner[pfn], compound++;
		for (unsigned i = 0; model->state[pfn] == PS_VMALLOC && i < model->nareas; i++)
			if (model->area[i].start == model->owner[pfn])
				expected = model->area[i].pages, areas++;
		if (!expected || (compound > 30 && model->state[pfn] == PS_PAGES))
			continue;
		look(&(struct viewport){.focus = {FOCUS_BLOCK, pfn}});
		for (pfn_t other = 0; other < model->max_pfn; other++)
			seen += is_pointed(other);
		CHECK_EQ(seen, expected);
		CHECK(is_pointed(pfn));
	}
	CHECK(compound > 5);
	CHECK(areas > 5);
}

static void a_cache_is_pointed_out_by_its_slabs(void)
{
	for (unsigned i = 0; i < model->ncaches && i < 12; i++) {
		const struct model_cache *c = &model->cache[i];
		uint64_t seen = 0;

		look(&(struct viewport){.focus = {FOCUS_CACHE, c->id}, .colour = MAP_BY_CACHE});
		for (pfn_t pfn = 0; pfn < model->max_pfn; pfn++)
			seen += is_pointed(pfn);
		CHECK_EQ(seen, (uint64_t)c->slabs << c->order);
	}
}

// The youngest block decides, what lies on no frame is left out.
static void ages_and_sites_are_the_holders(void)
{
	struct holder_site sites[3] = {{.function = ""}, {"often", 2}, {"once", 1}};
	struct holders h = {.max_pfn = model->max_pfn, .nsites = 2, .sites = sites};
	struct viewport vp = {.colour = MAP_BY_AGE, .holders = &h};
	pfn_t used[3], n = 0;
	char text[256] = "";

	h.born = calloc(model->max_pfn, sizeof(*h.born));
	h.site = calloc(model->max_pfn, sizeof(*h.site));
	for (pfn_t pfn = 0; n < 3; pfn++)
		if (model->state[pfn] == PS_SLAB)
			used[n++] = pfn;
	model->event = 1000000;
	for (unsigned i = 0; i < 3; i++) {
		h.born[used[i]] = 1000000 - (i == 0 ? 5 : i == 1 ? 5000 : 900000);
		h.site[used[i]] = i == 2 ? 2 : 1;
	}
	look(&vp);
	CHECK(plain(used[0]) > plain(used[1]));
	CHECK(plain(used[1]) > plain(used[2]));
	vp.colour = MAP_BY_SITE;
	vp.focus = (struct map_focus){FOCUS_SITE, used[0]};
	look(&vp);
	CHECK_EQ(plain(used[0]), plain(used[1]));
	CHECK(plain(used[0]) != plain(used[2]));
	CHECK(is_pointed(used[0]) && is_pointed(used[1]) && !is_pointed(used[2]));
	map_describe(model, &vp, used[2], text, sizeof(text));
	CHECK(strstr(text, "100,000") && strstr(text, "once"));
	free(h.born);
	free(h.site);
}

static bool same_pages(const struct view_model *a, const struct view_model *b)
{
	return a->max_pfn == b->max_pfn && !memcmp(a->state, b->state, a->max_pfn) &&
	       !memcmp(a->owner, b->owner, a->max_pfn * sizeof(*a->owner)) &&
	       !memcmp(a->type, b->type, a->max_pfn);
}

static cairo_surface_t *map_of(const struct view_model *v, enum map_colour colour)
{
	struct viewport vp = {
		.width = 400, .height = 300, .zoom = MAP_ZOOM_FIT, .bare = true, .colour = colour};
	cairo_surface_t *s = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, 400, 300);
	cairo_t *cr = cairo_create(s);

	draw_map(cr, v, &vp, palette_get(false));
	cairo_destroy(cr);
	cairo_surface_flush(s);
	return s;
}

static bool same_map(const struct view_model *a, const struct view_model *b, enum map_colour colour)
{
	cairo_surface_t *x = map_of(a, colour), *y = map_of(b, colour);
	bool same = !memcmp(cairo_image_surface_get_data(x), cairo_image_surface_get_data(y),
			    400 * 300 * 4);

	cairo_surface_destroy(x);
	cairo_surface_destroy(y);
	return same;
}

// What a model shares with the one before it is what it would have read; maps that are said to be the
// same are, in all colours that need nothing else.
static void models_share_the_pages_that_stay(void)
{
	struct view_model *last = model_create(&machine, 0);
	unsigned shared = 0, same = 0;
	pfn_t held = 0;

	CHECK(last != NULL);
	for (unsigned i = 0; i < 60; i++) {
		struct view_model *v, *plain;

		switch (i % 10) {
		case 3:
			held = alloc_pages(&machine, GFP_KERNEL, i / 10 % 3);
			break;
		case 5:
			__free_pages(&machine, held, i / 10 % 3);
			break;
		case 7:
			vmalloc(&machine, 8192);
			break;
		default:
			kmalloc(&machine, 100, GFP_KERNEL);
		}
		v = model_create_after(&machine, 0, last);
		plain = model_create(&machine, 0);
		CHECK(v && plain && same_pages(v, plain));
		CHECK(!memcmp(v->zone, plain->zone, sizeof(v->zone)));
		CHECK_EQ(v->pages == last->pages, same_pages(v, last));
		shared += v->pages == last->pages;
		if (map_same(v, last)) {
			same++;
			CHECK(same_map(plain, last, i & 1 ? MAP_BY_ORDER : MAP_BY_CACHE));
			CHECK(same_map(plain, last, i & 1 ? MAP_BY_STATE : MAP_BY_TYPE));
		}
		model_unref(plain);
		model_unref(last);
		last = v;
	}
	model_unref(last);
	CHECK(shared > 30 && shared < 50);
	CHECK(same > 30);
}

int main(void)
{
	if (!boot()) {
		printf("Bail out! no machine\n");
		return 1;
	}
	drive();
	model = model_create(&machine, 0);
	cell = model ? malloc(model->max_pfn + 1) : NULL;
	if (!cell)
		return 1;
	RUN(a_single_frame_survives_the_mip);
	RUN(legends_count_every_frame);
	RUN(ages_and_sites_need_holders);
	RUN(types_are_those_of_the_lists);
	RUN(every_free_list_is_pointed_out_whole);
	RUN(a_free_list_comes_in_its_order);
	RUN(a_list_of_no_zone_is_none);
	RUN(blocks_are_pointed_out_whole);
	RUN(a_cache_is_pointed_out_by_its_slabs);
	RUN(ages_and_sites_are_the_holders);
	RUN(models_share_the_pages_that_stay);
	free(cell);
	model_unref(model);
	return DONE();
}
