// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// session.json: what was run. Written with the session, read when its recording is made. Where the
// recording goes does not stand in it: a session folder of somebody else's must not choose a file.
#include "session_file.h"

#include <errno.h>
#include <fcntl.h>
#include <json-glib/json-glib.h>
#include <unistd.h>

enum {
	JSON_BYTES_MOST =
		16 << 20,   // a command line has 2 MiB, and escapes may be six times as long
	JSON_DEPTH_MOST = 8 // the parser calls itself for each
};

int session_json_write(const char *folder, const struct session_header *h, char *const *argv)
{
	g_autoptr(JsonBuilder) b = json_builder_new();
	g_autoptr(JsonGenerator) gen = json_generator_new();
	g_autoptr(JsonNode) root = NULL;
	g_autofree char *path = g_build_filename(folder, "session.json", NULL);

	json_builder_begin_object(b);
	json_builder_set_member_name(b, "version");
	json_builder_add_int_value(b, SESSION_VERSION);
	json_builder_set_member_name(b, "start_ns");
	json_builder_add_int_value(b, (gint64)h->realtime0_ns);
	json_builder_set_member_name(b, "argv");
	json_builder_begin_array(b);
	for (char *const *a = argv; a && *a; a++) {
		g_autofree char *valid = g_utf8_make_valid(*a, -1);
		json_builder_add_string_value(b, valid);
	}
	json_builder_end_array(b);
	json_builder_end_object(b);
	root = json_builder_get_root(b);
	json_generator_set_root(gen, root);
	json_generator_set_pretty(gen, TRUE);
	return json_generator_to_file(gen, path, NULL) ? 0 : -EIO;
}

static int read_all(const char *folder, GString *text)
{
	int fd = session_file(folder, "session.json", O_RDONLY);
	char piece[16384];
	ssize_t n = 0;

	if (fd < 0)
		return fd;
	while (text->len <= JSON_BYTES_MOST && (n = read(fd, piece, sizeof(piece))) > 0)
		g_string_append_len(text, piece, n);
	close(fd);
	return n < 0 ? -EIO : n ? -EFBIG : 0;
}

static bool shallow(const GString *text)
{
	unsigned depth = 0;
	bool quoted = false;

	for (gsize i = 0; i < text->len; i++) {
		char c = text->str[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '{' || c == '['))
			depth++;
		else if (!quoted && (c == '}' || c == ']') && depth)
			depth--;
		if (depth > JSON_DEPTH_MOST)
			return false;
	}
	return true;
}

// The array of this name; NULL when the text is something else.
static JsonArray *array_of(JsonParser *parser, const GString *text, const char *name)
{
	JsonNode *root, *node;

	if (!shallow(text) ||
	    !json_parser_load_from_data(parser, text->str, (gssize)text->len, NULL))
		return NULL;
	root = json_parser_get_root(parser);
	if (!root || !JSON_NODE_HOLDS_OBJECT(root))
		return NULL;
	node = json_object_get_member(json_node_get_object(root), name);
	return node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
}

char *session_json_argv(const char *folder, char *err)
{
	g_autoptr(JsonParser) parser = json_parser_new();
	g_autoptr(GString) text = g_string_new(NULL);
	GString *argv;
	int error = read_all(folder, text);
	JsonArray *list = error ? NULL : array_of(parser, text, "argv");

	if (error == -ENOENT) {
		sentence(err, error, "%s is no session folder: it has no session.json", folder);
		return NULL;
	}
	if (!list) {
		sentence(err, -EILSEQ, "%s/session.json is damaged", folder);
		return NULL;
	}
	argv = g_string_new(NULL);
	for (guint i = 0; i < json_array_get_length(list); i++) {
		JsonNode *word = json_array_get_element(list, i);

		if (JSON_NODE_HOLDS_VALUE(word) && json_node_get_string(word))
			g_string_append_printf(argv, "%s%s", i ? "\n" : "",
					       json_node_get_string(word));
	}
	return g_string_free(argv, FALSE);
}
