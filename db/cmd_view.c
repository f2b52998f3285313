// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// kalloscope view: opens a recording in the viewer, after checking that it is one.
#include <stdlib.h>
#include <unistd.h>

#include "cli.h"

int cmd_view(int argc, char **argv)
{
	struct cli c;
	cli_init(&c, "view", argc, argv);
	while (cli_next(&c) != -1)
		;
	char **operand = cli_operands(&c, 1);
	struct recording *r = cli_open(operand[0]);
	if (!r)
		return EXIT_USAGE;
	recording_close(r);
	char *viewer = place_helper("kalloscope-viewer");
	if (!viewer) {
		cli_error("the viewer is not installed (it was built without GTK 4)");
		return EXIT_FAILURE;
	}
	execl(viewer, viewer, operand[0], (char *)NULL);
	cli_error("cannot start %s: %m", viewer);
	return EXIT_FAILURE;
}
