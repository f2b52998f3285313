// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Rings, depot, threads, modules and sessions, without the allocation side.
#include "capture_stub.h"
#include "../preload/unwind.h"

#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "harness.h"

enum {
	RECORDS = 64
};

static void start(unsigned ncpus)
{
	stub_start(ncpus, &(struct session_size){4, ncpus, RECORDS, 1024, 65536});
}

// Takes the next record of a ring as a drainer would. False: none.
static bool take(unsigned cpu, struct record *r)
{
	struct ring *ring = &process.slot->ring[cpu];

	if (atomic_load(&ring->tail) == atomic_load(&ring->head))
		return false;
	*r = session_ring(process.session, process.slot_index,
			  cpu)[ring->tail & (process.session->ring_records - 1)];
	atomic_fetch_add(&ring->tail, 1);
	return true;
}

static void put_step(unsigned cpu, uint32_t n)
{
	struct record r = {.kind = EV_AC_ALLOC, .cpu = cpu, .arg = {n}};

	capture_record(&process.cpu[cpu], &r);
}

static void test_ring_wraps(void)
{
	struct record r;

	start(2);
	for (uint32_t n = 0, got = 0; n < 10 * RECORDS; n++) {
		put_step(1, n);
		CHECK(n - got < RECORDS);
		if (n % 3 == 0)
			continue;
		while (take(1, &r))
			CHECK_EQ(r.arg[0], got++);
		CHECK_EQ(got, n + 1);
	}
	CHECK(!take(0, &r));
}

static void test_ring_full(void)
{
	struct record r;

	start(1);
	process.session->opt.wait_ms = 5;
	for (uint32_t n = 0; n < RECORDS + 10; n++)
		put_step(0, n);
	CHECK_EQ(process.slot->lost, 10);
	for (uint32_t n = 0; n < RECORDS; n++) {
		CHECK(take(0, &r));
		CHECK_EQ(r.arg[0], n);
	}
	put_step(0, 1000);
	CHECK(take(0, &r));
	CHECK_EQ(r.kind, EV_LOST);
	CHECK_EQ(r.arg[0], 10);
	CHECK(take(0, &r));
	CHECK_EQ(r.arg[0], 1000);
	CHECK(!take(0, &r));
	put_step(0, 1001);
	CHECK(take(0, &r));
	CHECK_EQ(r.arg[0], 1001);
}

static void *slow_drainer(void *arg)
{
	uint32_t *got = arg;
	struct record r;

	while (*got < 8 * RECORDS)
		if (take(0, &r))
			*got += r.kind == EV_AC_ALLOC && r.arg[0] == *got;
		else
			usleep(200);
	return NULL;
}

static void test_ring_waits(void)
{
	uint32_t got = 0;
	pthread_t t;

	start(1);
	process.session->opt.wait_ms = 5000;
	CHECK_EQ(pthread_create(&t, NULL, slow_drainer, &got), 0);
	for (uint32_t n = 0; n < 8 * RECORDS; n++)
		put_step(0, n);
	pthread_join(t, NULL);
	CHECK_EQ(process.slot->lost, 0);
}

static void test_hostile_tail(void)
{
	struct record r;

	start(1);
	process.session->opt.wait_ms = 1;
	atomic_store(&process.slot->ring[0].tail, 1ull << 60);
	for (uint32_t n = 0; n < 3; n++)
		put_step(0, n);
	CHECK_EQ(process.slot->lost, 3);
	atomic_store(&process.slot->ring[0].tail, 0);
	put_step(0, 3);
	CHECK(take(0, &r));
	CHECK_EQ(r.kind, EV_LOST);
}

static unsigned drain_ops(unsigned cpu, unsigned *times)
{
	unsigned ops = 0;
	struct record r;

	while (take(cpu, &r)) {
		ops += r.kind == EV_MALLOC;
		*times += r.kind == EV_TIME;
	}
	return ops;
}

static void put_op(unsigned cpu)
{
	struct record r = {.kind = EV_MALLOC};

	capture_op(&process.cpu[cpu], &r);
}

static void test_time(void)
{
	unsigned times = 0;
	struct record r;

	start(1);
	for (unsigned i = 0; i < 32; i++)
		put_op(0);
	CHECK_EQ(drain_ops(0, &times), 32);
	CHECK_EQ(times, 2);
	thread_self.turn = 0; // another thread
	put_op(0);
	CHECK(take(0, &r));
	CHECK_EQ(r.kind, EV_TIME);
	uint64_t now = clock_now_ns(), told = r.arg[0] | (uint64_t)r.arg[1] << 32;
	CHECK(told <= now && now - told < 1000000000ull);
	process.opt.flags = SESSION_PRECISE_TIME;
	thread_self.turn = 0;
	times = 0;
	for (unsigned i = 0; i < 8; i++)
		put_op(0);
	CHECK_EQ(drain_ops(0, &times), 9);
	CHECK_EQ(times, 8);
}

