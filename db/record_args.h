// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What `record` and the recorder of a bare preload share: options of the environment, names.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "recorder.h"

enum {
	MAX_ARGS = 128
};

struct args {
	int n;
	char *v[MAX_ARGS];
};

void args_add(struct args *a, char *arg); // more than MAX_ARGS - 1: a message and exit 2
// The words of KALLOSCOPE_OPTIONS.
void args_add_environment(struct args *a);
// All words as options, into o. -EINVAL with a sentence in err (ERR_LEN), also of a word that is none.
int args_parse(const struct args *a, struct record_options *o, char *err);
// Options of `command` before "--" go into a as words of the form --name=value; one that own knows
// does not. The program and its arguments; anything wrong ends in a message and exit 2.
char **args_split(struct args *a, const char *command, int argc, char **argv,
		  bool (*own)(void *ctx, int id), void *ctx);
// Absolute path of the recording: `output`, or PROGRAM.PID.kalloscope in the current folder when it
// is NULL. path becomes "" when it would be too long.
void output_path(const char *output, const char *argv0, int pid, char *path, size_t size);
