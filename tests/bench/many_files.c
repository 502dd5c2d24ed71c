/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A host with many processes and many binaries: many_files PROCESSES EACH LIBRARY... Takes the libraries that
 * can be opened here and have an _init, forks PROCESSES children that open EACH of them, in turn (and so with
 * all that these need), and then run a little and sleep a little: they call the libraries' _init, which does
 * nothing (it asks for __gmon_start__), so that samples fall into code of every file. Prints how many
 * libraries there are; runs until it is ended.
 */
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CALLS_A_TURN 20000
#define PROBE_S	     2

typedef void (*init_fn)(void);

static init_fn find_init(const char *path)
{
	void *library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
	struct link_map *map;

	if (!library || dlinfo(library, RTLD_DI_LINKMAP, &map))
		return NULL;
	for (const ElfW(Dyn) *dyn = map->l_ld; dyn->d_tag != DT_NULL; dyn++)
		if (dyn->d_tag == DT_INIT)
			return (init_fn)(map->l_addr + dyn->d_un.d_ptr);
	return NULL;
}

/* In a child: a library may print, hang or end its process when it is opened. */
static int is_harmless(const char *path)
{
	pid_t pid = fork();
	int status = -1;

	if (!pid) {
		init_fn init;

		alarm(PROBE_S);
		init = find_init(path);
		if (init)
			init();
		_exit(init ? 0 : 1);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static void run_child(char **libraries, int cnt, int first, int each)
{
	struct timespec pause = { 0, 100 * 1000 * 1000 };
	init_fn *inits = calloc((size_t)each, sizeof(*inits));

	if (!inits)
		_exit(1);
	for (int i = 0; i < each; i++)
		inits[i] = find_init(libraries[(first + i) % cnt]);
	for (;;) {
		for (int call = 0; call < CALLS_A_TURN; call++)
			if (inits[call % each])
				inits[call % each]();
		nanosleep(&pause, NULL);
	}
}

int main(int argc, char **argv)
{
	int processes = argc > 3 ? atoi(argv[1]) : 0, each = argc > 3 ? atoi(argv[2]) : 0, cnt = 0;

	if (processes < 1 || each < 1)
		return 2;
	for (int i = 3; i < argc; i++)
		if (is_harmless(argv[i]))
			argv[3 + cnt++] = argv[i];
	if (!cnt)
		return 1;
	for (int i = 0; i < processes; i++)
		if (!fork())
			run_child(argv + 3, cnt, i * each, each);
	printf("libraries=%d\n", cnt);
	fflush(stdout);
	pause();
	return 0;
}
