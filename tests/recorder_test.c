// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The recorder from session to finished file: a target of the core alone writes, a drainer and an
// inserter record, and the file must say what happened.
#include "harness.h"

#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../db/codec.h"
#include "../db/recorder.h"
#include "model_target.h"

static char dir[] = "/tmp/recorder-test-XXXXXX";
static char output[256], folder[512], err[ERR_LEN];

static void prepare(struct record_options *o)
{
	static char *argv[] = {"model", "one", NULL};

	options_default(o);
	machine_config_default(&o->session.machine, MODEL_CLASSIC, 256u << 20, 2);
	snprintf(output, sizeof(output), "%s/out", dir);
	o->output = output;
	o->force = true;
	o->argv = argv;
	o->self = "kalloscope";
}

static void session(void)
{
	struct record_options o;
	struct segment seg;
	char path[600];
	int fd;

	prepare(&o);
	if (session_create(&o, folder, sizeof(folder), err))
		printf("# %s\n", err);
	CHECK(!segment_open(&seg, folder, true, err));
	seg.h->tsc_mult = 0; // the model stamps in ns
	snprintf(path, sizeof(path), "%s/header", folder);
	fd = open(path, O_WRONLY);
	CHECK_EQ(pwrite(fd, seg.h, sizeof(*seg.h), 0), sizeof(*seg.h));
	close(fd);
	segment_close(&seg);
}

static pid_t spawn_drainer(pid_t first)
{
	pid_t pid = fork();

	if (!pid)
		_exit(drain_run(folder, first, err) ? 1 : 0);
	return pid;
}

static int wait_for(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	return status;
}

