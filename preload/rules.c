// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The table of rules: open addressing over two words a slot, no locks.
//
//   key    ip << 16 | generation     0: free;  BUSY: being written
//   value  rule, packed
//
// A slot of an older generation counts as free. A reader takes the value between two loads of an
// unchanged key, so a slot that is replaced under its hands is a miss, not a wrong rule.
#include "unwind.h"

#include <string.h>

enum {
	RULE_SLOTS = 1 << 16,
	RULE_PROBES = 8
};
#define RULE_BUSY 1ull

struct rule_slot {
	_Atomic uint64_t key;
	_Atomic uint64_t value;
};

static struct rule_slot rules[RULE_SLOTS];
_Atomic uint32_t rules_flushed = 1;

_Static_assert(sizeof(struct rule) == sizeof(uint64_t), "a rule is one word");

void rules_flush(void)
{
	atomic_fetch_add(&rules_flushed, 1);
}

static inline uint64_t rule_key(uintptr_t ip)
{
	return (uint64_t)ip << 16 | (uint16_t)rules_generation();
}

static inline struct rule_slot *rule_slot(uintptr_t ip, unsigned probe)
{
	uint64_t h = (uint64_t)ip * 0x9E3779B97F4A7C15ull >> 48;

	return &rules[(h + probe) & (RULE_SLOTS - 1)];
}

static void rule_store(uintptr_t ip, struct rule rule)
{
	uint64_t key = rule_key(ip), value;

	memcpy(&value, &rule, sizeof(value));
	for (unsigned i = 0; i < RULE_PROBES; i++) {
		struct rule_slot *s = rule_slot(ip, i);
		uint64_t old = atomic_load_explicit(&s->key, memory_order_relaxed);

		// Slots of this generation stay, unless the neighbourhood is full of them.
		if (old == RULE_BUSY ||
		    ((uint16_t)old == (uint16_t)key && old && i + 1 < RULE_PROBES))
			continue;
		if (!atomic_compare_exchange_strong(&s->key, &old, RULE_BUSY))
			continue;
		atomic_store_explicit(&s->value, value, memory_order_release);
		atomic_store_explicit(&s->key, key, memory_order_release);
		return;
	}
}

struct rule rule_find(uintptr_t ip)
{
	uint64_t key = rule_key(ip), value;
	struct rule rule;

	for (unsigned i = 0; i < RULE_PROBES; i++) {
		struct rule_slot *s = rule_slot(ip, i);
		uint64_t found = atomic_load_explicit(&s->key, memory_order_acquire);

		if (found == key) {
			value = atomic_load_explicit(&s->value, memory_order_acquire);
			if (atomic_load_explicit(&s->key, memory_order_relaxed) != key)
				break;
			memcpy(&rule, &value, sizeof(rule));
			return rule;
		}
		if (!found)
			break;
	}
	rule = unwind_learn(ip);
	if (rule.kind != RULE_UNKNOWN)
		rule_store(ip, rule);
	return rule;
}