static void read_text(char *out, size_t size, unsigned *what)
{
	struct record r;
	size_t n = 0, len = 20;

	while (len == 20) {
		CHECK(take(0, &r));
		CHECK_EQ(r.kind, EV_TEXT);
		*what = r.arg[0] & 0xffff;
		len = r.arg[0] >> 16;
		CHECK(len <= 20 && n + len < size);
		memcpy(out + n, &r.arg[1], len);
		n += len;
	}
	out[n] = 0;
}

static void test_text(void)
{
	const char *texts[] = {"", "short", "exactly twenty bytes",
			       "a text of more than twenty bytes",
			       "forty bytes are two whole pieces and no.."};
	char got[64];
	unsigned what;
	struct record r;

	start(1);
	for (unsigned i = 0; i < 5; i++) {
		capture_text(&process.cpu[0], TEXT_MARK, texts[i], strlen(texts[i]));
		read_text(got, sizeof(got), &what);
		CHECK_STR(got, texts[i]);
		CHECK_EQ(what, TEXT_MARK);
		CHECK(!take(0, &r));
	}
}

static void test_barrier(void)
{
	struct record r;

	start(3);
	process.barrier = 7;
	capture_barrier();
	for (unsigned cpu = 0; cpu < 3; cpu++) {
		CHECK(take(cpu, &r));
		CHECK_EQ(r.kind, EV_BARRIER);
		CHECK_EQ(r.arg[0], 8);
		CHECK_EQ(r.cpu, cpu);
		CHECK(!take(cpu, &r));
	}
	CHECK_EQ(process.barrier, 8);
}

// --- depot

static uint32_t intern(const uintptr_t *ip, unsigned n)
{
	static _Thread_local struct depot_path path;

	path.n = 0;
	return depot_intern(&path, ip, n, 0);
}

static void test_depot(void)
{
	uintptr_t a[] = {0x1000, 0x2000, 0x3000}, b[] = {0x1100, 0x2000, 0x3000}, back[8];
	uint32_t ida, idb;

	start(1);
	ida = intern(a, 3);
	idb = intern(b, 3);
	CHECK(ida && idb && ida != idb);
	CHECK_EQ(intern(a, 3), ida);
	CHECK_EQ(session_stack(process.session, ida, back, 8), 3);
	CHECK(!memcmp(a, back, sizeof(a)));
	CHECK_EQ(depot_nodes(process.session)[ida].parent,
		 depot_nodes(process.session)[idb].parent);
	CHECK_EQ(process.session->depot_count, 5); // root, two shared, two of their own
	depot_new_image();
	CHECK(intern(a, 3) != ida);
}

static void test_depot_full(void)
{
	uintptr_t ip[4] = {1, 2, 3, 4};

	start(1);
	process.session->depot_limit = 8;
	CHECK(intern(ip, 4) != 0);
	ip[3] = 99;
	CHECK_EQ(intern(ip, 4), 0);
	CHECK_EQ(process.session->depot_full, 1);
	process.session->depot_limit = 100; // the drainer made room
	CHECK(intern(ip, 4) != 0);
}

enum {
	WRITERS = 4,
	STACKS = 3000,
	DEPTH = 6
};

static void make_stack(unsigned n, uintptr_t *ip)
{
	for (unsigned i = 0; i < DEPTH; i++) {
		ip[DEPTH - 1 - i] = 0x400000 + (n % 5 + 1) * 16 + i * 0x1000;
		n /= 5;
	}
}

static void *depot_writer(void *arg)
{
	uint32_t *ids = arg;
	uintptr_t ip[DEPTH];

	for (unsigned n = 0; n < STACKS; n++) {
		make_stack(n, ip);
		ids[n] = intern(ip, DEPTH);
	}
	return NULL;
}

