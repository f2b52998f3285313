// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// kalloscope render: has the viewer's drawing program make a picture, without a display.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli.h"

// The moment as an event number, which is all the drawing program knows of.
static char *moment(const char *text, const char *path)
{
	struct cli_at at;
	char *event = NULL;
	if (!cli_parse_at(text, &at))
		cli_usage("render", "--at %s: not an event (#123), a time (3.2s, 500ms) or end",
			  text);
	struct recording *r = cli_open(path);
	if (r && asprintf(&event, "%llu", (unsigned long long)cli_at_event(r, &at)) < 0)
		event = NULL;
	recording_close(r);
	return event;
}

int cmd_render(int argc, char **argv)
{
	char *args[16];
	const char *at = "end", *output = NULL;
	int n = 1;
	struct cli c;
	cli_init(&c, "render", argc, argv);
	for (int id; (id = cli_next(&c)) != -1 && n < 10;) {
		if (id == 'a') {
			at = c.value;
			continue;
		}
		if (id == 'o')
			output = c.value;
		args[n++] = id == 'V'	? "--view"
			    : id == 'p' ? "--process"
			    : id == 's' ? "--size"
					: "-o";
		args[n++] = (char *)c.value;
	}
	char **operand = cli_operands(&c, 1);
	if (!output)
		cli_usage("render", "no picture named: -o PNG");
	args[0] = place_helper("kalloscope-render");
	args[n++] = "--at";
	args[n++] = moment(at, operand[0]);
	if (!args[n - 1])
		return EXIT_FAILURE;
	args[n++] = operand[0];
	args[n] = NULL;
	if (!args[0]) {
		cli_error("the drawing program is not installed (it was built without cairo)");
		return EXIT_FAILURE;
	}
	execv(args[0], args);
	cli_error("cannot start %s: %m", args[0]);
	return EXIT_FAILURE;
}
