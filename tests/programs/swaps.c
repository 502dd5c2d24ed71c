/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Two libraries that take turns at the same addresses: swaps CPU_MS dlopen|fixed|mremap [BURNS]. By dlopen
 * and dlclose; by mapping the code of one over that of the other; by moving it there. Each turn makes BURNS
 * (80, 2 ms) calls; the thread's name is swap_MODE.
 */
/* STACK: MAIN swap_dlopen? (@libc|@ld)* (__do_global_dtors_aux @libc*)? */
/* STACK: MAIN (swap_fixed|swap_mremap) @libc* */
/* STACK: MAIN (swap_dlopen|swap_fixed|swap_mremap) in_turn one_call one_outer{1,4} one_inner{1,4} back burn */
/* STACK: MAIN (swap_dlopen|swap_fixed|swap_mremap) in_turn two_call two_outer{1,4} two_inner{1,4} back burn */
/* PROGRAM_CFLAGS: -O2 */
/* PROGRAM_LDFLAGS: -ldl */
#include "known.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

typedef void (*call_fn)(void (*back)(void), int depth);

struct library {
	char path[4096];
	const char *name;
	char *text;
	size_t bytes;
	long off;
	call_fn call;
};
static struct library libraries[2];
static int burns = 80;

FRAME static void back(void)
{
	burn();
	NOT_A_TAIL_CALL();
}

FRAME static void in_turn(call_fn call)
{
	for (int i = 0; i < burns; i++)
		call(back, i & 3);
}

FRAME static void swap_dlopen(void)
{
	for (int i = 0; i < 2; i++) {
		void *library = dlopen(libraries[i].path, RTLD_NOW);

		in_turn((call_fn)dlsym(library, libraries[i].name));
		dlclose(library);
	}
}

static call_fn moved(const struct library *library, char *to)
{
	return (call_fn)(to + ((char *)library->call - library->text));
}

FRAME static void swap_fixed(char *at)
{
	for (int i = 0; i < 2; i++) {
		const struct library *library = &libraries[i];
		int fd = open(library->path, O_RDONLY);

		mmap(at, library->bytes, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd,
		     library->off);
		close(fd);
		in_turn(moved(library, at));
	}
}

FRAME static void swap_mremap(char *at)
{
	for (int i = 0; i < 2; i++) {
		const struct library *library = &libraries[i];

		mremap(library->text, library->bytes, library->bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
		       at);
		in_turn(moved(library, at));
		mremap(at, library->bytes, library->bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
		       library->text);
	}
}

/* Where the library's code is mapped. */
static int find_text(struct library *library)
{
	unsigned long start, end, off;
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[4200];

	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx r-xp %lx", &start, &end, &off) == 3 &&
		    (unsigned long)library->call >= start && (unsigned long)library->call < end) {
			library->text = (char *)start;
			library->bytes = end - start;
			library->off = (long)off;
		}
	return maps && !fclose(maps) && library->text;
}

int main(int argc, char **argv)
{
	static const char *const numbers[] = { "one", "two" };
	static const char *const calls[] = { "one_call", "two_call" };
	const char *mode = begin(argc, argv);
	char name[32], *at;

	if (argc > 3)
		burns = atoi(argv[3]);
	snprintf(name, sizeof(name), "swap_%s", mode);
	prctl(PR_SET_NAME, name);
	for (int i = 0; i < 2; i++) {
		struct library *library = &libraries[i];
		void *loaded;

		snprintf(library->path, sizeof(library->path), "%.*s_%s", (int)strlen(argv[0]) - 1,
			 argv[0], numbers[i]);
		library->name = calls[i];
		loaded = dlopen(library->path, RTLD_NOW);
		library->call = loaded ? (call_fn)dlsym(loaded, calls[i]) : NULL;
		if (!library->call || !find_text(library))
			return 1;
		if (mode[0] == 'd')
			dlclose(loaded);
	}
	at = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	while (goes_on()) {
		switch (mode[0]) {
		case 'd': swap_dlopen(); break;
		case 'f': swap_fixed(at); break;
		default: swap_mremap(at); break;
		}
	}
	return 0;
}
