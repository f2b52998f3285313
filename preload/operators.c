// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// operator new and delete of C++, in C under their mangled names.
//
// They are entries of their own so that a record's stack begins at the program's call. Only success
// is ours: a failed new goes on to the C++ library's, which knows new handlers and how to throw.
#include <dlfcn.h>
#include <stdint.h>

#include "entry.h"
#include "family.h"

#define EXPORT __attribute__((visibility("default")))

enum new_form {
	NEW_PLAIN,
	NEW_ALIGNED,
	NEW_NOTHROW,
	NEW_ALIGNED_NOTHROW
};

__attribute__((noinline, cold)) static void *new_failed(const char *name, enum new_form form,
							size_t n, size_t align, const void *tag)
{
	void *next = dlsym(RTLD_NEXT, name);

	if (!next)
		return NULL;
	switch (form) {
	case NEW_PLAIN:
		return ((void *(*)(size_t))(uintptr_t)next)(n);
	case NEW_ALIGNED:
		return ((void *(*)(size_t, size_t))(uintptr_t)next)(n, align);
	case NEW_NOTHROW:
		return ((void *(*)(size_t, const void *))(uintptr_t)next)(n, tag);
	default:
		return ((void *(*)(size_t, size_t, const void *))(uintptr_t)next)(n, align, tag);
	}
}

#define NEW(name, form, args, align, tag)                                                          \
	EXPORT void *name args;                                                                    \
	EXPORT void *name args                                                                     \
	{                                                                                          \
		void *p = family_alloc(n, align, ENTRY_FRAME);                                     \
		return likely(p != NULL) ? p : new_failed(#name, form, n, align, tag);             \
	}

NEW(_Znwm, NEW_PLAIN, (size_t n), 0, NULL)
NEW(_Znam, NEW_PLAIN, (size_t n), 0, NULL)
NEW(_ZnwmSt11align_val_t, NEW_ALIGNED, (size_t n, size_t a), a, NULL)
NEW(_ZnamSt11align_val_t, NEW_ALIGNED, (size_t n, size_t a), a, NULL)
NEW(_ZnwmRKSt9nothrow_t, NEW_NOTHROW, (size_t n, const void *tag), 0, tag)
NEW(_ZnamRKSt9nothrow_t, NEW_NOTHROW, (size_t n, const void *tag), 0, tag)
NEW(_ZnwmSt11align_val_tRKSt9nothrow_t, NEW_ALIGNED_NOTHROW, (size_t n, size_t a, const void *tag),
    a, tag)
NEW(_ZnamSt11align_val_tRKSt9nothrow_t, NEW_ALIGNED_NOTHROW, (size_t n, size_t a, const void *tag),
    a, tag)

// What else delete is told (size, alignment, a tag) it needs not know.
#define DELETE(name, args)                                                                         \
	EXPORT void name args;                                                                     \
	EXPORT void name args                                                                      \
	{                                                                                          \
		family_free(p, ENTRY_FRAME);                                                       \
	}

// clang-format off
#define UNUSED __attribute__((unused))
DELETE(_ZdlPv, (void *p))
DELETE(_ZdaPv, (void *p))
DELETE(_ZdlPvm, (void *p, UNUSED size_t n))
DELETE(_ZdaPvm, (void *p, UNUSED size_t n))
DELETE(_ZdlPvSt11align_val_t, (void *p, UNUSED size_t a))
DELETE(_ZdaPvSt11align_val_t, (void *p, UNUSED size_t a))
DELETE(_ZdlPvmSt11align_val_t, (void *p, UNUSED size_t n, UNUSED size_t a))
DELETE(_ZdaPvmSt11align_val_t, (void *p, UNUSED size_t n, UNUSED size_t a))
DELETE(_ZdlPvRKSt9nothrow_t, (void *p, UNUSED const void *tag))
DELETE(_ZdaPvRKSt9nothrow_t, (void *p, UNUSED const void *tag))
DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t, (void *p, UNUSED size_t a, UNUSED const void *tag))
DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t, (void *p, UNUSED size_t a, UNUSED const void *tag))
// clang-format on
