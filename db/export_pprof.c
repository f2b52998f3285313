// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// A pprof profile: gzip over one protobuf message. A frame is a location and a function with the
// same number; module files are mappings.
#include <stdlib.h>
#include <zlib.h>

#include "db/profile.pb-c.h"
#include "export.h"

typedef Perftools__Profiles__Profile Profile;
typedef Perftools__Profiles__ValueType ValueType;
typedef Perftools__Profiles__Sample Sample;
typedef Perftools__Profiles__Mapping Mapping;
typedef Perftools__Profiles__Location Location;
typedef Perftools__Profiles__Line Line;
typedef Perftools__Profiles__Function Function;

// In the order of a sample's values; names as Go's own heap profiles have them where they mean the
// same.
static const struct {
	enum measure measure;
	const char *type, *unit;
} types[] = {
	{MEASURE_CALLS, "alloc_objects", "count"},	{MEASURE_BYTES, "alloc_space", "bytes"},
	{MEASURE_LIVE_COUNT, "inuse_objects", "count"}, {MEASURE_LIVE, "inuse_space", "bytes"},
	{MEASURE_TEMPORARY, "temporary", "count"},	{MEASURE_PEAK, "peak_space", "bytes"},
};

struct pprof {
	struct export *x;
	GHashTable *text_id; // text -> index + 1
	GPtrArray *text, *sample, *mapping;
	GHashTable *mapping_id; // index of the file's name -> id
	unsigned types;		// of them used: a window has no peak
};

static int64_t text(struct pprof *p, const char *t)
{
	gpointer at = g_hash_table_lookup(p->text_id, t);
	if (at)
		return GPOINTER_TO_INT(at) - 1;
	char *valid = g_utf8_make_valid(t, -1);
	g_ptr_array_add(p->text, valid);
	g_hash_table_insert(p->text_id, g_strdup(t), GUINT_TO_POINTER(p->text->len));
	return (int64_t)p->text->len - 1;
}

static void sample(void *ctx, const struct site_figures *f, const struct site_frame *frame,
		   unsigned n)
{
	struct pprof *p = ctx;
	Sample *s = g_new(Sample, 1);
	perftools__profiles__sample__init(s);
	s->n_location_id = n;
	s->location_id = g_new(uint64_t, n);
	for (unsigned i = 0; i < n; i++)
		s->location_id[i] = export_frame(p->x, &frame[i]);
	s->n_value = p->types;
	s->value = g_new(int64_t, p->types);
	for (unsigned i = 0; i < p->types; i++)
		s->value[i] = (int64_t)measure_of(types[i].measure, f);
	g_ptr_array_add(p->sample, s);
}

static void sample_free(gpointer p)
{
	Sample *s = p;
	g_free(s->location_id);
	g_free(s->value);
	g_free(s);
}

static uint64_t mapping(struct pprof *p, const char *module)
{
	int64_t name = text(p, module);
	gpointer id = g_hash_table_lookup(p->mapping_id, GINT_TO_POINTER(name));
	if (id || !name)
		return GPOINTER_TO_UINT(id);
	Mapping *m = g_new(Mapping, 1);
	perftools__profiles__mapping__init(m);
	m->id = p->mapping->len + 1;
	m->filename = name;
	m->has_functions = m->has_filenames = m->has_line_numbers = true;
	g_ptr_array_add(p->mapping, m);
	g_hash_table_insert(p->mapping_id, GINT_TO_POINTER(name), GUINT_TO_POINTER(m->id));
	return m->id;
}

// One block of each kind per frame, beside the pointers protobuf-c wants.
struct places {
	Location *location, **locations;
	Line *line, **lines;
	Function *function, **functions;
};

