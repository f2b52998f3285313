// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// kalloscope render: has the viewer's drawing program make a picture, without a display.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli.h"

enum {
	MAX_WORDS = 64
};

// The option just read in the form the drawing program takes. false: no room for more.
static bool pass_on(const struct cli *c, int id, char **word, int *n)
{
	const struct cli_option *o = c->cmd->options;
	while (o->id != id)
		o++;
	if (*n > MAX_WORDS - 4 || asprintf(&word[*n], "--%s", o->name) < 0)
		return false;
	++*n;
	if (o->value)
		word[(*n)++] = (char *)c->value;
	return true;
}

static bool readable(const char *path)
{
	struct recording *r = cli_open(path);
	recording_close(r);
	return r;
}

int cmd_render(int argc, char **argv)
{
	char *word[MAX_WORDS] = {NULL, "--view", "map"};
	int n = 3;
	bool output = false;
	struct cli_at at;
	struct cli c;
	cli_init(&c, "render", argc, argv);
	for (int id; (id = cli_next(&c)) != -1;) {
		if (id == 'a' && !cli_parse_at(c.value, &at))
			cli_usage("render",
				  "--at %s: not an event (#123), a time (3.2s, 500ms) or end",
				  c.value);
		output |= id == 'o';
		if (!pass_on(&c, id, word, &n))
			cli_usage("render", "too many options");
	}
	char **operand = cli_operands(&c, 1);
	if (!output)
		cli_usage("render", "no picture named: -o PNG");
	if (!readable(operand[0]))
		return EXIT_FAILURE;
	word[n++] = operand[0];
	word[0] = place_helper("kalloscope-render");
	if (!word[0]) {
		cli_error("the drawing program is not installed (it was built without cairo)");
		return EXIT_FAILURE;
	}
	execv(word[0], word);
	cli_error("cannot start %s: %m", word[0]);
	return EXIT_FAILURE;
}
