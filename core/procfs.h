// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What /proc would print (reference 13): exact texts from a machine.
// Each writes at most size bytes, NUL-terminated, and returns the full length (like snprintf).
#pragma once

#include "machine.h"

int proc_buddyinfo(struct machine *m, char *buf, size_t size);
int proc_zoneinfo(struct machine *m, char *buf, size_t size);
int proc_pagetypeinfo(struct machine *m, char *buf, size_t size);
int proc_slabinfo(struct machine *m, char *buf, size_t size);
int proc_vmallocinfo(struct machine *m, char *buf, size_t size);
int proc_meminfo(struct machine *m, char *buf, size_t size);
int proc_iomem(struct machine *m, char *buf, size_t size);
int proc_vmstat(struct machine *m, char *buf, size_t size);
int proc_extfrag_index(struct machine *m, char *buf, size_t size);  // debugfs extfrag/
int proc_unusable_index(struct machine *m, char *buf, size_t size); // debugfs extfrag/

// What writing "NAME LIMIT BATCHCOUNT SHAREDFACTOR" to /proc/slabinfo does. 0; -EINVAL: no such cache, or
// not three numbers; -ERANGE: not 1 <= batch <= limit <= AC_ENTRIES, or shared * batch above
// SHARED_ENTRIES, where the kernel's write succeeds and changes nothing. Stops the machine.
int slabinfo_write(struct machine *m, const char *text);

struct proc_file {
	const char *name;
	int (*print)(struct machine *m, char *buf, size_t size);
};
extern const struct proc_file proc_files[]; // ends with a NULL name