static int64_t query(const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *s;
	int64_t value = -1;

	if (sqlite3_open_v2(output, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK) {
		if (sqlite3_step(s) == SQLITE_ROW)
			value = sqlite3_column_int64(s, 0);
		sqlite3_finalize(s);
	} else {
		printf("# %s: %s\n", sql, sqlite3_errmsg(db));
	}
	sqlite3_close(db);
	return value;
}

static void show(const char *sql)
{
	char command[1024];

	snprintf(command, sizeof(command), "sqlite3 -header %s \"%s\" 2>&1 | sed 's/^/# /'", output,
		 sql);
	fflush(stdout);
	if (system(command))
		printf("# sqlite3 failed\n");
}

// What the model knows of itself, left in a page shared with the test.
static struct truth {
	uint64_t ops[2], live[2], bytes[2], lost;
	_Atomic bool full; // the rings are, and more was made
} * truth;

static void tell_truth(const struct target *t, unsigned i)
{
	truth->ops[i] = t->ops;
	truth->lost = t->lost;
	for (unsigned b = 0; b < MODEL_BLOCKS; b++)
		if (t->block[b].addr) {
			truth->live[i]++;
			truth->bytes[i] += t->block[b].size;
		}
}

static void run_forking_model(void)
{
	static struct target t = {.seed = 42};
	pid_t child;

	model_start(&t, folder);
	model_work(&t, 60000);
	model_barrier(&t);
	child = fork();
	if (!child) {
		usleep(50000); // the parent is well past the barrier
		model_forked(&t);
		model_work(&t, 30000);
		tell_truth(&t, 1);
		model_exit(&t);
	}
	model_work(&t, 150000);
	tell_truth(&t, 0);
	waitpid(child, NULL, 0);
	model_exit(&t);
}

static pid_t spawn_model(void (*run)(void))
{
	pid_t pid = fork();

	if (!pid)
		run();
	return pid;
}

static void record_forking(void)
{
	pid_t drainer, target;
	int error;

	session();
	memset(truth, 0, sizeof(*truth));
	target = spawn_model(run_forking_model);
	drainer = spawn_drainer(target);
	CHECK_EQ(wait_for(target), 0);
	error = insert_run(folder, false, NULL, NULL, err);
	if (error)
		printf("# %s\n", err);
	CHECK_EQ(error, 0);
	CHECK_EQ(wait_for(drainer), 0);
}

static void everything_is_there(void)
{
	struct stat st;

	umask(022);
	record_forking();
	CHECK_EQ(stat(output, &st), 0);
	CHECK_EQ(st.st_mode & 0777, 0600);
	if (query("SELECT value FROM meta WHERE key='divergences'"))
		show("SELECT value FROM meta WHERE key='divergence'");
	CHECK_EQ(query("SELECT value FROM meta WHERE key='complete'"), 1);
	CHECK_EQ(query("SELECT value FROM meta WHERE key='divergences'"), 0);
	CHECK_EQ(query("SELECT count(*) FROM events"), truth->ops[0] + truth->ops[1]);
	CHECK_EQ(query("SELECT events FROM process WHERE process=2"), truth->ops[1]);
	CHECK_EQ(query("SELECT max(id) FROM events"), truth->ops[0] + truth->ops[1]);
	CHECK_EQ(access(folder, F_OK), -1);
	CHECK_EQ(query("PRAGMA application_id"), 0x4b414c4f);
	CHECK_EQ(
		query("SELECT count(*) FROM event a JOIN event b ON b.rowid=a.rowid+1 WHERE b.t_ns<a.t_ns"),
		0);
	CHECK_EQ(query("PRAGMA integrity_check"), 0); // the text "ok"
}

// Of two blocks that changed places in the order, the wrong one may count as the live one.
static bool near(int64_t value, uint64_t expected)
{
	return llabs(value - (int64_t)expected) * 1000 < (int64_t)expected;
}

static void frees_know_their_allocation(void)
{
	// The clock is read too rarely to tell who was first when two CPUs pass a block to and fro.
	CHECK(query("SELECT count(*) FROM events WHERE kind='free' AND ref=0") * 1000 <
	      query("SELECT count(*) FROM events WHERE kind='free'"));
	CHECK_EQ(query("SELECT count(*) FROM events f LEFT JOIN events a ON a.id=f.ref WHERE "
		       "f.ref AND (a.addr IS NOT f.addr OR a.kind!='malloc' OR a.id>=f.id)"),
		 0);
	CHECK_EQ(query("SELECT count(*) FROM (SELECT 1 FROM events WHERE ref GROUP BY process, ref "
		       "HAVING count(*)>1)"),
		 0);
	// A child frees what its parent had before the fork, and only that.
	CHECK(query("SELECT count(*) FROM events f JOIN events a ON a.id=f.ref WHERE f.process=2 AND "
		    "a.process=1") > 0);
	CHECK_EQ(
		query("SELECT count(*) FROM events f JOIN events a ON a.id=f.ref WHERE f.process=2 AND "
		      "a.process=1 AND a.id>(SELECT fork_event FROM process WHERE process=2)"),
		0);
	CHECK_EQ(query("SELECT live_count FROM process WHERE process=1"), truth->live[0]);
	CHECK(near(query("SELECT live_bytes FROM process WHERE process=1"), truth->bytes[0]));
	CHECK_EQ(query("SELECT live_count FROM process WHERE process=2"), truth->live[1]);
	CHECK(near(query("SELECT live_bytes FROM process WHERE process=2"), truth->bytes[1]));
}

static void fold_equals_machine(void)
{
	show("SELECT process, state_check FROM process");
	CHECK_EQ(query("SELECT count(*) FROM process WHERE state_check='equal'"), 2);
}

static void totals_agree_with_rows(void)
{
	CHECK_EQ(query("SELECT sum(calls) FROM sites"),
		 query("SELECT count(*) FROM events WHERE kind='malloc'"));
	CHECK_EQ(query("SELECT sum(bytes) FROM sites"), query("SELECT sum(req) FROM events"));
	CHECK_EQ(query("SELECT sum(alloc_bytes) FROM sites"),
		 query("SELECT sum(alloc) FROM events"));
	CHECK_EQ(query("SELECT sum(peak_bytes) FROM stack_stat WHERE process=1"),
		 query("SELECT peak_bytes FROM process WHERE process=1"));
	CHECK(near(query("SELECT sum(live_bytes) FROM stack_stat WHERE process=1"),
		   truth->bytes[0]));
	CHECK_EQ(query("SELECT max(program_max) FROM timeline WHERE process=1 AND level=0"),
		 query("SELECT peak_bytes FROM process WHERE process=1"));
	CHECK_EQ(
		query("SELECT sum(last_event IS NOT NULL AND bucket>=0) FROM timeline WHERE level=1 AND process=1"),
		(int64_t)(truth->ops[0] + 4095) / 4096);
	CHECK_EQ(query("SELECT count(*) FROM thread"), 4);
	CHECK(query("SELECT count(*) FROM transitions WHERE kind='mm_page_alloc'") > 0);
}

static void stacks_have_frames(void)
{
	CHECK_EQ(query("SELECT count(*) FROM stacks WHERE stack=3 AND inlined=0"), 2);
	CHECK_EQ(query("SELECT ip FROM stacks WHERE stack=3 AND depth=0"), 0x401234);
	CHECK_EQ(query("SELECT count(*) FROM stacks WHERE module='/bin/model' AND depth=1"), 2);
	CHECK_EQ(query("SELECT offset FROM address WHERE ip=0x401234"), 0x1234);
	CHECK_EQ(
		query("SELECT argv='model' || char(10) || 'one argument that is long' FROM process"),
		1);
	CHECK_EQ(query("SELECT start FROM module"), 0x401000);
}

// --- blobs

static struct log_entry entries[3000];

static void make_entries(void)
{
	struct target t = {.seed = 3};
	uint64_t id = 1000;

	for (unsigned i = 0; i < 3000; i++) {
		for (unsigned w = 0; w < 6; w++)
			entries[i].r.arg[w] = model_random(&t);
		entries[i].r.kind = model_random(&t) % EV_LAST_STEP;
		entries[i].event = model_random(&t) % 3 ? id += 1 + model_random(&t) % 70000 : 0;
	}
}

static void log_blob_gives_back_its_entries(void)
{
	struct log_entry *back;
	size_t size, n;
	void *blob;

	make_entries();
	CHECK_EQ(log_encode(entries, 3000, &blob, &size), 0);
	CHECK_EQ(log_decode(blob, size, &back, &n), 0);
	CHECK_EQ(n, 3000);
	CHECK(!memcmp(back, entries, sizeof(entries)));
	free(back);
	free(blob);
	CHECK_EQ(log_encode(entries, 0, &blob, &size), 0);
	CHECK_EQ(log_decode(blob, size, &back, &n), 0);
	CHECK_EQ(n, 0);
	free(back);
	free(blob);
}

// Cut or changed anywhere: refused, or read as something else, never more.
static void damaged_blobs_harm_nobody(void)
{
	struct target t = {.seed = 8};
	struct log_entry *back;
	unsigned refused = 0;
	size_t size, n;
	void *blob;

	make_entries();
	CHECK_EQ(log_encode(entries, 3000, &blob, &size), 0);
	CHECK_EQ(log_decode(blob, size - 1, &back, &n), -EILSEQ);
	CHECK_EQ(log_decode(blob, 10, &back, &n), -EILSEQ);
	for (unsigned i = 0; i < 500; i++) {
		unsigned char *at = (unsigned char *)blob + model_random(&t) % (i & 1 ? 64 : size);
		unsigned char was = *at;

		*at ^= (unsigned char)(1 + model_random(&t) % 255);
		if (log_decode(blob, size, &back, &n))
			refused++;
		else
			free(back);
		*at = was;
	}
	CHECK(refused > 400); // all but changes of the first id
	free(blob);
}

static void keyframes_give_back_the_memory(void)
{
	enum {
		SIZE = 64 * PAGE_SIZE
	};
	char *a = mmap(NULL, 2 * SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *b = a + SIZE;
	struct keyframer *k = keyframer_create(a, SIZE);
	size_t size, first;
	void *blob;
	bool full;

	for (unsigned i = 0; i < 20; i++)
		a[i * 3 * PAGE_SIZE + i] = (char)(i + 1);
	memset(b, 0x77, SIZE); // what a full keyframe must clear
	CHECK_EQ(keyframe_encode(k, true, &blob, &first), 0);
	CHECK_EQ(keyframe_apply(b, SIZE, blob, first, &full), 0);
	CHECK(full && !memcmp(a, b, SIZE));
	CHECK_EQ(keyframe_apply(b, SIZE / 2, blob, first, &full), -EILSEQ);
	free(blob);
	a[3 * PAGE_SIZE + 1] = 0; // a page back to zero, and one more in use
	a[63 * PAGE_SIZE] = 9;
	CHECK_EQ(keyframe_encode(k, false, &blob, &size), 0);
	CHECK(size < first);
	CHECK_EQ(keyframe_apply(b, SIZE, blob, size, &full), 0);
	CHECK(!full && !memcmp(a, b, SIZE));
	free(blob);
	keyframer_destroy(k);
	munmap(a, 2 * SIZE);
}

// --- when things go wrong

static int finish_alone(void)
{
	int error = insert_run(folder, true, NULL, NULL, err);

	if (error)
		printf("# %s\n", err);
	return error;
}

static void drainer_may_be_killed(void)
{
	pid_t target, drainer;

	session();
	memset(truth, 0, sizeof(*truth));
	target = spawn_model(run_forking_model);
	for (int i = 0; i < 5; i++) {
		drainer = spawn_drainer(target);
		usleep(30000);
		kill(drainer, SIGKILL);
		wait_for(drainer);
	}
	drainer = spawn_drainer(target);
	CHECK_EQ(wait_for(target), 0);
	CHECK_EQ(wait_for(drainer), 0);
	CHECK_EQ(insert_run(folder, false, NULL, NULL, err), 0);
	CHECK_EQ(query("SELECT count(*) FROM events"), truth->ops[0] + truth->ops[1]);
	CHECK_EQ(query("SELECT value FROM meta WHERE key='divergences'"), 0);
	CHECK_EQ(query("SELECT value FROM meta WHERE key='lost'"), 0);
	CHECK_EQ(query("SELECT count(*) FROM process WHERE state_check='equal'"), 2);
}

static void run_small_model(void)
{
	static struct target t = {.seed = 7};

	model_start(&t, folder);
	model_work(&t, 12000);
	tell_truth(&t, 0);
	kill(getpid(), SIGKILL);
}

static void recover_takes_what_the_rings_hold(void)
{
	session();
	memset(truth, 0, sizeof(*truth));
	wait_for(spawn_model(run_small_model));
	CHECK_EQ(finish_alone(), 0);
	CHECK_EQ(query("SELECT count(*) FROM events"), truth->ops[0]);
	CHECK_EQ(query("SELECT value FROM meta WHERE key='recovered'"), 1);
	CHECK_EQ(query("SELECT killed FROM process"), 1);
	CHECK_EQ(query("SELECT live_count FROM process"), truth->live[0]);
}

// The spool lost its end, as after a power cut, and the rings were overwritten since.
static void torn_spool_is_finished(void)
{
	char path[600];
	struct stat st;
	pid_t target, drainer;

	session();
	target = spawn_model(run_forking_model);
	drainer = spawn_drainer(target);
	CHECK_EQ(wait_for(target), 0);
	CHECK_EQ(wait_for(drainer), 0);
	snprintf(path, sizeof(path), "%s/spool", folder);
	CHECK(!stat(path, &st));
	CHECK(!truncate(path, st.st_size * 2 / 3 + 5));
	CHECK_EQ(finish_alone(), 0);
	CHECK_EQ(query("SELECT value FROM meta WHERE key='complete'"), 1);
	CHECK(query("SELECT count(*) FROM events") > 10000);
	CHECK(query("SELECT count(*) FROM events") < (int64_t)(truth->ops[0] + truth->ops[1]));
}

static void record_model(void (*run)(void))
{
	pid_t target, drainer;

	session();
	target = spawn_model(run);
	drainer = spawn_drainer(target);
	CHECK_EQ(wait_for(target), 0);
	CHECK_EQ(wait_for(drainer), 0);
	CHECK_EQ(insert_run(folder, false, NULL, NULL, err), 0);
}

static void put_time(struct target *t, unsigned cpu, uint64_t ns)
{
	struct record time = {.kind = EV_TIME, .arg = {(uint32_t)ns, (uint32_t)(ns >> 32)}};

	model_put(t, cpu, time);
}

// Between a mark's text and its event on one CPU the other one does something.
static void run_marking_model(void)
{
	static struct target t = {.seed = 11};
	struct record mark = {.kind = EV_MARK, .lock = 1, .path = PATH_NONE};
	uint64_t now;

	model_start(&t, folder);
	now = clock_monotonic_ns();
	put_time(&t, 0, now);
	model_text(&t, TEXT_MARK, "here", 4);
	put_time(&t, 0, now + 2000000);
	put_time(&t, 1, now + 1000000);
	t.ops = 1; // no further stamps
	model_alloc(&t, 1, &t.block[0], 100);
	model_op(&t, &t.cpu[0], mark);
	model_exit(&t);
}

static void marks_stand_at_their_event(void)
{
	record_model(run_marking_model);
	CHECK_EQ(
		query("SELECT group_concat(kind) = 'malloc,mark' FROM (SELECT kind FROM events ORDER BY id)"),
		1);
	CHECK_EQ(
		query("SELECT count(*) FROM mark JOIN events e ON e.id = mark.event AND kind = 'mark'"),
		1);
}

// The program does not wait and nobody drains for a while.
static void run_lossy_model(void)
{
	static struct target t = {.seed = 5, .lossy = true};

	model_start(&t, folder);
	model_work(&t, 600000); // more than both rings hold, and nobody drains
	atomic_store(&truth->full, true);
	while (model_undrained(&t))
		usleep(1000);
	model_work(&t, 20000);
	tell_truth(&t, 0);
	model_exit(&t);
}

static void losses_are_counted(void)
{
	pid_t target, drainer;

	session();
	target = spawn_model(run_lossy_model);
	while (!atomic_load(&truth->full) && !kill(target, 0))
		usleep(1000);
	drainer = spawn_drainer(target);
	CHECK_EQ(wait_for(target), 0);
	CHECK_EQ(wait_for(drainer), 0);
	CHECK_EQ(insert_run(folder, false, NULL, NULL, err), 0);
	CHECK(truth->lost > 0);
	CHECK_EQ(query("SELECT value FROM meta WHERE key='lost'"), truth->lost);
	CHECK_EQ(query("SELECT lost FROM process"), truth->lost);
	CHECK_EQ(query("SELECT value FROM meta WHERE key='complete'"), 1);
	CHECK(query("SELECT count(*) FROM events") < (int64_t)truth->ops[0]);
	CHECK(query("SELECT count(*) FROM events") > 30000);
}

// Where in the spool the middle one of the program's chunks of records has its own middle.
static off_t middle_of_records(void)
{
	static uint64_t at[4096];
	struct spool_reader reader;
	struct spool_chunk c;
	const void *payload;
	unsigned n = 0;

	CHECK(!spool_open(&reader, folder));
	while (n < 4096 && spool_next(&reader, &c, &payload) == SPOOL_MORE)
		if (c.type == SPOOL_RECORDS && c.process == 1)
			at[n++] = reader.offset - c.count * sizeof(struct record) / 2;
	spool_close(&reader);
	CHECK(n >= 3);
	return (off_t)at[n / 2];
}

// What a program and its child left when nobody inserts, open for changes.
static int whole_spool(void)
{
	char path[600];
	pid_t target, drainer;

	session();
	target = spawn_model(run_forking_model);
	drainer = spawn_drainer(target);
	CHECK_EQ(wait_for(target), 0);
	CHECK_EQ(wait_for(drainer), 0);
	snprintf(path, sizeof(path), "%s/spool", folder);
	return open(path, O_RDWR);
}

// One byte of one chunk has changed: that chunk is missing, the rest is there.
static void damaged_chunk_is_passed_over(void)
{
	int fd = whole_spool();
	off_t at = middle_of_records();
	char byte;

	CHECK_EQ(pread(fd, &byte, 1, at), 1);
	byte ^= 0x55;
	CHECK_EQ(pwrite(fd, &byte, 1, at), 1);
	close(fd);
	CHECK_EQ(insert_run(folder, false, NULL, NULL, err), 0);
	CHECK_EQ(query("SELECT value FROM meta WHERE key='damaged_chunks'"), 1);
	CHECK(query("SELECT value FROM meta WHERE key='lost'") > 0);
	CHECK(query("SELECT count(*) FROM events WHERE process=1") > 10000);
}

// From the middle on there is nothing that looks like a chunk: what stands before is recorded, and the
// spool is kept.
static void broken_spool_is_kept(void)
{
	static const char nothing[1 << 16];
	int fd = whole_spool();
	struct stat was, is;

	CHECK(!fstat(fd, &was));
	for (off_t at = middle_of_records(); at < was.st_size; at += (off_t)sizeof(nothing))
		CHECK(pwrite(fd, nothing, sizeof(nothing), at) == sizeof(nothing));
	CHECK(!ftruncate(fd, was.st_size));
	CHECK_EQ(insert_run(folder, true, NULL, NULL, err), 0);
	CHECK_EQ(query("SELECT value LIKE 'the spool is damaged%' FROM meta WHERE key='truncated'"),
		 1);
	CHECK(query("SELECT count(*) FROM events WHERE process=1") > 1000);
	CHECK(!fstat(fd, &is));
	CHECK_EQ(is.st_nlink, 1);
	CHECK_EQ(is.st_size, was.st_size);
	close(fd);
}

// Real records with bytes changed, pure noise, and impossible heads and configurations.
static void run_hostile_model(void)
{
	static struct target t = {.seed = 99};
	const char *seed = getenv("SEED");
	struct slot *bad;

	if (seed)
		t.seed = strtoull(seed, NULL, 0);
	model_start(&t, folder);
	for (int round = 0; round < 40; round++) {
		model_work(&t, 200);
		for (int i = 0; i < 100; i++) {
			struct record r;
			unsigned char *bytes = (void *)&r;

			for (unsigned b = 0; b < sizeof(r); b++)
				bytes[b] = (unsigned char)model_random(&t);
			r.kind %= EV_COUNT;
			if (i & 1)
				memset(&r.arg[1], 0, 12);
			model_put(&t, i & 1, r);
		}
	}
	for (uint32_t i = 1; i < 8; i++) {
		bad = segment_slot(&t.seg, i);
		for (size_t b = 0; b < sizeof(*bad); b++)
			((unsigned char *)bad)[b] = (unsigned char)model_random(&t);
		bad->process = i & 1 ? i + 1 : bad->process;
		bad->how = i % 3;
		bad->parent = i;
		bad->pid = getpid();
		atomic_store(&bad->state, i & 1 ? SLOT_LIVE : SLOT_ENDED);
	}
	t.seg.h->off_rings = 0xfffffffffffull;
	t.seg.h->ring_records = 3;
	usleep(60000);
	_exit(0);
}

static void noise_harms_nobody(void)
{
	record_model(run_hostile_model);
	CHECK_EQ(query("SELECT value FROM meta WHERE key='complete'"), 1);
	CHECK(query("SELECT value FROM meta WHERE key='divergences'") > 0);
	CHECK(query("SELECT count(*) FROM events") >= 8000);
}

// Slots that name a process which is none of the recording's: live, and only claimed.
static volatile pid_t bystander;

static void run_lying_model(void)
{
	static struct target t = {.seed = 7};

	model_start(&t, folder);
	model_work(&t, 200);
	for (uint32_t i = 1; i < 3; i++) {
		struct slot *lie = segment_slot(&t.seg, i);

		lie->process = i + 1;
		lie->pid = bystander;
		lie->pid_space = t.slot->pid_space;
		atomic_store(&lie->state, i == 1 ? SLOT_LIVE : SLOT_CLAIMED);
	}
	usleep(60000);
	_exit(0);
}

// The status of a child that ends within so many seconds; -1: it does not, and is ended.
static int wait_at_most(pid_t pid, int seconds)
{
	int status = -1;

	for (int i = 0; i < seconds * 100; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		usleep(10000);
	}
	kill(pid, SIGKILL);
	wait_for(pid);
	return -1;
}

static void a_stranger_is_not_waited_for(void)
{
	pid_t target, drainer;

	bystander = fork();
	if (!bystander) {
		sleep(300);
		_exit(0);
	}
	session();
	target = spawn_model(run_lying_model);
	drainer = spawn_drainer(target);
	CHECK_EQ(wait_for(target), 0);
	CHECK_EQ(wait_at_most(drainer, 60), 0);
	CHECK_EQ(kill(bystander, SIGKILL), 0);
	wait_for(bystander);
	CHECK_EQ(insert_run(folder, false, NULL, NULL, err), 0);
	CHECK(query("SELECT count(*) FROM events") >= 200);
}

static void session_says_what_is_wrong(void)
{
	struct record_options o;

	session();
	prepare(&o);
	o.force = false;
	CHECK_EQ(session_create(&o, folder, sizeof(folder), err), -EEXIST);
	CHECK(strstr(err, "--force"));
	o.output = "/nonexistent/folder/out";
	CHECK_EQ(session_create(&o, folder, sizeof(folder), err), -ENOENT);
	CHECK(strstr(err, "-o"));
	prepare(&o);
	o.session.machine.vmalloc_bytes = 0xF0000000;
	CHECK_EQ(session_create(&o, folder, sizeof(folder), err), -EINVAL);
	printf("# %s\n", err);
	CHECK(strstr(err, "vmalloc"));
}

static void options_are_understood(void)
{
	char *good[] = {"record", "--ram=512M", "--cpus", "3", "--split=2G/2G", "--fail", "-o",
			"x",	  "ls",		"-l",	  NULL};
	char *bad[] = {"record", "--cpus=9", "ls", NULL};
	char *unknown[] = {"record", "--ramm=1G", "ls", NULL};
	struct record_options o;

	options_default(&o);
	CHECK_EQ(options_parse(&o, 10, good, err), 0);
	CHECK_EQ(o.session.machine.ncpus, 3);
	CHECK_EQ(o.session.machine.page_offset, 0x80000000);
	CHECK_EQ(e820_end_pfn(&o.session.machine.e820), 512 << 8);
	CHECK_EQ(o.session.flags & SESSION_FAIL, SESSION_FAIL);
	CHECK_STR(o.output, "x");
	CHECK_STR(o.argv[0], "ls");
	options_default(&o);
	CHECK_EQ(options_parse(&o, 3, bad, err), -EINVAL);
	CHECK(strstr(err, "--cpus=9"));
	CHECK_EQ(options_parse(&o, 3, unknown, err), -EINVAL);
	CHECK(strstr(err, "--ramm"));
}

static void remove_dir(void)
{
	char command[300];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	if (system(command))
		printf("# %s is left\n", dir);
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	truth = mmap(NULL, sizeof(*truth), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (getenv("SEED")) { // fuzzing by hand: SEED=1 recorder_test
		RUN(noise_harms_nobody);
		remove_dir();
		return DONE();
	}
	RUN(everything_is_there);
	RUN(frees_know_their_allocation);
	RUN(fold_equals_machine);
	RUN(totals_agree_with_rows);
	RUN(stacks_have_frames);
	RUN(log_blob_gives_back_its_entries);
	RUN(damaged_blobs_harm_nobody);
	RUN(keyframes_give_back_the_memory);
	RUN(drainer_may_be_killed);
	RUN(recover_takes_what_the_rings_hold);
	RUN(torn_spool_is_finished);
	RUN(marks_stand_at_their_event);
	RUN(losses_are_counted);
	RUN(damaged_chunk_is_passed_over);
	RUN(broken_spool_is_kept);
	RUN(noise_harms_nobody);
	RUN(a_stranger_is_not_waited_for);
	RUN(session_says_what_is_wrong);
	RUN(options_are_understood);
	remove_dir();
	return DONE();
}