static void test_depot_threads(void)
{
	static uint32_t ids[WRITERS][STACKS];
	uintptr_t ip[DEPTH], back[16];
	pthread_t t[WRITERS];

	start(1);
	for (unsigned i = 0; i < WRITERS; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, depot_writer, ids[i]), 0);
	for (unsigned i = 0; i < WRITERS; i++)
		pthread_join(t[i], NULL);
	for (unsigned n = 0; n < STACKS; n++) {
		make_stack(n, ip);
		CHECK_EQ(session_stack(process.session, ids[0][n], back, 16), DEPTH);
		CHECK(!memcmp(ip, back, sizeof(ip)));
		for (unsigned i = 1; i < WRITERS; i++)
			CHECK_EQ(ids[i][n], ids[0][n]);
	}
}

static void test_depot_hostile_chain(void)
{
	uintptr_t ip[2] = {5, 6};
	struct session_header *h;
	uint32_t id;

	start(1);
	h = process.session;
	id = intern(ip, 2);
	// Somebody tied every chain into a loop, or sends it out of the array.
	for (uint32_t i = 1; i <= h->depot_count; i++)
		depot_nodes(h)[i].next = i & 1 ? i : 0x7fffffff;
	ip[0] = 7;
	CHECK(intern(ip, 2) != id);
}

// --- threads

static void *short_thread(void *arg)
{
	struct thread *t = this_thread(__builtin_frame_address(0));

	*(int *)arg = t->tid;
	return NULL;
}

static void test_threads(void)
{
	unsigned starts = 0, exits = 0, names = 0;
	int tid[3];
	pthread_t t;
	struct record r;

	start(1);
	thread_forget();
	thread_self.slot = 0;
	CHECK(this_thread(__builtin_frame_address(0)) == &thread_self);
	CHECK_EQ(thread_self.tid, getpid());
	for (unsigned i = 0; i < 3; i++) {
		CHECK_EQ(pthread_create(&t, NULL, short_thread, &tid[i]), 0);
		pthread_join(t, NULL);
		usleep(2000); // gone for the kernel, too
	}
	while (take(0, &r)) {
		starts += r.kind == EV_THREAD_START;
		names += r.kind == EV_TEXT && !memcmp(&r.arg[1], "capture_test", 12);
		if (r.kind == EV_THREAD_EXIT)
			CHECK_EQ(r.op.addr, tid[exits++]);
	}
	CHECK_EQ(starts, 4);
	CHECK_EQ(names, 4);
	CHECK_EQ(exits, 2);
}

// --- sites

static uintptr_t site(uintptr_t a, uintptr_t b, uintptr_t c)
{
	uintptr_t ip[] = {a, b, c};

	return capture_site(intern(ip, 3));
}

static void test_sites(void)
{
	void *sqlite = dlopen("libsqlite3.so.0", RTLD_NOW);
	uintptr_t libc = (uintptr_t)a64l + 9, own = (uintptr_t)test_threads + 9, wrapper, user;

	start(1);
	CHECK_EQ(site(own, libc, own + 1), own);
	CHECK_EQ(site(libc, own, libc), own);
	CHECK_EQ(site(libc, libc + 1, own), own);
	CHECK_EQ(site(libc, libc + 1, libc + 2), libc + 2); // nothing else: the outermost
	CHECK(sqlite != NULL);
	wrapper = (uintptr_t)dlsym(sqlite, "sqlite3_malloc") + 5;
	user = (uintptr_t)dlsym(sqlite, "sqlite3_initialize") + 5;
	CHECK_EQ(site(wrapper, user, own), user);
	CHECK_EQ(site(libc, wrapper, own), own);
	CHECK_EQ(capture_site(0), 0);
	dlclose(sqlite);
}

// --- modules

static unsigned count_modules(const char *name, unsigned kind)
{
	char line[4096];
	unsigned n = 0, what;

	while (process.slot->ring[0].tail != process.slot->ring[0].head) {
		read_text(line, sizeof(line), &what);
		n += what == kind && strstr(line, name);
	}
	return n;
}

static void test_modules(void)
{
	uint32_t image, generation;
	void *so;

	stub_start(1, &(struct session_size){4, 1, 4096, 1024, 65536});
	dlclose(dlopen("libz.so.1", RTLD_NOW)); // all of its own needs are there
	modules_changed();
	modules_refresh(&thread_self);
	count_modules("", TEXT_MODULE);
	so = dlopen("libz.so.1", RTLD_NOW);
	CHECK(so != NULL);
	modules_changed();
	modules_refresh(&thread_self);
	CHECK_EQ(count_modules("libz.so.1", TEXT_MODULE), 1);
	image = depot_image();
	generation = rules_generation();
	dlclose(so);
	modules_changed();
	modules_refresh(&thread_self);
	CHECK_EQ(count_modules("", TEXT_MODULE_GONE), 1);
	CHECK(depot_image() != image);
	CHECK(rules_generation() != generation);
}