static void places_init(struct places *l, struct pprof *p, Profile *out)
{
	guint n = p->x->frame ? p->x->frame->len : 0;
	*l = (struct places){g_new(Location, n), g_new(Location *, n), g_new(Line, n),
			     g_new(Line *, n),	 g_new(Function, n),   g_new(Function *, n)};
	for (guint i = 0; i < n; i++) {
		const struct site_frame *f = p->x->frame->pdata[i];
		perftools__profiles__function__init(l->functions[i] = &l->function[i]);
		l->function[i].id = i + 1;
		l->function[i].name = l->function[i].system_name = text(p, f->function);
		l->function[i].filename = text(p, f->file);
		perftools__profiles__line__init(l->lines[i] = &l->line[i]);
		l->line[i].function_id = i + 1;
		l->line[i].line = f->line;
		perftools__profiles__location__init(l->locations[i] = &l->location[i]);
		l->location[i].id = i + 1;
		l->location[i].mapping_id = mapping(p, f->module);
		l->location[i].n_line = 1;
		l->location[i].line = &l->lines[i];
	}
	out->n_location = out->n_function = n;
	out->location = l->locations;
	out->function = l->functions;
}

static void places_free(struct places *l)
{
	g_free(l->location);
	g_free(l->locations);
	g_free(l->line);
	g_free(l->lines);
	g_free(l->function);
	g_free(l->functions);
}

// The message is small (one sample a stack), so it is packed and compressed in one piece.
static int deliver(struct export *x, const Profile *profile)
{
	size_t size = perftools__profiles__profile__get_packed_size(profile);
	g_autofree uint8_t *packed = g_malloc(size ? size : 1);
	perftools__profiles__profile__pack(profile, packed);
	uLong bound = compressBound((uLong)size) + 32;
	g_autofree uint8_t *zipped = g_malloc(bound);
	z_stream z = {.next_in = packed,
		      .avail_in = (uInt)size,
		      .next_out = zipped,
		      .avail_out = (uInt)bound};
	if (size > UINT32_MAX / 2 ||
	    deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY)) {
		cli_error("the profile is too large");
		return EXIT_FAILURE;
	}
	int rc = deflate(&z, Z_FINISH);
	fwrite(zipped, 1, z.total_out, x->out);
	deflateEnd(&z);
	return rc == Z_STREAM_END ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int write_profile(struct pprof *p)
{
	Profile out = PERFTOOLS__PROFILES__PROFILE__INIT;
	ValueType type[G_N_ELEMENTS(types)], *type_list[G_N_ELEMENTS(types)];
	struct places places;
	for (unsigned i = 0; i < p->types; i++) {
		perftools__profiles__value_type__init(type_list[i] = &type[i]);
		type[i].type = text(p, types[i].type);
		type[i].unit = text(p, types[i].unit);
		if (types[i].measure == p->x->measure)
			out.default_sample_type = type[i].type;
	}
	export_stacks(p->x, sample, p);
	places_init(&places, p, &out);
	out.n_sample_type = p->types;
	out.sample_type = type_list;
	out.n_sample = p->sample->len;
	out.sample = (Sample **)p->sample->pdata;
	out.n_mapping = p->mapping->len;
	out.mapping = (Mapping **)p->mapping->pdata;
	out.n_string_table = p->text->len;
	out.string_table = (char **)p->text->pdata;
	out.time_nanos = atoll(recording_meta(p->x->rp.r, "start"));
	out.duration_nanos = (int64_t)recording_duration_ns(p->x->rp.r);
	int status = deliver(p->x, &out);
	places_free(&places);
	return status;
}

int export_pprof(struct export *x)
{
	struct pprof p = {x,
			  g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
			  g_ptr_array_new_with_free_func(g_free),
			  g_ptr_array_new_with_free_func(sample_free),
			  g_ptr_array_new_with_free_func(g_free),
			  g_hash_table_new(NULL, NULL),
			  G_N_ELEMENTS(types) - x->rp.window};
	text(&p, "");
	int status = write_profile(&p);
	g_hash_table_unref(p.text_id);
	g_hash_table_unref(p.mapping_id);
	g_ptr_array_unref(p.text);
	g_ptr_array_unref(p.sample);
	g_ptr_array_unref(p.mapping);
	return status;
}
