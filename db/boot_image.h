// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The booted machine as a file (core/session.h): made once, mapped by every process that would
// otherwise boot the same machine itself, which takes longer than many programs run.
#pragma once

#include "../core/machine.h"

struct booted {
	char *memory;
	size_t size; // whole pages
	int fd;	     // what the memory is a shared mapping of; -1: of nothing
};

// 0, or a sentence in err (recorder.h): such a machine cannot be built.
int boot_machine(const struct machine_config *cfg, struct booted *b, char *err);
void booted_free(struct booted *b);
// Where an image cannot be written there is none, and the processes boot.
void boot_image_file(const struct booted *b, const char *path);
int boot_image_memory(
	struct booted *b); // the same memory, sealed; exec leaves it open. -1: no image