// --- sessions: a process of its own each, for the environment is read where the kernel put it

static const char *self;

static int in_child(const char *what, const char *rings)
{
	int status, pid = fork();

	if (!pid) {
		char env[256];
		char *envp[] = {env, NULL}, *argv[] = {(char *)self, (char *)what, NULL};

		snprintf(env, sizeof(env), SESSION_ENV "=%s", rings);
		execve(self, argv, envp);
		_exit(99);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static unsigned open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static int child_attach(void)
{
	unsigned before = open_fds();

	if (!session_attach())
		return 1;
	process.ncpus = process.opt.machine.ncpus = 2;
	session_ready();
	return open_fds() != before ? 2 : process.slot->state != SLOT_LIVE ? 3 : 0;
}

static int child_fork(void)
{
	int status, pid;

	if (child_attach())
		return 1;
	process.generation = 1;
	session_fork_prepare();
	pid = fork();
	if (!pid) {
		process.generation++;
		session_fork_child();
		put_step(0, 77);
		_exit(process.slot ? 0 : 1);
	}
	session_fork_parent(pid);
	waitpid(pid, &status, 0);
	session_exit(0);
	return status != 0;
}

static struct session_header *file_session(char *path, uint32_t slots)
{
	struct session_size z = {slots, 2, 1024, 1024, 4096};

	snprintf(path, 64, "/tmp/capture-test-%d", getpid());
	return session_make(path, &z);
}

static void test_attach(void)
{
	char path[64];
	struct session_header *h = file_session(path, 4);
	struct slot *s;

	CHECK_EQ(in_child("attach", path), 0);
	s = session_slot(h, 0);
	CHECK_EQ(s->state, SLOT_LIVE);
	CHECK_EQ(s->process, 1);
	CHECK_EQ(s->how, HOW_FIRST);
	CHECK(strstr(s->exe, "capture_test") != NULL);
	CHECK_EQ(h->announced, 1);
	struct record *r = session_ring(h, 0, 0);
	CHECK(r[0].kind == EV_TEXT && (r[0].arg[0] & 0xffff) == TEXT_EXE);
	unlink(path);
}

static void test_attach_fork(void)
{
	char path[64];
	struct session_header *h = file_session(path, 4);

	CHECK_EQ(in_child("fork", path), 0);
	CHECK_EQ(session_slot(h, 0)->state, SLOT_ENDED);
	CHECK_EQ(session_slot(h, 1)->how, HOW_FORK);
	CHECK_EQ(session_slot(h, 1)->parent, 1);
	CHECK_EQ(session_slot(h, 1)->fork_barrier, 1);
	CHECK_EQ(session_slot(h, 1)->ring[0].head, 1);
	CHECK_EQ(session_ring(h, 1, 0)->arg[0], 77);
	unlink(path);
}

static void test_attach_full(void)
{
	char path[64];
	struct session_header *h = file_session(path, 1);

	CHECK_EQ(in_child("fork", path), 1);
	CHECK_EQ(session_slot(h, 0)->unrecorded_children, 1);
	CHECK_EQ(h->no_slot, 1);
	unlink(path);
}

static void test_attach_damaged(void)
{
	char path[64];
	struct session_header *h = file_session(path, 1);

	h->off_nodes = h->size - 8;
	CHECK_EQ(in_child("attach", path), 1);
	h = file_session(path, 1);
	h->recorder_state = 2;
	CHECK_EQ(in_child("attach", path), 1);
	CHECK_EQ(h->announced, 0);
	CHECK_EQ(in_child("attach", "/nonexistent"), 1);
	CHECK_EQ(in_child("attach", "/"), 1);
	unlink(path);
}

int main(int argc, char **argv)
{
	self = "/proc/self/exe";
	if (argc > 1)
		return !strcmp(argv[1], "fork") ? child_fork() : child_attach();
	RUN(test_ring_wraps);
	RUN(test_ring_full);
	RUN(test_ring_waits);
	RUN(test_hostile_tail);
	RUN(test_time);
	RUN(test_text);
	RUN(test_barrier);
	RUN(test_depot);
	RUN(test_depot_full);
	RUN(test_depot_threads);
	RUN(test_depot_hostile_chain);
	RUN(test_threads);
	RUN(test_sites);
	RUN(test_modules);
	RUN(test_attach);
	RUN(test_attach_fork);
	RUN(test_attach_full);
	RUN(test_attach_damaged);
	return DONE();
}
